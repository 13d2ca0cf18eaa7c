#ifndef T2T_TRAIN_TRAINER_H_
#define T2T_TRAIN_TRAINER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "t2t/checkpoint/checkpoint_writer.h"
#include "t2t/checkpoint/run_identity.h"
#include "t2t/distributed/process_group.h"
#include "t2t/formats/events.h"
#include "t2t/input/input.h"
#include "t2t/model/model.h"
#include "t2t/nn/parameter_units.h"
#include "t2t/optim/optimizer.h"
#include "t2t/parallel/sharded_parameters.h"
#include "t2t/train/evaluate_model.h"
#include "t2t/train/model_axis.h"
#include "t2t/train/profiler.h"
#include "t2t/train/sharded_optimizer.h"
#include "t2t/train/sharded_step.h"
#include "t2t/train/step_monitor.h"

namespace t2t {

struct TrainerOptions {
  std::string output_dir;
  // Goes into the checkpoints; one of another run is not gone on with.
  RunIdentity identity;
  int64_t train_steps = 250000;
  // Checkpoints every so many steps, or where save_seconds > 0 seconds.
  int64_t save_steps = 1000;
  int64_t save_seconds = 0;
  int64_t keep_checkpoint_max = 20;
  // One checkpoint every so many seconds of training stays for good; 0: none.
  double keep_every_seconds = 0;
  int64_t log_steps = 100;
  uint64_t seed = 0;
  int threads = 0;       // 0: every core
  double ema_decay = 0;  // 0: no moving average
  // Parameters to start a new run from: a checkpoint or a folder of them.
  std::string warm_start_from;
  // The job's ranks, or null: this process alone. Rank 0 writes.
  ProcessGroup* group = nullptr;
  // The batches of a step, spread over the ranks; 0: those the run began with,
  // at first as many as ranks.
  int64_t virtual_ranks = 0;
  // The same bits with any number of ranks.
  bool deterministic = false;
  int64_t bucket_bytes = 4 << 20;
  // ZeRO: 1: each rank has a share of the optimizer's state; 2: and of the
  // gradients; 3: and of the parameters, which may be absent then (those of
  // rank 0, too, where initial_values has all of them). Without several ranks
  // nothing changes.
  int zero_stage = 0;
  std::map<std::string, DrawParameter> initial_values;
  // With ZeRO or a split model: each rank writes what is its own of a
  // checkpoint, and reads it. All see the same output_dir.
  bool sharded_checkpoints = false;
  bool bf16_gradients = false;  // on their way
  // What the progress line holds the speed against.
  StepMonitor::Options monitor;
  // Measures the machine's peak again, now and then, and returns the best of
  // all times; null: monitor's is stated.
  std::function<double()> measure_peak;
  // A trace of some steps is written there, where it is not empty.
  std::string profile;
  ProfileSteps profile_steps;
  // Where the model is split over ranks, or null.
  ModelAxis* model_axis = nullptr;
};

// Sets the threads and makes ATen's operations give the same bits each time.
// Returns the number of threads.
int UseThreads(int threads);

// Puts a checkpoint's parameters (not the optimizer's state) into the model.
// Throws a MismatchError naming a parameter that is missing, or of another
// shape, or that the model lacks. averaged: the moving averages, where the
// checkpoint has any.
void LoadParameters(const Checkpoint& checkpoint, bool averaged,
                    ParamStore* params);

// Trains a model: one object a run. A run that was stopped at any moment and
// goes on from its last checkpoint has the same weights in the end, bit for
// bit, as one that was not stopped (with the same number of threads): all that
// is random in a step is a function of (seed, step).
//
// With several ranks each has a Trainer, and all of them the same weights after
// each step.
class Trainer {
 public:
  // input: a fresh pipeline of the training data, with the seed given.
  using InputFactory =
      std::function<std::unique_ptr<InputPipeline>(uint64_t seed)>;

  Trainer(Model* model, TrainerOptions options, InputFactory input);
  ~Trainer();

  // Goes on from the newest good checkpoint in output_dir, or starts anew.
  // Returns the step.
  int64_t Restore();

  // Trains up to train_steps, or until a stop is asked for (then saves, and
  // throws Error with kPreempted or kInterrupted) or after_save, called on all
  // ranks after each checkpoint with its step, returns false on rank 0. It may
  // Evaluate(); a stop that this throws is dealt with. Checkpoints are written
  // in the background: after_save must not look at the file before
  // WaitForCheckpoint(). When Train() is over they are all on the disk. Throws
  // kDiverged where the loss or the gradients are not finite; checkpoints stay
  // as they are.
  void Train(const std::function<bool(int64_t step)>& after_save = nullptr);

  // Until the newest checkpoint is on the disk; throws where it can't be
  // written.
  void WaitForCheckpoint();

  // Between steps, on all ranks: the mean metrics over at most max_batches
  // batches, which the ranks share, with the moving averages in the model's
  // place, where there are any. See EvaluateModel().
  std::map<std::string, double> Evaluate(
      InputPipeline* input, const std::vector<std::string>& metric_names,
      int64_t max_batches);

  // Runs body with the averages there. (With ZeRO stage 3 a rank has its own
  // runs of the parameters alone.)
  void WithAverages(const std::function<void()>& body);

  int64_t step() const { return step_; }
  // Since Restore().
  int64_t steps_done() const { return step_ - restored_step_; }
  // The batches of a step.
  int64_t virtual_ranks() const {
    return sharded_ == nullptr ? 1 : sharded_->virtual_ranks();
  }
  // Bytes of the optimizer's state that this rank holds.
  int64_t optimizer_bytes() const {
    return shared_ != nullptr ? shared_->StateBytes()
                              : optimizer_->StateBytes();
  }
  // Bytes of parameters that this rank keeps between steps, and of those that
  // it has had at most during one.
  int64_t parameter_bytes() const;
  int64_t peak_parameter_bytes() const;
  // Anything that is to be kept with the checkpoints.
  Json& extra() { return extra_; }

