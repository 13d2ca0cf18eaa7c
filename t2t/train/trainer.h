#ifndef T2T_TRAIN_TRAINER_H_
#define T2T_TRAIN_TRAINER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "t2t/checkpoint/load.h"
#include "t2t/formats/image.h"
#include "t2t/input/input.h"
#include "t2t/model/model.h"
#include "t2t/ops/threads.h"
#include "t2t/train/evaluate_model.h"
#include "t2t/train/gradient_step.h"
#include "t2t/train/run_checkpoints.h"
#include "t2t/train/state.h"
#include "t2t/train/train_report.h"
#include "t2t/train/trainer_options.h"

namespace t2t {

// Trains a model: one object a run. A run that was stopped at any moment and
// goes on from its last checkpoint has the same weights in the end, bit for
// bit, as one that was not stopped (with the same number of threads): all that
// is random in a step is a function of (seed, step).
//
// One process is a job of one rank. With several ranks each has a Trainer, and
// all of them the same weights after each step.
class Trainer {
 public:
  // input: a fresh pipeline of the training data, with the seed given.
  using InputFactory =
      std::function<std::unique_ptr<InputPipeline>(uint64_t seed)>;
  // Called on all ranks after each checkpoint with its step; false on rank 0
  // ends the training. It may Evaluate(). The checkpoint is still being
  // written: the file is there after WaitForCheckpoint().
  using AfterSave = std::function<bool(int64_t step)>;

  Trainer(Model* model, TrainerOptions options, InputFactory input);
  ~Trainer();

  // Goes on from the newest good checkpoint in output_dir, or starts anew.
  // Returns the step.
  int64_t Restore();

  // Trains up to train_steps, or until after_save returns false, or until a
  // stop is asked for: then saves, and throws an Error with kPreempted or
  // kInterrupted. A stop that after_save throws is dealt with. Afterwards all
  // checkpoints are on the disk. Throws kDiverged where the loss or the
  // gradients are not finite; checkpoints stay as they are.
  void Train(const AfterSave& after_save = nullptr);

  // Until the newest checkpoint is on the disk; throws where it can't be
  // written.
  void WaitForCheckpoint();

  // Between steps, on all ranks: the mean metrics over at most max_batches
  // batches, which the ranks share, with the moving averages in the model's
  // place, where there are any. See EvaluateModel().
  std::map<std::string, double> Evaluate(
      InputPipeline* input, const std::vector<std::string>& metric_names,
      int64_t max_batches, std::vector<Image>* images = nullptr);

  // Runs body with the moving averages in the model's place. (With ZeRO stage 3
  // a rank has its own shard of the parameters alone.)
  void WithAverages(const std::function<void()>& body);

  int64_t step() const { return step_; }
  // Since Restore().
  int64_t steps_done() const { return step_ - restored_step_; }
  // The batches of a step.
  int64_t micro_batches() const { return gradients_->micro_batches(); }
  // Bytes of optimizer state that this rank holds; bytes of parameters that it
  // holds between steps, and at most during one.
  int64_t optimizer_bytes() const { return state_->OptimizerBytes(); }
  int64_t parameter_bytes() const { return state_->ParameterBytes(); }
  int64_t peak_parameter_bytes() const { return state_->PeakParameterBytes(); }
  // Anything that is to be kept with the checkpoints.
  Json& extra() { return checkpoints_->extra(); }

 private:
  using Signals = GradientStep::Signals;

  bool first() const { return IsFirst(options_.group); }
  void OpenInput(const std::optional<std::string>& saved);
  GradientStep::Options StepOptions(int64_t saved_micro_batches) const;
  // This rank's signals now.
  Signals OwnSignals() const;
  // One step. signals: those that all ranks agree on.
  StepResult Step(bool count_flops, Signals* signals);
  // Saves, and calls after_save. Returns whether to go on; throws where a stop
  // was asked for.
  bool SaveAndCall(const AfterSave& after_save, int stop, TrainReport* report);
  bool CallAfterSave(const AfterSave& after_save, int* stop) const;
  void Save();
  // Rank 0's answers, once it has them.
  bool Agree(bool go_on, int* stop) const;
  [[noreturn]] void ThrowDiverged(const std::string& what);

  Model* const model_;
  TrainerOptions options_;
  const InputFactory make_input_;
  std::unique_ptr<InputPipeline> input_;
  std::unique_ptr<TrainState> state_;
  std::unique_ptr<RunCheckpoints> checkpoints_;
  std::unique_ptr<GradientStep> gradients_;  // once restored
  int64_t step_ = 0;
  int64_t restored_step_ = 0;
  double last_save_ = 0;
};

}  // namespace t2t

#endif  // T2T_TRAIN_TRAINER_H_
