// t2t-decoder: decodes from a file, from a problem's data or from the
// terminal, and scores files.

#include <ATen/Parallel.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <iostream>
#include <string>

#include "t2t/base/error.h"
#include "t2t/base/flags.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/output_file.h"
#include "t2t/base/plural.h"
#include "t2t/base/process_end.h"
#include "t2t/base/settings.h"
#include "t2t/base/strings.h"
#include "t2t/bin/common/names.h"
#include "t2t/bin/common/t2t_flags.h"
#include "t2t/bin/common/torch_names.h"
#include "t2t/decode/dataset_decode.h"
#include "t2t/decode/decode_hparams.h"
#include "t2t/decode/file_decode.h"
#include "t2t/decode/load_model.h"
#include "t2t/decode/text_decoder.h"
#include "t2t/formats/text_reader.h"
#include "t2t/metrics/bleu.h"
#include "t2t/ops/cuda/device.h"

namespace t2t {
namespace {

struct DecoderFlags {
  LoadModelOptions load;
  std::string decode_hparams;
  std::string decode_from_file;
  std::string decode_to_file;
  std::string decode_reference;
  std::string score_file;
  std::string dataset_split;
  bool decode_interactive = false;
  bool eval_use_test_set = false;
  bool keep_timestamp = false;
  bool decode_in_memory = false;
  int64_t decode_shards = 1;
  int64_t worker_id = 0;
  int64_t random_seed = 0;
  int64_t threads = 0;
  std::string device = "auto";

