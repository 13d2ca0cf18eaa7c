#include "t2t/decode/translate_all.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/checkpoint/checkpoint.h"
#include "t2t/checkpoint/safetensors.h"
#include "t2t/decode/decode_hparams.h"
#include "t2t/decode/file_decode.h"
#include "t2t/decode/load_model.h"
#include "t2t/decode/text_decoder.h"

namespace t2t {
namespace {

constexpr char kParams[] = "{params}";
constexpr useconds_t kPollMicroseconds = 500'000;

double Clock() {
  return std::chrono::duration<double>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// When the file came to be there; now where it is gone.
double ChangeTime(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) return Clock();
  return static_cast<double>(info.st_ctim.tv_sec) +
         static_cast<double>(info.st_ctim.tv_nsec) * 1e-9;
}

// A source that can be read once would be empty for the second checkpoint.
void CheckSource(const std::string& path) {
  if (path.empty()) {
    throw UsageError("--source is missing", "a text, one input a line");
  }
  if (!Exists(path)) {
    throw MissingError("there is no file " + path, "a text, one input a line",
                       "see --source");
  }
  if (!std::filesystem::is_regular_file(path)) {
    throw UsageError("--source=" + path + " is no plain file",
                     "a text that can be read once for each checkpoint",
                     "write it to a file first");
  }
}

bool IsWhole(const std::string& model_dir, int64_t step) {
  try {
    for (const std::string& name : CheckpointFiles(model_dir, step)) {
      VerifySafetensorsFile(JoinPath(model_dir, name));
    }
    return true;
  } catch (const Error&) {
    return false;
  }
}

std::string CheckpointCount(int64_t count) {
  return std::to_string(count) + (count == 1 ? " checkpoint" : " checkpoints");
}

std::string ShellQuoted(const std::string& text) {
  return "'" + ReplaceAll(text, "'", "'\\''") + "'";
}

class CheckpointTranslator {
 public:
  explicit CheckpointTranslator(const TranslateAllOptions& options)
      : options_(options),
        model_dir_(ExpandUser(options.load.weights.model_dir)),
        source_(ExpandUser(options.source)),
        folder_(ExpandUser(options.translations_dir)) {}

  // Notes what can't be read.
  void Translate(int64_t step);
  // Says what was done; throws where a checkpoint was damaged.
  void Finish() const;

 private:
  std::string OutputPath(int64_t step) const {
    return JoinPath(folder_, problem_ + "-" + std::to_string(step));
  }
  void Prepare();
  bool Load(int64_t step);
  void RunCommand(const std::string& checkpoint, const std::string& output);

