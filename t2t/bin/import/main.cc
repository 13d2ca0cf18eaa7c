// t2t-import: makes a model directory of T2T's (TensorFlow) into one of ours.

#include <cstdio>
#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/flags.h"
#include "t2t/bin/common/names.h"
#include "t2t/bin/common/torch_half.h"
#include "t2t/checkpoint/importer/import_options.h"
#include "t2t/decode/load_options.h"

namespace t2t {
namespace {

int Body(int argc, char** argv) {
  ImportOptions options;
  NameFlags names;
  Flags flags(
      "t2t-import makes a trained model of Tensor2Tensor's (a TensorFlow V2 "
      "checkpoint, hparams.json, flags.txt, the vocabulary) into a model "
      "directory for these programs.",
      "t2t-import --t2t_dir=~/t2t_train/ende --data_dir=~/t2t_data "
      "--output_dir=~/imported");
  flags.Add("t2t_dir", &options.t2t_dir, "T2T's output_dir");
  flags.Add("output_dir", &options.output_dir, "the folder to write");
  flags.Add("checkpoint_path", &options.checkpoint_path,
            "a checkpoint (.../model.ckpt-1000); empty: the latest of t2t_dir");
  flags.Add("data_dir", &options.data_dir,
            "where the vocabulary is, which is copied to output_dir; empty: "
            "t2t_dir, or what its flags.txt says");
  flags.Add("problem", &options.problem, "empty: what flags.txt says");
  flags.Add("model", &options.model, "empty: what flags.txt says");
  flags.Add("hparams_set", &options.hparams_set, "empty: what flags.txt says");
  flags.Add("hparams", &options.hparams, "changes to hparams.json",
            Flags::Kind::kSettings);
  flags.AddAlias("problems", "problem");
  names.AddTo(&flags);
  const std::vector<std::string> rest = flags.Parse(argc, argv);
  if (!rest.empty()) {
    throw UsageError("'" + rest[0] + "' is no flag", "--name=value");
  }
  names.Register();
  CheckGivenNames({.model = options.model,
                   .hparams_set = options.hparams_set,
                   .hparams = options.hparams,
                   .problem = options.problem});
  std::fputs(LoadTorchHalf().import_model(options).c_str(), stdout);
  return 0;
}

}  // namespace
}  // namespace t2t

int main(int argc, char** argv) { return t2t::RunMain(argc, argv, t2t::Body); }