  void AddTo(Flags* flags);
};

void DecoderFlags::AddTo(Flags* flags) {
  flags->Add("output_dir", &load.weights.model_dir,
             "Where t2t-trainer left the model.");
  flags->Add("checkpoint_path", &load.weights.checkpoint_path,
             "A checkpoint (file, or model.ckpt-<step>) to take instead of "
             "the newest in output_dir.");
  flags->Add("avg_checkpoints", &load.weights.average,
             "Decode with the mean of the last so many checkpoints.",
             Range::AtLeast(0));
  flags->Add("use_ema", &load.weights.use_ema,
             "Take the parameters' moving averages where the checkpoint has "
             "them.");
  flags->Add("export_dir", &load.export_dir,
             "A folder t2t-exporter wrote, instead of output_dir, data_dir, "
             "problem, model and hparams_set.");
  flags->Add("data_dir", &load.data_dir, "Where vocabulary and data are.");
  flags->Add("problem", &load.problem, "Problem name.");
  flags->Add("model", &load.model, "Model name.");
  flags->Add("hparams_set", &load.hparams_set, "Hyperparameter set.");
  flags->Add("hparams", &load.hparams,
             "Changes of hyperparameters: name=value,name=value.",
             Flags::Kind::kSettings);
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

HParams MakeDecodeHParams(const DecoderFlags& flags, const Flags& parsed) {
  std::string overrides = JoinSettings(
      ExportedDecodeHParams(flags.load.export_dir), flags.decode_hparams);
  const auto append = [&](const std::string& name, const std::string& value) {
    overrides = JoinSettings(overrides, name + "=" + value);
  };
  if (parsed.WasGiven("decode_shards")) {
    append("shards", std::to_string(flags.decode_shards));
  }
  if (parsed.WasGiven("worker_id")) {
    append("shard_id", std::to_string(flags.worker_id));
  }
  HParams decode_hparams = DecodeHParams(overrides);
  if (!flags.decode_to_file.empty()) {
    decode_hparams.Set("decode_to_file", flags.decode_to_file);
  }
  if (!flags.decode_reference.empty()) {
    decode_hparams.Set("decode_reference", flags.decode_reference);
  }
  if (flags.decode_in_memory) decode_hparams.Set("decode_in_memory", true);
  for (const std::string& note : NotesOnDecodeHParams(decode_hparams)) {
    std::fprintf(stderr, "%s\n", note.c_str());
  }
  return decode_hparams;
}

DataSplit SplitOf(const DecoderFlags& flags) {
  const std::string& name = flags.dataset_split;
  if (name.empty()) {
    return flags.eval_use_test_set ? DataSplit::kTest : DataSplit::kDev;
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

// What is decoded; "": the dataset.
std::string InputPath(const DecoderFlags& flags,
                      const HParams& decode_hparams) {
  const std::string path = ExpandUser(flags.decode_from_file);
  return path.empty() || path == "-" ? path
                                     : AddShardToFilename(path, decode_hparams);
}

// Where the lines that are decoded go, by the flags; "": the model's names are
// needed to tell.
std::string NamedOutput(const DecoderFlags& flags,
                        const HParams& decode_hparams) {
  const std::string wanted =
      ExpandUser(decode_hparams.GetString("decode_to_file"));
  if (!flags.score_file.empty()) return wanted;
  if (!wanted.empty()) return AddShardToFilename(wanted, decode_hparams);
  // Beside a pipe there is no place for a file.
  const std::string input = InputPath(flags, decode_hparams);
  return input == "-" || (Exists(input) && !IsPlainFile(input)) ? "-" : "";
}

// Says before the work what can't be read or written.
void CheckFiles(const DecoderFlags& flags, const HParams& decode_hparams) {
  const std::string reference =
      ExpandUser(decode_hparams.GetString("decode_reference"));
  if (!reference.empty() && reference != "-" && !Exists(reference)) {
    throw MissingError("there is no file " + reference,
                       "the references, one a line", "see --decode_reference");
  }
  std::string input = ExpandUser(flags.score_file);
  if (input.empty()) input = InputPath(flags, decode_hparams);
  if (input.empty()) return;
  if (input != "-" && !Exists(input)) {
    throw MissingError("there is no file " + input, "a text, one input a line",
                       flags.score_file.empty() ? "see --decode_from_file"
                                                : "see --score_file");
  }
  const std::string output = NamedOutput(flags, decode_hparams);
  if (output.empty()) return;
  const OutputPlace place = FindOutput(output, /*make_folder=*/true);
  CheckDecodeOutput(place, {input, reference});
  if (!reference.empty() && !place.is_file()) {
    throw UsageError("--decode_reference with an output that is no plain file",
                     "a file, which is read again to compare them",
                     "name one with --decode_to_file, or use t2t-bleu");
  }
}

// The output is written; what went wrong in it is told by the exit code too.
void ThrowIfBad(int64_t bad_lines, int64_t lines, const std::string& what) {
  if (bad_lines == 0) return;
  throw DataError(std::to_string(bad_lines) + " of " + std::to_string(lines) +
                      " lines could not be taken (see the warnings); " + what,
                  "", "the other lines are whole: nothing to be done for them");
}

void LogBleu(const std::string& reference, const std::string& decodes) {
  const std::vector<std::string> references =
      ReadTextLines(ExpandUser(reference));
  const std::vector<std::string> translations = ReadTextLines(decodes);
  Log(Format("BLEU_uncased = %6.2f",
             T2TBleu(references, translations, /*case_sensitive=*/false)));
  Log(Format("BLEU_cased = %6.2f",
             T2TBleu(references, translations, /*case_sensitive=*/true)));
}

void Score(const DecoderFlags& flags, TextDecoder* decoder) {
  const FileScores scores = ScoreFile(ExpandUser(flags.score_file), decoder);
  const std::string output = NamedOutput(flags, decoder->decode_hparams());
  WriteOutput(FindOutput(output.empty() ? "-" : output),
              ScoresText(scores.scores));
  ThrowIfBad(scores.bad_lines, static_cast<int64_t>(scores.scores.size()),
             "their score is nan");
}

// Returns where the decodes are.
std::string FromFile(const DecoderFlags& flags, const LoadedModel& loaded,
                     TextDecoder* decoder, FileDecodeReport* report) {
  const HParams& decode_hparams = decoder->decode_hparams();
  FileDecodeOptions options;
  options.input = InputPath(flags, decode_hparams);
  options.output = NamedOutput(flags, decode_hparams);
  if (options.output.empty()) {
    // The input's name has the shard already.
    HParams unsharded = decode_hparams;
    unsharded.Set("shards", 1);
    options.output =
        DecodeFilename(options.input, loaded.model_name, loaded.hparams_set,
                       loaded.problem_name, unsharded);
  }
  options.identity =
      loaded.Identity() + ", random seed " + std::to_string(flags.random_seed);
  *report = DecodeFile(options, decoder);
  Log(Format("%s in %.1f s into ",
             Count(report->lines - report->resumed, "line").c_str(),
             report->seconds) +
      (options.output == "-" ? "the standard output" : options.output));
  if (flags.keep_timestamp && IsPlainFile(options.output)) {
    std::filesystem::last_write_time(
        options.output,
        std::filesystem::last_write_time(loaded.weights.files.front()));
  }
  return options.output;
}

std::string FromDataset(const DecoderFlags& flags, const LoadedModel& loaded,
                        TextDecoder* decoder) {
  const HParams& decode_hparams = decoder->decode_hparams();
  DatasetDecodeOptions options;
  options.problem = loaded.problem.get();
  options.data_dir = loaded.data_dir;
  options.split = SplitOf(flags);
  const std::string wanted =
      ExpandUser(decode_hparams.GetString("decode_to_file"));
  // (Without a file the decodes go to the standard output.)
  if (!wanted.empty() && wanted != "-") {
    options.output =
        DecodeFilename(wanted, loaded.model_name, loaded.hparams_set,
                       loaded.problem_name, decode_hparams);
  }
  DecodeDataset(options, decoder, &std::cout);
  std::cout.flush();
  if (!options.output.empty()) Log("decodes are in " + options.output);
  return options.output;
}

int Main(int argc, char** argv) {
  RegisterNames();
  RegisterTorchNames();
  DecoderFlags flags;
  Flags parser("Decodes with a trained model, or scores translations.",
               "t2t-decoder --data_dir=data --output_dir=train "
               "--decode_from_file=in.txt --decode_to_file=out.txt "
               "--decode_hparams=beam_size=4,alpha=0.6");
  flags.AddTo(&parser);
  const std::vector<std::string> rest = parser.Parse(argc, argv);
  if (!rest.empty()) {
    throw UsageError("the argument '" + rest.front() + "' is no flag",
                     "--name=value", "--help lists the flags");
  }
  if (!flags.decode_from_file.empty() || !flags.decode_to_file.empty()) {
    OutliveReaders("");
  }
  if (flags.threads > 0) at::set_num_threads(static_cast<int>(flags.threads));
  const std::string device = UseDevice(flags.device, 0);
  if (!device.empty()) Log("computing on " + device);
  const HParams decode_hparams = MakeDecodeHParams(flags, parser);
  SplitOf(flags);
  CheckFiles(flags, decode_hparams);
  const LoadedModel loaded = LoadModel(flags.load);
  TextDecoder decoder(loaded.model.get(), decode_hparams,
                      static_cast<uint64_t>(flags.random_seed));
  if (!flags.score_file.empty()) {
    Score(flags, &decoder);
    return 0;
  }
  const std::string note =
      NoteOnSampling(loaded.model->hparams(), decode_hparams);
  if (!note.empty()) Warn(note);
  if (flags.decode_interactive) {
    const int64_t refused = DecodeInteractively(std::cin, std::cout, &decoder);
    // At a terminal they were seen.
    if (refused == 0 || ::isatty(STDIN_FILENO) == 1) return 0;
    throw DataError(std::to_string(refused) + " lines can't be decoded", "",
                    "see the messages between the decodes");
  }
  FileDecodeReport report;
  const std::string decodes = flags.decode_from_file.empty()
                                  ? FromDataset(flags, loaded, &decoder)
                                  : FromFile(flags, loaded, &decoder, &report);
  const std::string& reference = decode_hparams.GetString("decode_reference");
  if (!reference.empty() && !decodes.empty()) LogBleu(reference, decodes);
  ThrowIfBad(report.bad_lines, report.lines, "they are empty in the output");
  return 0;
}

}  // namespace
}  // namespace t2t

int main(int argc, char** argv) { return t2t::RunMain(argc, argv, t2t::Main); }
