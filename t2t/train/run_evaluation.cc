#include "t2t/train/run_evaluation.h"

#include <unistd.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/stop.h"
#include "t2t/base/strings.h"
#include "t2t/checkpoint/checkpoint.h"
#include "t2t/train/eval_metrics.h"
#include "t2t/train/evaluation.h"
#include "t2t/train/trainer.h"

namespace t2t {

RunEvaluation::RunEvaluation(const RunParts* run, int64_t eval_steps)
    : run_(*run), eval_steps_(eval_steps) {
  if (!run_.flags.keep_best || !run_.IsFirst()) return;
  best_metric_ =
      run_.FindMetric("keep_best_metric", run_.flags.keep_best_metric);
  best_ = std::make_unique<BestCheckpoint>(run_.flags.output_dir, best_metric_,
                                           LowerIsBetter(best_metric_));
}

std::map<std::string, double> RunEvaluation::Evaluate(DataSplit split,
                                                      const std::string& folder,
                                                      int64_t step,
                                                      Trainer* trainer) {
  const double start = NowSeconds();
  const std::unique_ptr<InputPipeline> input = run_.Input(
      split, Mode::kEval, static_cast<uint64_t>(run_.flags.random_seed));
  run_.model->set_step(step);
  const std::map<std::string, double> results =
      trainer != nullptr
          ? trainer->Evaluate(input.get(), run_.metrics, eval_steps_)
          : EvaluateModel(run_.model.get(), input.get(), run_.metrics,
                          eval_steps_);
  if (!run_.IsFirst()) return results;
  LogEvaluation(step, results, NowSeconds() - start);
  const std::string events_dir = JoinPath(run_.flags.output_dir, folder);
  std::unique_ptr<EventWriter>& events = events_[folder];
  if (trainer == nullptr) {
    WriteEvaluationIfPossible(run_.flags.problem, step, results, events_dir,
                              &events);
  } else if (trainer->steps_done() > 0 || !HasEventsAt(events_dir, step)) {
    if (events == nullptr) {
      // Of the steps that this run does, there may be some of one before.
      const int64_t first = trainer->step() - trainer->steps_done() + 1;
      events = std::make_unique<EventWriter>(events_dir, std::min(step, first));
    }
    WriteEvaluation(run_.flags.problem, step, results, events.get());
  }
  // It is kept as a second name of the file.
  if (best_ != nullptr && trainer != nullptr) trainer->WaitForCheckpoint();
  if (best_ != nullptr && folder == "eval" &&
      best_->Offer(step, results.at(best_metric_))) {
    Log("kept as the best so far: " + best_metric_ + " " +
        Format("%.4f", best_->value()));
  }
  return results;
}

void RunEvaluation::EvaluateNewest(DataSplit split, const std::string& folder) {
  const std::optional<Checkpoint> checkpoint =
      LoadLatestCheckpoint(run_.flags.output_dir);
  if (!checkpoint) {
    throw MissingError("there is no checkpoint in " + run_.flags.output_dir, "",
                       "train first: --schedule=train");
  }
  const RunIdentity saved =
      WithFlagsText(IdentityIn(checkpoint->meta), run_.flags.output_dir);
  CheckVocabularies(saved, run_.identity, checkpoint->path);
  const std::string changed = ChangedNames(saved, run_.identity);
  if (!changed.empty()) {
    Warn(checkpoint->path + " was trained otherwise: " + changed);
  }
  LoadParameters(*checkpoint, /*averaged=*/true, &run_.model->params());
  Evaluate(split, folder, checkpoint->step);
}

void RunEvaluation::EvaluateContinuously(DataSplit split,
                                         const std::string& folder) {
  int64_t evaluated = 0;
  double waiting_since = NowSeconds();
  while (evaluated < run_.flags.train_steps) {
    const std::vector<int64_t> steps = ListCheckpoints(run_.flags.output_dir);
    if (!steps.empty() && steps.back() > evaluated) {
      evaluated = steps.back();
      EvaluateNewest(split, folder);
      waiting_since = NowSeconds();
      continue;
    }
    ThrowIfStopped(" while waiting for a checkpoint");
    if (run_.flags.eval_timeout_mins >= 0 &&
        NowSeconds() - waiting_since >
            60.0 * static_cast<double>(run_.flags.eval_timeout_mins)) {
      Log("no new checkpoint for " +
          std::to_string(run_.flags.eval_timeout_mins) + " minutes");
      return;
    }
    ::usleep(500'000);
  }
}

}  // namespace t2t
