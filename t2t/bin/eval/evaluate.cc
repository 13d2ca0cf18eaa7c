#include "t2t/bin/eval/evaluate.h"

#include <unistd.h>

#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/base/log.h"
#include "t2t/base/plural.h"
#include "t2t/base/stop.h"
#include "t2t/checkpoint/checkpoint.h"
#include "t2t/decode/load_model.h"
#include "t2t/formats/events.h"
#include "t2t/input/input.h"
#include "t2t/train/chunks.h"
#include "t2t/train/evaluate_model.h"
#include "t2t/train/evaluation.h"
#include "t2t/train/input_options.h"
#include "t2t/train/trainer.h"

namespace t2t {
namespace {

std::string EventFolder(const WeightsOptions& weights) {
  std::string folder = ExpandUser(weights.model_dir);
  if (folder.empty()) {
    folder = ExpandUser(weights.checkpoint_path);
    if (!IsDirectory(folder)) folder = DirName(folder);
  }
  return JoinPath(folder, "eval");
}

void Print(int64_t step, const std::map<std::string, double>& results,
           bool as_json) {
  if (as_json) {
    Json json = Json::Object();
    json.Set("step", step);
    for (const auto& [name, value] : results) json.Set(name, value);
    std::printf("%s\n", json.ToString().c_str());
  } else {
    std::printf("step = %lld\n", static_cast<long long>(step));
    for (const auto& [name, value] : results) {
      std::printf("%s = %.6f\n", name.c_str(), value);
    }
  }
  std::fflush(stdout);
}

// Evaluates the newest checkpoint (or the one named); returns its step.
int64_t EvaluateOnce(const EvalFlags& flags,
                     std::unique_ptr<EventWriter>* events) {
  const double start = NowSeconds();
  const LoadedModel loaded = LoadModel(flags.load);
  const std::unique_ptr<InputPipeline> input =
      InChunks(MakeInputPipeline(MakeInputOptions(
                   *loaded.problem, loaded.model->info(),
                   loaded.model->hparams(), loaded.data_dir,
                   flags.eval_use_test_set ? DataSplit::kTest : DataSplit::kDev,
                   Mode::kEval, static_cast<uint64_t>(flags.random_seed),
                   /*t2t_batching=*/false)),
               loaded.model->hparams());
  loaded.model->set_step(loaded.weights.step);
  const std::map<std::string, double> results =
      EvaluateModel(loaded.model.get(), input.get(),
                    EvaluatedMetrics(*loaded.problem), flags.eval_steps);
  LogEvaluation(loaded.weights.step, results, NowSeconds() - start);
  Print(loaded.weights.step, results, flags.json);
  WriteEvaluationIfPossible(loaded.problem_name, loaded.weights.step, results,
                            EventFolder(flags.load.weights), events);
  return loaded.weights.step;
}

}  // namespace

void EvaluateAsAsked(const EvalFlags& flags) {
  UseThreads(static_cast<int>(flags.threads));
  std::unique_ptr<EventWriter> events;
  int64_t evaluated = -1;
  if (flags.eval_timeout_mins == 0) {
    EvaluateOnce(flags, &events);
    return;
  }
  const std::string folder = ExpandUser(flags.load.weights.model_dir);
  double waiting_since = NowSeconds();
  while (true) {
    const std::vector<int64_t> steps = ListCheckpoints(folder);
    if (!steps.empty() && steps.back() > evaluated) {
      EvaluateOnce(flags, &events);
      evaluated = steps.back();
      waiting_since = NowSeconds();
      continue;
    }
    ThrowIfStopped(" while waiting for a checkpoint");
    if (flags.eval_timeout_mins > 0 &&
        NowSeconds() - waiting_since >
            60.0 * static_cast<double>(flags.eval_timeout_mins)) {
      Log("no new checkpoint for " + Count(flags.eval_timeout_mins, "minute"));
      return;
    }
    ::usleep(500'000);
  }
}

}  // namespace t2t
