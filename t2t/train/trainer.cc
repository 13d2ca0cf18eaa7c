#include "t2t/train/trainer.h"

#include <ATen/CPUGeneratorImpl.h>

#include <cmath>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/log.h"
#include "t2t/base/plural.h"
#include "t2t/base/rng.h"
#include "t2t/base/stop.h"
#include "t2t/base/strings.h"
#include "t2t/optim/learning_rate.h"
#include "t2t/train/flops.h"
#include "t2t/train/profiler.h"
#include "t2t/train/replicas.h"

namespace t2t {

Trainer::Trainer(Model* model, TrainerOptions options, InputFactory input)
    : model_(model),
      options_(std::move(options)),
      make_input_(std::move(input)) {
  // Says now what is wrong with the schedule.
  LearningRate(model->hparams(), 0, options_.train_steps);
  state_ = MakeTrainState(model, options_);
  checkpoints_ =
      std::make_unique<RunCheckpoints>(options_, model, state_.get());
}

Trainer::~Trainer() = default;

int64_t Trainer::Restore() {
  const RunPosition position = checkpoints_->Restore(options_.seed);
  options_.seed = position.seed;
  step_ = position.step;
  restored_step_ = step_;
  OpenInput(position.input);
  gradients_ = std::make_unique<GradientStep>(
      model_, options_.group, StepOptions(position.micro_batches));
  return step_;
}

void Trainer::OpenInput(const std::optional<std::string>& saved) {
  if (first()) {
    input_ = make_input_(options_.seed);
    if (saved) input_->Restore(*saved);
  }
  if (options_.group == nullptr) return;
  const std::string state = options_.group->BroadcastText(
      first() ? input_->State() : "", "sharing the checkpoint");
  if (first()) return;
  input_ = make_input_(options_.seed);
  input_->Restore(state);
}

GradientStep::Options Trainer::StepOptions(int64_t saved_micro_batches) const {
  const ProcessGroup* const replicas = state_->replicas();
  const int64_t ranks = replicas == nullptr ? 1 : replicas->size();
  int64_t batches = options_.micro_batches;
  if (batches == 0) batches = saved_micro_batches;
  if (batches == 0) batches = ranks;
  if (options_.micro_batches == 0 && batches < ranks &&
      !options_.deterministic) {
    if (first()) {
      Warn("the run took " + Count(batches, "batch") +
           " a step; with as many ranks it takes " + std::to_string(ranks));
    }
    batches = ranks;
  }
  GradientStep::Options step;
  step.micro_batches = batches;
  step.data_group = state_->replicas();
  step.counts = state_->counts();
  step.parameters = state_->sharded_parameters();
  step.sum.deterministic = options_.deterministic;
  step.sum.bucket_bytes = options_.bucket_bytes;
  step.sum.bf16 = options_.bf16_gradients;
  step.sum.owners = state_->owners();
  step.sum.release = options_.zero_stage > 1;
  step.sum.in_step = step.parameters != nullptr;
  return step;
}

Trainer::Signals Trainer::OwnSignals() const {
  const bool save =
      options_.save_seconds > 0 &&
      NowSeconds() - last_save_ >= static_cast<double>(options_.save_seconds);
  return {StopSignal(), save};
}

StepResult Trainer::Step(bool count_flops, Signals* signals) {
  std::optional<FlopCounter> counter;
  if (count_flops) counter.emplace();
  model_->set_step(step_);
  // The same on every rank, but for what a batch draws.
  const uint64_t seed =
      Rng::Combine(options_.seed, static_cast<uint64_t>(step_));
  at::manual_seed(seed);
  StepResult result;
  result.learning_rate =
      LearningRate(model_->hparams(), step_, options_.train_steps);
  state_->AddWeightNoise(result.learning_rate);
  const GradientStep::Result sums =
      gradients_->Run(input_.get(), seed, OwnSignals());
  result.loss = sums.loss;
  result.tokens = std::llround(sums.weight);
  result.measured = {
      sums.weight,     sums.exposed_seconds, sums.communication_seconds,
      sums.times,      sums.own_tokens,
      /*own_flops=*/0, sums.rank_seconds,    sums.rank_batches,
      sums.rank_tokens};
  if (!std::isfinite(result.loss)) {
    ThrowDiverged("the loss is " + DoubleToString(result.loss));
  }
  {
    const Phase phase("optimizer", &result.measured.times.optimizer);
    result.gradient_norm =
        state_->Update(sums.gradients, sums.used, result.learning_rate, step_);
  }
  if (!std::isfinite(result.gradient_norm)) {
    ThrowDiverged("the gradients' norm is " +
                  DoubleToString(result.gradient_norm));
  }
  if (counter) result.measured.own_flops = counter->flops();
  // One process knows its own best now.
  *signals = options_.group == nullptr ? OwnSignals() : sums.signals;
  ++step_;
  return result;
}

void Trainer::Train(const AfterSave& after_save) {
  const bool over = step_ >= options_.train_steps;
  checkpoints_->Mend(step_, over);
  if (over) {
    Log(options_.train_steps == 1
            ? "the one step is done already"
            : "all of the " + GroupedText(options_.train_steps) +
                  " steps are done already");
    return;
  }
  checkpoints_->Start();
  TrainReport report(options_, step_);
  NoteSavedStep(checkpoints_->saved_step());
  StepProfiler profiler(options_.profile, options_.profile_steps, step_);
  last_save_ = NowSeconds();
  while (step_ < options_.train_steps) {
    profiler.BeforeStep(step_);
    Signals signals;
    const StepResult result = Step(report.WantsFlops(), &signals);
    profiler.AfterStep(step_);
    report.Add(step_, result);
    checkpoints_->ThrowIfFailed();
    const bool due = options_.save_seconds > 0
                         ? signals.save
                         : step_ % options_.save_steps == 0;
    const bool last = step_ == options_.train_steps;
    if (!due && !last && signals.stop == 0) continue;
    if (!SaveAndCall(after_save, signals.stop, &report)) break;
  }
  WaitForCheckpoint();
}

bool Trainer::SaveAndCall(const AfterSave& after_save, int stop,
                          TrainReport* report) {
  const double before = NowSeconds();
  CompareReplicas(*state_, step_, options_.deterministic, first());
  Save();
  bool go_on = true;
  if (stop == 0 && after_save != nullptr) {
    if (first()) report->EndLine();
    go_on = CallAfterSave(after_save, &stop);
  }
  if (first() && stop == 0) stop = StopSignal();
  // The other ranks end when rank 0 has the last one on the disk.
  if (step_ == options_.train_steps || stop != 0) WaitForCheckpoint();
  go_on = Agree(go_on, &stop);
  if (stop != 0) {
    report->EndLine();
    RequestStop(stop);
    ThrowIfStopped(" after step " + std::to_string(step_) +
                   "; the checkpoint is written and was read back");
  }
  last_save_ = NowSeconds();
  report->Exclude(last_save_ - before);
  return go_on;
}

bool Trainer::CallAfterSave(const AfterSave& after_save, int* stop) const {
  try {
    return after_save(step_);
  } catch (const Error& error) {
    // All ranks stopped in it together.
    if (error.code() != ExitCode::kPreempted &&
        error.code() != ExitCode::kInterrupted) {
      throw;
    }
    *stop = StopSignal();
    return true;
  }
}

void Trainer::Save() {
  RunPosition position;
  position.step = step_;
  position.seed = options_.seed;
  // (A step of one batch can go on with any number of ranks.)
  position.micro_batches = gradients_->one_batch() ? 0 : micro_batches();
  position.input = input_->State();
  checkpoints_->Save(position);
}

void Trainer::WaitForCheckpoint() { checkpoints_->Wait(); }

bool Trainer::Agree(bool go_on, int* stop) const {
  if (options_.group == nullptr) return go_on;
  const at::Tensor answer = at::zeros(2, at::TensorOptions().dtype(at::kLong));
  answer[0] = go_on ? 1 : 0;
  answer[1] = *stop;
  options_.group->Wait(options_.group->StartBroadcast(answer),
                       "rank 0's evaluation", ProcessGroup::Limit::kNone);
  *stop = static_cast<int>(answer[1].item<int64_t>());
  return answer[0].item<int64_t>() != 0;
}

void Trainer::ThrowDiverged(const std::string& what) {
  WaitForCheckpoint();
  std::string kept = "no checkpoint was written yet";
  if (checkpoints_->saved_step() >= 0) {
    kept = "the last good checkpoint is " +
           CheckpointPath(options_.output_dir, checkpoints_->saved_step());
  }
  throw Error(ExitCode::kDiverged,
              what + " at step " + std::to_string(step_) + "; " + kept,
              "finite numbers",
              "lower the learning rate, warm up for longer or clip the "
              "gradients (--hparams=clip_grad_norm=1.0)");
}

void Trainer::WithAverages(const std::function<void()>& body) {
  state_->SwapAverages();
  // Where it throws, the run ends: other ranks may not be there to swap back.
  body();
  state_->SwapAverages();
}

std::map<std::string, double> Trainer::Evaluate(
    InputPipeline* input, const std::vector<std::string>& metric_names,
    int64_t max_batches, std::vector<Image>* images) {
  EvaluationRanks ranks;
  ranks.group = options_.group;
  ranks.parameters = state_->sharded_parameters();
  ranks.counts = state_->counts();
  if (const ProcessGroup* const replicas = state_->replicas()) {
    ranks.place = replicas->rank();
    ranks.places = replicas->size();
  }
  std::map<std::string, double> results;
  WithAverages([&] {
    results =
        EvaluateModel(model_, input, metric_names, max_batches, ranks, images);
  });
  return results;
}

}  // namespace t2t