 private:
  struct StepResult {
    double loss = 0;
    double learning_rate = 0;
    double gradient_norm = 0;
    int64_t tokens = 0;
    ShardedStep::Signals signals{};  // of all ranks
    StepMonitor::Step measured{};
  };

  bool WritesShards() const {
    return options_.sharded_checkpoints &&
           (shared_ != nullptr || options_.model_axis != nullptr);
  }
  // Which of the ranks that write shards this one is, or -1, and their number.
  std::pair<int64_t, int64_t> ShardOfShards() const;
  // Agrees on the shards' names; throws where a rank sees another folder.
  void PrepareShards();
  CheckpointWriter::Shard OwnShard() const;
  using PieceMap = std::map<std::string, CheckpointPiece>;
  // Of what ZeRO spreads this rank's shares, by a checkpoint's names.
  PieceMap SharedPieces() const;
  // A part of a split model, or a whole tensor.
  CheckpointPiece PieceOf(const std::string& name,
                          const at::Tensor& tensor) const;
  bool IsSplit(const std::string& name) const {
    return options_.model_axis != nullptr &&
           options_.model_axis->PieceOf(name).has_value();
  }
  // ZeRO's parts.
  void MakeShared(const std::vector<NamedTensor>& parameters);
  // The ranks that hold the same parameters: ZeRO spreads over these what it
  // spreads.
  ProcessGroup* DataGroup() const {
    return options_.model_axis != nullptr ? options_.model_axis->data()
                                          : options_.group;
  }
  // Gives the other ranks of rank 0's model their parts of what it has of a
  // checkpoint.
  void ShareParts();
  // Stage 3: memory for all parameters on the group's first rank, and, where
  // they are wanted, their initial values.
  void MakeWhole(bool values);
  ShardedParameters::Draw InitialValues() const;
  bool IsFirst() const {
    return options_.group == nullptr || options_.group->rank() == 0;
  }
  // Restore(), out of the output_dir or from rank 0.
  void RestoreFromFolder();
  // Throws where the checkpoint is not of this run, or not of this model.
  void CheckFits(const Checkpoint& checkpoint) const;
  void RestoreFromFirst();
  // Reads what is this rank's own out of the checkpoint's files, and on rank 0
  // what is not shared out. Returns the averages that are not there.
  std::vector<std::string> ReadOwn(const Json& checkpoint) const;
  void MakeShardedStep();
  StepResult TrainStep(bool save_due);
  StepResult TrainShardedStep(bool save_due);
  // Everything that is the same on all ranks (that have the same parts of the
  // model), in one order, by a checkpoint's names. Not parameters that are
  // shared out.
  std::vector<std::pair<std::string, at::Tensor>> AllState() const;
  // Rank 0's, of a checkpoint that has whole tensors.
  void TakeWhole(Checkpoint* checkpoint, bool weights_alone);
  // Keeps a checkpoint's whole tensors and leaves this rank's parts in it.
  void TakeParts(Checkpoint* checkpoint);
  // Whether all ranks' weights are still the same; where they are not, they
  // become rank 0's, or with deterministic an error.
  void CompareRanks();
  void CompareRanks(ProcessGroup* group,
                    const std::vector<at::Tensor>& tensors) const;
  EvaluationRanks Together() const;
  // Rank 0's answer, once it has one.
  bool GoOn(bool go_on, int* stop);
  // The whole state on rank 0; to be called on all ranks.
  void GatherShared();
  // Rank 0 writes; the other ranks of a split model give it their parts, or
  // write their own.
  void Save();
  // Remembers the checkpoint about to be written as one to keep where it is
  // time for one.
  void KeepForGood();
  [[noreturn]] void ThrowDiverged(const std::string& what);

  Model* const model_;
  TrainerOptions options_;
  const InputFactory make_input_;
  std::unique_ptr<InputPipeline> input_;
  std::vector<at::Tensor> trainable_;
  // Either these, or with ZeRO what all ranks share.
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<MovingAverage> average_;
  std::shared_ptr<const Partition> owners_;
  std::unique_ptr<ShardedParameters> parameters_;  // stage 3
  std::unique_ptr<ShardedOptimizer> shared_;
  // The first rank's of shared_ (of each, where the model is split): what a
  // checkpoint had, until it is shared, or is to have.
  std::optional<std::map<std::string, at::Tensor>> whole_state_;
  std::map<std::string, at::Tensor> whole_averages_;
  // Rank 0's: the checkpoint that all are to read instead, or null.
  Json to_read_;
  std::string shard_token_;
  Optimizer::TotalSquares total_squares_;  // empty: the model is whole here
  std::unique_ptr<ShardedStep> sharded_;   // null: one batch a step
  int64_t saved_virtual_ranks_ = 0;
  int64_t step_ = 0;
  int64_t restored_step_ = 0;
  int64_t saved_step_ = -1;          // or handed to the writer
  std::vector<int64_t> kept_steps_;  // that stay for good
  double kept_ago_ = 0;              // seconds of training since the last
  double kept_clock_ = 0;            // when they were last counted
  std::unique_ptr<CheckpointWriter> writer_;  // while training
  Json extra_ = Json::Object();
  // Rank 0's, where the model is split: as restored, until it is shared.
  Checkpoint whole_;
};

}  // namespace t2t

#endif  // T2T_TRAIN_TRAINER_H_
