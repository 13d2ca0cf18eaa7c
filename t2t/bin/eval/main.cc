// t2t-eval: evaluates a trained model on a split of its problem.

#include <unistd.h>

#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/flags.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/base/log.h"
#include "t2t/base/plural.h"
#include "t2t/base/stop.h"
#include "t2t/base/strings.h"
#include "t2t/bin/common/names.h"
#include "t2t/bin/common/t2t_flags.h"
#include "t2t/bin/common/torch_names.h"
#include "t2t/checkpoint/checkpoint.h"
#include "t2t/decode/load_model.h"
#include "t2t/formats/events.h"
#include "t2t/input/input.h"
#include "t2t/train/chunks.h"
#include "t2t/train/evaluation.h"
#include "t2t/train/experiment.h"
#include "t2t/train/trainer.h"

namespace t2t {
namespace {

struct EvalFlags {
  LoadModelOptions load;
  int64_t eval_steps = 100;
  bool eval_use_test_set = false;
  int64_t eval_timeout_mins = 0;
  int64_t random_seed = 1234;
  int64_t threads = 0;
  bool json = false;

  void AddTo(Flags* flags);
  void Check() const;
};

void EvalFlags::AddTo(Flags* flags) {
  flags->Add("output_dir", &load.weights.model_dir,
             "Where t2t-trainer left the model; events go to its folder eval.");
  flags->Add("checkpoint_path", &load.weights.checkpoint_path,
             "A checkpoint (file, or model.ckpt-<step>) to take instead of "
             "the newest in output_dir.");
  flags->Add("avg_checkpoints", &load.weights.average,
             "Evaluate the mean of the last so many checkpoints.",
             Range::AtLeast(0));
  flags->Add("use_ema", &load.weights.use_ema,
             "Take the parameters' moving averages where the checkpoint has "
             "them.");
  flags->Add("data_dir", &load.data_dir, "Where vocabulary and data are.");
  flags->Add("problem", &load.problem, "Problem name.");
  flags->Add("model", &load.model, "Model name.");
  flags->Add("hparams_set", &load.hparams_set, "Hyperparameter set.");
  flags->Add("hparams", &load.hparams,
             "Changes of hyperparameters: name=value,name=value.",
             Flags::Kind::kSettings);
  flags->Add("eval_steps", &eval_steps,
             "Batches of an evaluation at most; 0: the whole split.",
             Range::AtLeast(0));
  flags->Add("eval_use_test_set", &eval_use_test_set,
             "Evaluate on the test split, not the development split.");
  flags->Add("eval_timeout_mins", &eval_timeout_mins,
             "Go on with each new checkpoint, until none has come for so "
             "long; -1: never end; 0: evaluate once.",
             Range::AtLeast(-1));
  flags->Add("random_seed", &random_seed, "The seed of everything random.",
             Range::AnyInt());
  flags->Add("threads", &threads, "CPU threads; 0: one a core.",
             Range::Threads());
  flags->Add("json", &json, "Print the results as JSON, one line each.");
  flags->AddAlias("problems", "problem");
  flags->AddAlias("intra_op_parallelism_threads", "threads");
  AddOtherT2TFlags(flags);
}

void EvalFlags::Check() const {
  if (load.weights.model_dir.empty() && load.weights.checkpoint_path.empty()) {
    throw UsageError("neither --output_dir nor --checkpoint_path is given",
                     "where the trained model is", "give --output_dir");
  }
  if (eval_timeout_mins != 0 && !load.weights.checkpoint_path.empty()) {
    throw UsageError("--eval_timeout_mins with --checkpoint_path",
                     "one of the two",
                     "name an --output_dir to wait for its checkpoints");
  }
}

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
  const std::map<std::string, double> results =
      EvaluateModel(loaded.model.get(), input.get(),
                    EvaluatedMetrics(*loaded.problem), flags.eval_steps);
  LogEvaluation(loaded.weights.step, results, NowSeconds() - start);
  Print(loaded.weights.step, results, flags.json);
  WriteEvaluationIfPossible(loaded.problem_name, loaded.weights.step, results,
                            EventFolder(flags.load.weights), events);
  return loaded.weights.step;
}

void Evaluate(const EvalFlags& flags) {
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

int Main(int argc, char** argv) {
  RegisterNames();
  RegisterTorchNames();
  EvalFlags flags;
  Flags parser("Evaluates a trained model on a split of its problem.",
               "t2t-eval --data_dir=data --output_dir=train --eval_steps=0 "
               "--eval_use_test_set");
  flags.AddTo(&parser);
  const std::vector<std::string> rest = parser.Parse(argc, argv);
  if (!rest.empty()) {
    throw UsageError("the argument '" + rest.front() + "' is no flag",
                     "--name=value", "--help lists the flags");
  }
  flags.Check();
  UseThreads(static_cast<int>(flags.threads));
  CatchStopSignals();
  Evaluate(flags);
  return 0;
}

}  // namespace
}  // namespace t2t

int main(int argc, char** argv) { return t2t::RunMain(argc, argv, t2t::Main); }
