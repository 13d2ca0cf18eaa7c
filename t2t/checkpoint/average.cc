#include "t2t/checkpoint/average.h"

#include <ATen/ATen.h>
#include <unistd.h>

#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/plural.h"
#include "t2t/base/stop.h"
#include "t2t/base/strings.h"
#include "t2t/checkpoint/checkpoint.h"
#include "t2t/checkpoint/checkpoint_reader.h"
#include "t2t/checkpoint/run_identity.h"

namespace t2t {
namespace {

// A checkpoint's weights (with use_ema their moving averages, where it has
// any); none where the file is damaged, or gone since.
std::optional<Checkpoint> LoadWeights(const std::string& path, bool use_ema) {
  try {
    const CheckpointReader reader(path);
    Checkpoint checkpoint;
    checkpoint.path = path;
    checkpoint.step = reader.step();
    checkpoint.meta = reader.meta();
    for (const std::string& name : reader.names()) {
      if (StartsWith(name, kOptimizerPrefix) ||
          StartsWith(name, kAveragePrefix)) {
        continue;
      }
      checkpoint.tensors[name] = reader.Read(
          use_ema && reader.Has(kAveragePrefix + name) ? kAveragePrefix + name
                                                       : name);
    }
    return checkpoint;
  } catch (const Error& error) {
    if (error.code() != ExitCode::kBadData &&
        error.code() != ExitCode::kMissing) {
      throw;
    }
    Warn(std::string("passed over: ") + error.what());
    return std::nullopt;
  }
}

// The sum of some checkpoints' weights, in double precision.
class WeightSum {
 public:
  void Add(const Checkpoint& checkpoint, double factor) {
    if (sums_.empty()) {
      for (const auto& [name, tensor] : checkpoint.tensors) {
        sums_[name] = at::zeros(tensor.sizes(), at::kDouble);
      }
    }
    for (auto& [name, sum] : sums_) {
      const auto found = checkpoint.tensors.find(name);
      if (found == checkpoint.tensors.end() ||
          found->second.sizes() != sum.sizes() ||
          checkpoint.tensors.size() != sums_.size()) {
        throw MismatchError("the checkpoint of step " +
                                std::to_string(checkpoint.step) +
                                " differs from the others at '" + name + "'",
                            "checkpoints of one model");
      }
      sum.add_(found->second.to(at::kDouble), factor);
    }
  }

  // Types are those of the newest checkpoint; whole numbers are its own.
  Checkpoint Mean(const Checkpoint& newest, double count) const {
    Checkpoint mean;
    mean.step = newest.step;
    PutIdentity(IdentityIn(newest.meta), &mean.meta);
    for (const auto& [name, tensor] : newest.tensors) {
      mean.tensors[name] =
          tensor.is_floating_point()
              ? sums_.at(name).div(count).to(tensor.scalar_type())
              : tensor;
    }
    return mean;
  }

 private:
  std::map<std::string, at::Tensor> sums_;
};

// The mean of the last n checkpoints of a folder, written as each one comes.
class RollingAverage {
 public:
  explicit RollingAverage(const AverageOptions& options) : options_(options) {}

  // Takes in the checkpoints that are new. Returns whether there were any.
  bool TakeNew() {
    bool found = false;
    for (const int64_t step : ListCheckpoints(options_.model_dir)) {
      if (step <= last_step_ || step < options_.min_steps) continue;
      last_step_ = step;
      const std::optional<Checkpoint> checkpoint = Load(step);
      if (!checkpoint) continue;
      found = true;
      Add(*checkpoint, step);
      if (static_cast<int64_t>(window_.size()) < options_.n) continue;
      if (written_ == 0) CopyMetadata();
      SaveCheckpoint(options_.output_dir,
                     sum_.Mean(*checkpoint, static_cast<double>(options_.n)),
                     /*keep_max=*/0);
      Log("averaged steps " + std::to_string(window_.front()) + " to " +
          std::to_string(step) + ": " +
          CheckpointPath(options_.output_dir, step));
      ++written_;
    }
    return found;
  }

  int64_t written() const { return written_; }
  size_t good_checkpoints() const { return window_.size(); }

 private:
  std::optional<Checkpoint> Load(int64_t step) const {
    return LoadWeights(CheckpointPath(options_.model_dir, step),
                       options_.use_ema);
  }

  void Add(const Checkpoint& checkpoint, int64_t step) {
    const RunIdentity run = IdentityIn(checkpoint.meta);
    if (window_.empty()) first_run_ = run;
    CheckVocabularies(first_run_, run, "the checkpoints before");
    sum_.Add(checkpoint, 1.0);
    window_.push_back(step);
    if (static_cast<int64_t>(window_.size()) <= options_.n) return;
    // (A trainer that goes on may have removed it by now.)
    const std::optional<Checkpoint> leaving = Load(window_.front());
    if (!leaving) {
      throw MissingError("the checkpoint of step " +
                             std::to_string(window_.front()) + " is gone",
                         "--keep_checkpoint_max of the trainer above --n");
    }
    sum_.Add(*leaving, -1.0);
    window_.pop_front();
  }

  void CopyMetadata() const {
    MakeDirectories(options_.output_dir);
    for (const char* const name : {"hparams.json", "flags.txt"}) {
      const std::string from = JoinPath(options_.model_dir, name);
      if (Exists(from)) {
        WriteFileAtomically(JoinPath(options_.output_dir, name),
                            ReadFile(from));
      }
    }
  }

  const AverageOptions& options_;
  WeightSum sum_;
  RunIdentity first_run_;
  std::deque<int64_t> window_;  // the steps in the sum
  int64_t last_step_ = -1;
  int64_t written_ = 0;
};

}  // namespace

int64_t AverageCheckpoints(const AverageOptions& options) {
  if (options.n < 1) {
    throw UsageError("--n=" + std::to_string(options.n),
                     "how many checkpoints to average, 1 or more");
  }
  if (!IsDirectory(options.model_dir)) {
    throw MissingError("there is no folder --model_dir=" + options.model_dir);
  }
  RollingAverage average(options);
  double waiting_since = NowSeconds();
  while (true) {
    if (average.TakeNew()) waiting_since = NowSeconds();
    ThrowIfStopped(" after writing " + Count(average.written(), "checkpoint"));
    if (NowSeconds() - waiting_since >=
        60.0 * static_cast<double>(options.wait_minutes)) {
      break;
    }
    ::usleep(500'000);
  }
  if (average.written() == 0) {
    throw MissingError(
        options.model_dir + " has " +
            std::to_string(average.good_checkpoints()) + " good checkpoints",
        "at least --n=" + std::to_string(options.n),
        "lower --n, or train on with a larger --keep_checkpoint_max");
  }
  return average.written();
}

}  // namespace t2t