  const TranslateAllOptions& options_;
  const std::string model_dir_;
  const std::string source_;
  const std::string folder_;
  std::string problem_;  // once a checkpoint is there
  std::unique_ptr<LoadedModel> loaded_;
  std::unique_ptr<TextDecoder> decoder_;
  int64_t translated_ = 0;
  int64_t skipped_ = 0;
  std::vector<std::string> damaged_;
};

// Once there is a checkpoint, there are its names.
void CheckpointTranslator::Prepare() {
  if (!problem_.empty()) return;
  LoadModelOptions named = options_.load;
  TakeSavedNames(&named);
  if (named.problem.empty()) {
    throw UsageError("--problem is missing",
                     "a name, or a --model_dir whose flags.txt says it",
                     "give --problem");
  }
  problem_ = named.problem;
  MakeDirectories(folder_);
  const std::string from = JoinPath(model_dir_, "flags.txt");
  const std::string to = JoinPath(folder_, problem_ + "-flags.txt");
  if (Exists(from) && !Exists(to)) {
    const auto time = std::filesystem::last_write_time(from);
    WriteFileAtomically(to, ReadFile(from));
    std::filesystem::last_write_time(to, time);
  }
}

// The checkpoint's weights into the one model; false where they can't be.
bool CheckpointTranslator::Load(int64_t step) {
  const std::string path = CheckpointPath(model_dir_, step);
  WeightsOptions weights = options_.load.weights;
  weights.checkpoint_path = path;
  try {
    if (loaded_ != nullptr) {
      ReloadWeights(weights, loaded_.get());
      return true;
    }
    LoadModelOptions load = options_.load;
    load.weights = weights;
    loaded_ = std::make_unique<LoadedModel>(LoadModel(load));
    decoder_ = std::make_unique<TextDecoder>(
        loaded_->model.get(), options_.decode_hparams, options_.random_seed);
    const std::string note =
        NoteOnSampling(loaded_->model->hparams(), options_.decode_hparams);
    if (!note.empty()) Warn(note);
    return true;
  } catch (const Error& error) {
    if (!Exists(path)) {
      Warn(path + " was removed before it could be read");
      return false;
    }
    if (error.code() != ExitCode::kBadData || IsWhole(model_dir_, step)) throw;
    Warn(std::string("passed over: ") + error.what());
    damaged_.push_back(path);
    return false;
  }
}

void CheckpointTranslator::RunCommand(const std::string& checkpoint,
                                      const std::string& output) {
  std::string flags;
  const auto add = [&](const std::string& name, const std::string& value) {
    if (value.empty()) return;
    flags += (flags.empty() ? "--" : " --") + name + "=" + ShellQuoted(value);
  };
  const LoadModelOptions& load = options_.load;
  add("output_dir", model_dir_);
  add("data_dir", load.data_dir);
  add("problem", load.problem);
  add("model", load.model);
  add("hparams_set", load.hparams_set);
  add("hparams", load.hparams);
  add("decode_hparams", options_.decode_overrides);
  add("checkpoint_path", checkpoint);
  add("decode_from_file", source_);
  add("decode_to_file", output);
  flags += " --keep_timestamp";
  const std::string command =
      ReplaceAll(options_.decoder_command, kParams, flags);
  Log("running: " + command);
  const int status = std::system(command.c_str());
  if (status != 0) {
    const int code = status == -1        ? 127
                     : WIFEXITED(status) ? WEXITSTATUS(status)
                                         : 128 + WTERMSIG(status);
    throw Error(
        code >= 128 ? ExitCode::kRetry : ExitCode::kIo,
        "--decoder_command ended with " + std::to_string(code) + ": " + command,
        "0");
  }
  // A command that only puts the work into a queue has no output yet.
  if (!Exists(output)) Log("note: " + output + " is not there yet");
}

void CheckpointTranslator::Translate(int64_t step) {
  Prepare();
  const std::string checkpoint = CheckpointPath(model_dir_, step);
  const std::string output = OutputPath(step);
  if (Exists(output)) {
    Log(output + " is there already");
    ++skipped_;
    return;
  }
  if (!options_.decoder_command.empty()) {
    RunCommand(checkpoint, output);
    ++translated_;
    return;
  }
  // (Once it is read, the trainer may remove it.)
  std::error_code gone;
  const auto time = std::filesystem::last_write_time(checkpoint, gone);
  if (!Load(step)) return;
  FileDecodeOptions decode;
  decode.input = source_;
  decode.output = output;
  decode.identity = loaded_->Identity() + ", random seed " +
                    std::to_string(options_.random_seed);
  const FileDecodeReport report = DecodeFile(decode, decoder_.get());
  if (!gone) std::filesystem::last_write_time(output, time);
  Log(Format("%lld lines in %.1f s into ",
             static_cast<long long>(report.lines - report.resumed),
             report.seconds) +
      output);
  ++translated_;
}

void CheckpointTranslator::Finish() const {
  Log("translated with " + CheckpointCount(translated_) + "; of " +
      std::to_string(skipped_) + " the translations were there");
  if (damaged_.empty()) return;
  throw DataError(CheckpointCount(static_cast<int64_t>(damaged_.size())) +
                      " could not be read, first " + damaged_.front(),
                  "whole checkpoints",
                  "restore it from a copy, or remove it, and start again");
}

}  // namespace

void TranslateAll(const TranslateAllOptions& options) {
  const std::string model_dir = ExpandUser(options.load.weights.model_dir);
  CheckSource(ExpandUser(options.source));
  if (!options.decoder_command.empty() &&
      options.decoder_command.find(kParams) == std::string::npos) {
    throw UsageError("--decoder_command=" + options.decoder_command,
                     "a command with {params} in it, which t2t-decoder's flags "
                     "take the place of");
  }
  const double wait = static_cast<double>(options.wait_minutes) * 60;
  double deadline = Clock() + wait;
  bool said = false;
  int64_t least = options.min_steps;
  CheckpointTranslator translator(options);
  while (true) {
    const std::vector<int64_t> steps = ListCheckpoints(model_dir);
    const auto next = std::lower_bound(steps.begin(), steps.end(), least);
    if (next == steps.end()) {
      if (Clock() >= deadline) break;
      if (!said) Log("waiting for a checkpoint in " + model_dir);
      said = true;
      ::usleep(kPollMicroseconds);
      continue;
    }
    deadline = ChangeTime(CheckpointPath(model_dir, *next)) + wait;
    least = *next + 1;
    said = false;
    translator.Translate(*next);
  }
  if (least == options.min_steps) {
    throw MissingError(
        "there is no checkpoint in " + model_dir +
            (least > 0 ? " of " + std::to_string(least) + " steps or more"
                       : ""),
        "model.ckpt-<step>.safetensors",
        "train first (t2t-trainer --output_dir=" + model_dir +
            "), or wait for it (--wait_minutes)");
  }
  translator.Finish();
}

}  // namespace t2t
