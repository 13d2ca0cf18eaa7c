#include "t2t/train/run_config.h"

#include <utility>

#include "hparams/model_fit.h"
#include "hparams/model_names.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/distributed/mesh.h"
#include "t2t/hparams/key_rules.h"
#include "t2t/optim/learning_rate.h"
#include "t2t/optim/optimizer_names.h"
#include "t2t/problem/expected_info.h"
#include "t2t/train/t2t_names.h"

namespace t2t {
namespace {

void Require(const std::string& value, const std::string& flag) {
  if (value.empty()) {
    throw UsageError("--" + flag + " is missing", "",
                     "give --" + flag + "=...; --help shows an example");
  }
}

void CheckZeroFlags(const RunConfig& config) {
  const ExperimentFlags& flags = config.flags;
  if (flags.sharded_checkpoints && flags.zero_stage == 0 && config.Trains() &&
      Mesh::Parse(flags.mesh_shape, config.cluster.world_size)
              .Size(Mesh::kModel) == 1) {
    throw UsageError("--sharded_checkpoints without --zero_stage",
                     "ranks that have something of their own to write",
                     "add --zero_stage=1, 2 or 3, or the axis model to "
                     "--mesh_shape, or leave it out");
  }
  if (flags.gradient_compression == "bf16" && flags.deterministic) {
    throw UsageError(
        "--gradient_compression=bf16 with --deterministic",
        "one of them: what is rounded depends on the number of ranks");
  }
}

void CheckFlags(const RunConfig& config) {
  const ExperimentFlags& flags = config.flags;
  if (flags.measure && !flags.dry_run) {
    throw UsageError("--measure without --dry_run",
                     "a dry run, which it makes run one step",
                     "add --dry_run, or leave it out");
  }
  if (flags.measure && flags.json) {
    throw UsageError("--measure with --json",
                     "one of them: --json counts a full batch of itself",
                     "leave --measure out");
  }
  Require(flags.problem, "problem");
  Require(flags.model, "model");
  Require(flags.hparams_set, "hparams_set");
  if (!flags.json) Require(flags.data_dir, "data_dir");
  if (!flags.dry_run) Require(flags.output_dir, "output_dir");
  if (flags.keep_best && (flags.schedule == "train" ||
                          EndsWith(flags.schedule, "_on_train_data"))) {
    throw UsageError("--keep_best with --schedule=" + flags.schedule,
                     "a schedule that evaluates on the dev or test split",
                     "use --schedule=train_and_evaluate");
  }
  CheckZeroFlags(config);
  if (config.Trains()) {
    Layout::Parse(flags.layout,
                  Mesh::Parse(flags.mesh_shape, config.cluster.world_size));
  }
}

}  // namespace

bool RunConfig::Trains() const {
  return flags.schedule == "train" || Evaluates();
}

bool RunConfig::Evaluates() const {
  return flags.schedule == "train_and_evaluate" ||
         flags.schedule == "continuous_train_and_eval" ||
         flags.schedule == "test";
}

DataSplit RunConfig::dev_split() const {
  return flags.eval_use_test_set ? DataSplit::kTest : DataSplit::kDev;
}

HParams RunConfig::SetHParams() const {
  HParams hparams = HParamsSets().Get(flags.hparams_set)();
  problem->AdjustHParams(&hparams);
  return hparams;
}

RunConfig MakeRunConfig(const ExperimentFlags& flags, const Cluster& cluster,
                        const std::string& flags_text) {
  RunConfig config{flags, cluster, flags_text, nullptr};
  ExperimentFlags& expanded = config.flags;
  for (std::string* path :
       {&expanded.data_dir, &expanded.output_dir, &expanded.tmp_dir}) {
    *path = ExpandUser(*path);
  }
  flags.t2t_names.Check(cluster, CurrentEnvironment().count("TF_CONFIG") > 0);
  expanded.hparams = WithoutShardingHParams(flags.hparams);
  expanded.schedule = ScheduleHere(flags.schedule, cluster);
  if (cluster.role == Cluster::Role::kEvaluator) {
    Log("the evaluator by TF_CONFIG: --schedule=continuous_eval");
    expanded.schedule = "continuous_eval";
  }
  if (expanded.schedule == "test") {
    expanded.train_steps = 1;
    expanded.eval_steps = 1;
  }
  CheckFlags(config);
  config.problem = MakeProblem(expanded.problem);
  CheckModelName(expanded.model);
  CheckModelFits(expanded.model, *config.problem);
  HParams hparams = config.SetHParams();
  hparams.Parse(expanded.hparams);
  CheckHParams(hparams);
  CheckOptimizerName(hparams.GetString("optimizer"));
  LearningRate(hparams, 0, expanded.train_steps);
  return config;
}

void CheckData(const RunConfig& config) {
  const ExperimentFlags& flags = config.flags;
  if (flags.json) {
    ExpectInfo(*config.problem, flags.data_dir);
    return;
  }
  config.problem->Info(flags.data_dir);
  if (config.Evaluates() || flags.dry_run) {
    config.problem->DataFiles(flags.data_dir, config.dev_split());
  }
  // (A run that is complete needs no training data.)
  if (!IsDirectory(flags.data_dir)) {
    config.problem->DataFiles(flags.data_dir, DataSplit::kTrain);
  }
}

}  // namespace t2t
