// t2t-translate-all: translates a text with each checkpoint of a folder.

#include <cstdio>
#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/flags.h"
#include "t2t/base/settings.h"
#include "t2t/base/strings.h"
#include "t2t/bin/common/names.h"
#include "t2t/bin/common/t2t_flags.h"
#include "t2t/bin/common/torch_half.h"
#include "t2t/decode/decode_hparams.h"
#include "t2t/decode/translate_all.h"

namespace t2t {
namespace {

constexpr char kDefaultCommand[] = "t2t-decoder {params}";

struct TranslateAllFlags {
  TranslateAllOptions options;
  int64_t beam_size = 4;
  double alpha = 0.6;
  std::string decode_hparams;
  std::string decoder_command = kDefaultCommand;
  int64_t random_seed = 0;
  int64_t threads = 0;
  std::string device = "auto";

  void AddTo(Flags* flags);
};

void TranslateAllFlags::AddTo(Flags* flags) {
  LoadModelOptions& load = options.load;
  flags->Add("model_dir", &load.weights.model_dir,
             "Where t2t-trainer or t2t-avg-all leaves the checkpoints.");
  flags->Add("source", &options.source, "The text, one input a line.");
  flags->Add("translations_dir", &options.translations_dir,
             "Where the translations go, as <problem>-<step>.");
  flags->Add("min_steps", &options.min_steps,
             "Pass over checkpoints of fewer steps.", Range::AtLeast(0));
  flags->Add("wait_minutes", &options.wait_minutes,
             "Wait so long for a new checkpoint.", Range::AtLeast(0));
  flags->Add("beam_size", &beam_size, "The decode hparam beam_size.",
             Range::AtLeast(1));
  flags->Add("alpha", &alpha, "The decode hparam alpha.", Range());
  flags->Add("decode_hparams", &decode_hparams,
             "Changes of further decode hyperparameters, such as "
             "extra_length=20.",
             Flags::Kind::kSettings);
  flags->Add("data_dir", &load.data_dir, "Where vocabulary and data are.");
  flags->Add("problem", &load.problem,
             "Problem name; not given: that in model_dir's flags.txt.");
  flags->Add("model", &load.model,
             "Model name; not given: that in model_dir's flags.txt.");
  flags->Add("hparams_set", &load.hparams_set,
             "Hyperparameter set; not given: that in model_dir's flags.txt.");
  flags->Add("hparams", &load.hparams,
             "Changes of hyperparameters: name=value,name=value.",
             Flags::Kind::kSettings);
  flags->Add("use_ema", &load.weights.use_ema,
             "Take the parameters' moving averages where a checkpoint has "
             "them.");
  flags->Add("random_seed", &random_seed, "Seed of sampling.", Range::AnyInt());
  flags->Add("threads", &threads, "CPU threads; 0: one a core.",
             Range::Threads());
  flags->AddChoice(
      "device", &device, {"auto", "cpu", "cuda"},
      "cpu, cuda, or auto: a GPU where there is one that can be used.");
  flags->Add("decoder_command", &decoder_command,
             "Another command that is run for each checkpoint, such as a "
             "queue's; {params} becomes t2t-decoder's flags. Not given: this "
             "process translates all.");
  flags->AddAlias("problems", "problem");
  AddGeneratorT2TFlags(flags);
}

int Main(int argc, char** argv) {
  TranslateAllFlags flags;
  NameFlags names;
  Flags parser("Translates a text with each checkpoint of a folder.",
               "t2t-translate-all --model_dir=train --source=dev.en "
               "--translations_dir=translations --wait_minutes=60");
  flags.AddTo(&parser);
  names.AddTo(&parser);
  const std::vector<std::string> rest = parser.Parse(argc, argv);
  TranslateAllOptions& options = flags.options;
  if (!rest.empty() || options.load.weights.model_dir.empty()) {
    throw UsageError(rest.empty()
                         ? "--model_dir is missing"
                         : "the argument '" + rest.front() + "' is no flag",
                     "", "--help shows an example");
  }
  options.decode_overrides =
      JoinSettings("beam_size=" + std::to_string(flags.beam_size) +
                       ",alpha=" + DoubleToString(flags.alpha),
                   flags.decode_hparams);
  options.decode_hparams = DecodeHParams(options.decode_overrides);
  for (const std::string& note : NotesOnDecodeHParams(options.decode_hparams)) {
    std::fprintf(stderr, "%s\n", note.c_str());
  }
  options.random_seed = static_cast<uint64_t>(flags.random_seed);
  if (flags.decoder_command != kDefaultCommand) {
    options.decoder_command = flags.decoder_command;
  }
  names.Register();
  CheckGivenNames(options.load);
  const TorchHalf& torch = LoadTorchHalf();
  torch.set_threads(flags.threads);
  torch.use_device(flags.device);
  torch.translate_all(options);
  return 0;
}

}  // namespace
}  // namespace t2t

int main(int argc, char** argv) { return t2t::RunMain(argc, argv, t2t::Main); }
