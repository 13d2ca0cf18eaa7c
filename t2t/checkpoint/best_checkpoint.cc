#include "t2t/checkpoint/best_checkpoint.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/base/log.h"
#include "t2t/checkpoint/checkpoint.h"

namespace t2t {
namespace {

constexpr char kRecord[] = "best.json";

void CopyWhole(const std::string& from, const std::string& to) {
  AtomicWriter writer(to);
  writer.Write(MappedFile(from).data());
  writer.Commit();
}

void WriteIfChanged(const std::string& path, const std::string& text) {
  if (Exists(path) && ReadFile(path) == text) return;
  WriteFileAtomically(path, text);
}

// A second name for the file where the file system knows such, else a copy:
// checkpoints are written once and never changed.
void LinkOrCopy(const std::string& from, const std::string& to) {
  std::error_code failed;
  std::filesystem::create_hard_link(from, to, failed);
  if (failed) CopyWhole(from, to);
}

}  // namespace

BestCheckpoint::BestCheckpoint(std::string model_dir, std::string metric,
                               bool lower_is_better)
    : model_dir_(std::move(model_dir)),
      dir_(JoinPath(model_dir_, "best")),
      metric_(std::move(metric)),
      lower_is_better_(lower_is_better) {
  if (Exists(JoinPath(dir_, kRecord))) Load();
}

void BestCheckpoint::Load() {
  const std::string path = JoinPath(dir_, kRecord);
  try {
    const Json record = Json::Parse(ReadFile(path));
    const std::string& metric = record.At("metric").AsString();
    if (metric != metric_) {
      Warn(dir_ + " holds the best by " + metric + "; it gives way to the " +
           "best by " + metric_);
      return;
    }
    step_ = record.At("step").AsInt();
    value_ = record.At("value").AsDouble();
  } catch (const Error& error) {
    if (error.code() != ExitCode::kBadData) throw;
    throw DataError(path + ": " + error.what(), "what --keep_best wrote there",
                    "remove the folder " + dir_);
  }
  // A run that was killed in Offer() may have said more than it did.
  if (!Complete()) {
    Warn(path + " names step " + std::to_string(step_) +
         ", which is not there: the best is looked for anew");
    step_ = -1;
  }
}

bool BestCheckpoint::Offer(int64_t step, double value) {
  if (std::isnan(value)) return false;
  const bool better = lower_is_better_ ? value < value_ : value > value_;
  if (found() && !better) return false;
  const std::string path = CheckpointPath(model_dir_, step);
  if (!Exists(path)) {
    Warn(path + " is gone already: --keep_best cannot keep it");
    return false;
  }
  MakeDirectories(dir_);
  step_ = step;
  value_ = value;
  Json record = Json::Object();
  record.Set("metric", metric_);
  record.Set("value", value_);
  record.Set("step", step_);
  // What is said first is made true by whoever comes next.
  WriteFileAtomically(JoinPath(dir_, kRecord), record.ToString(2) + "\n");
  return Complete();
}

bool BestCheckpoint::Complete() const {
  const std::string kept = CheckpointPath(dir_, step_);
  const std::string original = CheckpointPath(model_dir_, step_);
  if (!Exists(kept)) {
    if (!Exists(original)) return false;
    std::vector<std::string> files = CheckpointFiles(model_dir_, step_);
    // Last what makes it one.
    std::reverse(files.begin(), files.end());
    for (const std::string& file : files) {
      const std::string to = JoinPath(dir_, file);
      if (!Exists(to)) LinkOrCopy(JoinPath(model_dir_, file), to);
    }
  }
  for (const char* const name : {"hparams.json", "flags.txt"}) {
    const std::string from = JoinPath(model_dir_, name);
    if (Exists(from)) WriteIfChanged(JoinPath(dir_, name), ReadFile(from));
  }
  const std::string name = BaseName(kept);
  const std::string prefix = name.substr(0, name.rfind('.'));
  WriteIfChanged(JoinPath(dir_, "checkpoint"),
                 "model_checkpoint_path: \"" + prefix +
                     "\"\nall_model_checkpoint_paths: \"" + prefix + "\"\n");
  for (const int64_t step : ListCheckpoints(dir_)) {
    if (step != step_) RemoveCheckpoint(dir_, step);
  }
  SyncDirectory(dir_);
  return true;
}

}  // namespace t2t
