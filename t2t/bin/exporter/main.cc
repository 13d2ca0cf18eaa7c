// t2t-exporter: writes a folder that holds all that t2t-decoder needs.

#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/flags.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/bin/common/names.h"
#include "t2t/bin/common/t2t_flags.h"
#include "t2t/bin/common/torch_half.h"
#include "t2t/decode/load_options.h"

namespace t2t {
namespace {

int Main(int argc, char** argv) {
  LoadModelOptions options;
  NameFlags names;
  std::string export_dir;
  Flags parser(
      "Writes a trained model, its hparams and vocabulary into one folder.",
      "t2t-exporter --output_dir=train --data_dir=data --avg_checkpoints=5 "
      "--export_dir=model");
  parser.Add("output_dir", &options.weights.model_dir,
             "Where t2t-trainer left the model.");
  parser.Add("export_dir", &export_dir, "The folder to write; a new one.");
  AddWeightsFlags("Export the mean of the last so many checkpoints.",
                  &options.weights, &parser);
  AddModelFlags("Where the vocabulary is.", &options, &parser);
  parser.Add("decode_hparams", &options.decode_hparams,
             "Changes of the decode hyperparameters that the export keeps, for "
             "t2t-decoder and t2t-model-server: beam_size=4,alpha=0.6.",
             Flags::Kind::kSettings);
  parser.AddAlias("problems", "problem");
  names.AddTo(&parser);
  AddOtherT2TFlags(&parser);
  const std::vector<std::string> rest = parser.Parse(argc, argv);
  if (!rest.empty()) {
    throw UsageError("the argument '" + rest.front() + "' is no flag",
                     "--name=value", "--help lists the flags");
  }
  names.Register();
  CheckExportDir(export_dir);
  CheckModel(options);
  LoadTorchHalf().export_model(options, export_dir);
  Log("exported to " + ExpandUser(export_dir));
  return 0;
}

}  // namespace
}  // namespace t2t

int main(int argc, char** argv) { return t2t::RunMain(argc, argv, t2t::Main); }
