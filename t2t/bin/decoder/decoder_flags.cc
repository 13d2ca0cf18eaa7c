#include "t2t/bin/decoder/decoder_flags.h"

#include <filesystem>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/output_file.h"
#include "t2t/bin/common/t2t_flags.h"
#include "t2t/decode/decode_hparams.h"
#include "t2t/decode/partial_file.h"

namespace t2t {

void DecoderFlags::AddTo(Flags* flags) {
  flags->Add("output_dir", &load.weights.model_dir,
             "Where t2t-trainer left the model.");
  AddWeightsFlags("Decode with the mean of the last so many checkpoints.",
                  &load.weights, flags);
  flags->Add("export_dir", &load.export_dir,
             "A folder t2t-exporter wrote, instead of output_dir, data_dir, "
             "problem, model and hparams_set.");
  AddModelFlags("Where vocabulary and data are.", &load, flags);
  flags->Add("decode_hparams", &decode_hparams,
             "Changes of the decode hyperparameters, such as "
             "beam_size=4,alpha=0.6.",
             Flags::Kind::kSettings);
  flags->Add("decode_from_file", &decode_from_file,
             "Decode the lines of this file (compressed by gzip or zstd, or "
             "not), or of a pipe; -: of the standard input.");
  flags->Add("decode_to_file", &decode_to_file,
             "Where to write what was decoded or scored; -: to the standard "
             "output.");
  flags->Add("decode_reference", &decode_reference,
             "References to compute T2T's BLEU with after decoding.");
  flags->Add("score_file", &score_file,
             "Score this file's lines \"source<tab>target\" instead.");
  flags->Add("decode_interactive", &decode_interactive,
             "Decode what is typed in.");
  flags->AddChoice("dataset_split", &dataset_split,
                   {"", "train", "dev", "test"},
                   "Without a file: the split to decode (train, dev or test).");
  flags->Add("eval_use_test_set", &eval_use_test_set,
             "Short for --dataset_split=test.");
  flags->Add("keep_timestamp", &keep_timestamp,
             "Give the decoded file the checkpoint's time.");
  flags->Add("decode_in_memory", &decode_in_memory,
             "As the decode hparam of this name.");
  flags->Add("decode_shards", &decode_shards,
             "Number of decoders that share the work.", Range::AtLeast(1));
  flags->Add("worker_id", &worker_id, "Which of decode_shards this one is.",
             Range::AtLeast(0));
  flags->Add("random_seed", &random_seed, "Seed of sampling.", Range::AnyInt());
  flags->Add("threads", &threads, "CPU threads; 0: one a core.",
             Range::Threads());
  flags->AddChoice(
      "device", &device, {"auto", "cpu", "cuda"},
      "cpu, cuda, or auto: a GPU where there is one that can be used.");
  flags->AddAlias("problems", "problem");
  flags->AddAlias("intra_op_parallelism_threads", "threads");
  AddOtherT2TFlags(flags);
}

DataSplit DecoderFlags::Split() const {
  const std::string& name = dataset_split;
  if (name.empty()) {
    return eval_use_test_set ? DataSplit::kTest : DataSplit::kDev;
  }
  for (const DataSplit split :
       {DataSplit::kTrain, DataSplit::kDev, DataSplit::kTest}) {
    if (SplitName(split) == name) return split;
  }
  throw UsageError("--dataset_split=" + name, "train, dev or test");
}

bool IsPlainFile(const std::string& path) {
  return path != "-" && std::filesystem::is_regular_file(path);
}

std::string DecoderFlags::InputPath(const HParams& decode_hparams) const {
  const std::string path = ExpandUser(decode_from_file);
  return path.empty() || path == "-" ? path
                                     : AddShardToFilename(path, decode_hparams);
}

std::string DecoderFlags::NamedOutput(const HParams& decode_hparams) const {
  const std::string wanted =
      ExpandUser(decode_hparams.GetString("decode_to_file"));
  if (!score_file.empty()) return wanted;
  if (!wanted.empty()) return AddShardToFilename(wanted, decode_hparams);
  // Beside a pipe there is no place for a file.
  const std::string input = InputPath(decode_hparams);
  return input == "-" || (Exists(input) && !IsPlainFile(input)) ? "-" : "";
}

void DecoderFlags::CheckFiles(const HParams& decode_hparams) const {
  const std::string reference =
      ExpandUser(decode_hparams.GetString("decode_reference"));
  if (!reference.empty() && reference != "-" && !Exists(reference)) {
    throw MissingError("there is no file " + reference,
                       "the references, one a line", "see --decode_reference");
  }
  std::string input = ExpandUser(score_file);
  if (input.empty()) input = InputPath(decode_hparams);
  if (input.empty()) return;
  if (input != "-" && !Exists(input)) {
    throw MissingError(
        "there is no file " + input, "a text, one input a line",
        score_file.empty() ? "see --decode_from_file" : "see --score_file");
  }
  const std::string output = NamedOutput(decode_hparams);
  if (output.empty()) return;
  const OutputPlace place = FindOutput(output, /*make_folder=*/true);
  CheckDecodeOutput(place, {input, reference});
  if (!reference.empty() && !place.is_file()) {
    throw UsageError("--decode_reference with an output that is no plain file",
                     "a file, which is read again to compare them",
                     "name one with --decode_to_file, or use t2t-bleu");
  }
}

}  // namespace t2t
