#ifndef T2T_TRAIN_RUN_CHECKPOINTS_H_
#define T2T_TRAIN_RUN_CHECKPOINTS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "t2t/base/json.h"
#include "t2t/checkpoint/checkpoint_writer.h"
#include "t2t/model/model.h"
#include "t2t/train/state.h"
#include "t2t/train/trainer_options.h"

namespace t2t {

// Where a run stands, besides its tensors.
struct RunPosition {
  int64_t step = 0;
  uint64_t seed = 0;
  int64_t micro_batches = 0;  // micro-batches of a step; 0: not known
  // Of the training data; none: from the start.
  std::optional<std::string> input;
};

// A run's checkpoints: the state's tensors, by its strategy, and the run's
// position. All ranks call Restore(), Start() and Save() in the same order;
// rank 0 decides what is read and written.
class RunCheckpoints {
 public:
  RunCheckpoints(const TrainerOptions& options, const Model* model,
                 TrainState* state);

  // Restores the state from the newest good checkpoint in output_dir, or from
  // --warm_start_from, or leaves the initial values. Throws where the
  // checkpoint is not of this run, or not of this model. seed: of a new run.
  RunPosition Restore(uint64_t seed);

  // Removes what a killed process left half-written, and writes the index that
  // it had no time for; nothing, where there is nothing to mend. over: no step
  // is left to train.
  void Mend(int64_t step, bool over) const;
  // Before the first step.
  void Start();
  // Writes a checkpoint in the background.
  void Save(const RunPosition& position);
  // Until the newest checkpoint is on the disk; throws where it can't be
  // written.
  void Wait();
  // Throws where a write has failed already.
  void ThrowIfFailed();

  // Of the newest checkpoint (or handed to the writer); -1: there is none.
  int64_t saved_step() const { return saved_step_; }
  // Anything that is to be kept with the checkpoints.
  Json& extra() { return extra_; }

 private:
  // What rank 0 found in output_dir. shards: of a sharded checkpoint that each
  // rank is to read by itself.
  struct Found {
    Restored restored;
    RunPosition position;
    std::optional<std::vector<std::string>> shards;
  };

  bool first() const { return IsFirst(options_.group); }
  bool WritesShards() const {
    return options_.sharded_checkpoints && state_->writer().count > 0;
  }
  // On rank 0.
  Found Find(uint64_t seed);
  void CheckFits(const Checkpoint& checkpoint) const;
  void TakeMeta(const Checkpoint& checkpoint, RunPosition* position);
  void WarnOfAverages(const Checkpoint& checkpoint, bool has_averages) const;
  // Rank 0's, to all.
  void Share(Found* found);
  void RestoreState(const Found& found);
  // Agrees on the shards' names; throws where a rank sees another folder.
  void AgreeOnShards();
  // Notes the checkpoint about to be written as one to keep where it is time
  // for one.
  void KeepForGood(int64_t step);
  Json Meta(const RunPosition& position) const;

  const TrainerOptions& options_;
  const Model* const model_;
  TrainState* const state_;
  std::string shard_token_;
  int64_t saved_step_ = -1;
  std::vector<int64_t> kept_steps_;  // that stay for good
  double kept_ago_ = 0;              // seconds of training since the last
  double kept_clock_ = 0;            // when they were last counted
  std::unique_ptr<CheckpointWriter> writer_;  // null on ranks that don't write
  Json extra_ = Json::Object();
};

}  // namespace t2t

#endif  // T2T_TRAIN_RUN_CHECKPOINTS_H_
