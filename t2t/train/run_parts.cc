#include "t2t/train/run_parts.h"

#include <algorithm>
#include <thread>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/hparams/without_effect.h"
#include "t2t/ops/tensor_memory.h"
#include "t2t/optim/learning_rate.h"
#include "t2t/optim/optimizer.h"
#include "t2t/problem/datagen.h"
#include "t2t/problem/expected_info.h"
#include "t2t/train/chunks.h"
#include "t2t/train/evaluation.h"
#include "t2t/train/input_options.h"
#include "t2t/train/run_hparams.h"
#include "t2t/train/t2t_names.h"
#include "t2t/train/trainer.h"

namespace t2t {

RunParts::RunParts(const RunConfig& run_config, ProcessGroup* ranks,
                   bool is_over)
    : config(run_config), flags(run_config.flags), group(ranks), over(is_over) {
  if (flags.generate_data && !flags.dry_run) {
    if (IsFirst()) GenerateData();
    if (group != nullptr) {
      group->Barrier("generating the data", ProcessGroup::Limit::kNone);
    }
  }
  ShareHParams();
  // What a saved run says may be wrong, too; before anything is read.
  LearningRate(hparams, 0, flags.train_steps);
  MakeOptimizer(hparams, {});
  info = flags.json ? ExpectInfo(*config.problem, flags.data_dir).info
                    : config.problem->Info(flags.data_dir);
  if (IsFirst()) {
    NoteWithoutEffect();
    // What one decodes with: --decode_hparams=multiproblem_task_id.
    for (const TaskInfo& task : info.tasks) {
      Log("task " + task.member + " has id " + std::to_string(task.id));
    }
  }
  identity =
      MakeRunIdentity(flags.problem, flags.model, flags.hparams_set, info);
  int64_t threads = flags.threads;
  if (threads == 0) threads = flags.intra_op_parallelism_threads;
  if (threads == 0) threads = DefaultThreads();
  UseThreads(static_cast<int>(threads));
  metrics = EvaluatedMetrics(*config.problem);
  if (flags.keep_best) FindMetric("keep_best_metric", flags.keep_best_metric);
  if (config.Trains() && !flags.dry_run && !over) {
    const MeshFlags asked =
        MeshOfHParams(flags.mesh_shape, flags.layout, hparams,
                      group == nullptr ? 1 : group->size());
    if (!asked.note.empty() && IsFirst()) Log("note: " + asked.note);
    mesh = TensorParallelMesh::Make(asked.shape, asked.layout, group);
  }
  MakeOwnModel();
}

void RunParts::GenerateData() const {
  GenerateOptions options;
  options.data_dir = flags.data_dir;
  options.tmp_dir = flags.tmp_dir;
  options.threads = 0;
  options.train_src = flags.train_src;
  options.train_tgt = flags.train_tgt;
  options.dev_src = flags.dev_src;
  options.dev_tgt = flags.dev_tgt;
  MakeDirectories(options.data_dir);
  MakeDirectories(options.tmp_dir);
  Log("generating " + flags.problem);
  ::t2t::GenerateData(*config.problem, options);
}

// Rank 0's, for all: the others may not see the output_dir.
void RunParts::ShareHParams() {
  hparams = IsFirst() ? RunHParams(config) : config.SetHParams();
  if (group == nullptr) return;
  const Json shared = Json::Parse(
      group->BroadcastText(hparams.ToJson(), "sharing the hparams"));
  if (!IsFirst()) hparams.MergeJson(shared);
}

// Hparams of the command line that do nothing.
void RunParts::NoteWithoutEffect() const {
  const auto targets = info.features.find("targets");
  const HParamsUse use = {
      flags.model,
      targets == info.features.end() ? "" : targets->second.modality,
      config.problem->mixture &&
          config.problem->mixture->kind == Mixture::Kind::kTasks};
  for (const std::string& note : NotesOnHParams(hparams, flags.hparams, use)) {
    Log("note: " + note);
  }
}

// 0: all cores. The last bits depend on the number of threads, so what is to
// be the same anywhere takes one.
int64_t RunParts::DefaultThreads() const {
  if (flags.deterministic) return 1;
  if (config.cluster.local_size <= 1) return 0;
  return std::max<int64_t>(
      1, std::thread::hardware_concurrency() / config.cluster.local_size);
}

// This rank's shard, where tensor parallelism splits the model.
void RunParts::MakeOwnModel() {
  ParamOptions params(static_cast<uint64_t>(flags.random_seed));
  if (mesh != nullptr) params.tensor_parallel = mesh->group();
  const ProcessGroup* const data = mesh != nullptr ? mesh->data() : group;
  // A dry run asks for shapes alone: no values are drawn, and the memory, which
  // optimizers look at, is never touched. In ZeRO's stage 3 no rank ever has
  // all parameters.
  const bool shapes_alone = flags.dry_run && !flags.measure;
  const bool fully_sharded = flags.zero_stage == 3 && data != nullptr &&
                             data->size() > 1 && config.Trains() &&
                             !flags.dry_run;
  params.meta = shapes_alone || fully_sharded;
  model = Models().Get(flags.model)(hparams, info, params);
  initial_values = model->params().draws();
  if (!shapes_alone) return;
  for (const at::Tensor& tensor : model->params().Trainable()) {
    RestoreMemory(tensor);
  }
}

bool RunParts::FromFirst(const std::function<bool()>& body) const {
  const bool found = IsFirst() && body();
  if (group == nullptr) return found;
  constexpr char kWhat[] = "rank 0's decision";
  group->Barrier(kWhat, ProcessGroup::Limit::kNone);
  return !group->BroadcastText(found ? "yes" : "", kWhat).empty();
}

std::unique_ptr<InputPipeline> RunParts::Input(DataSplit split, Mode mode,
                                               uint64_t seed) const {
  return Input(*config.problem, split, mode, seed);
}

std::unique_ptr<InputPipeline> RunParts::Input(const Problem& problem,
                                               DataSplit split, Mode mode,
                                               uint64_t seed) const {
  return InChunks(MakeInputPipeline(
                      MakeInputOptions(problem, info, hparams, flags.data_dir,
                                       split, mode, seed, flags.t2t_batching)),
                  hparams);
}

std::string RunParts::FindMetric(const std::string& flag,
                                 const std::string& tag) const {
  std::vector<std::string> names = metrics;
  names.push_back("loss");
  const std::string wanted = tag.substr(tag.rfind('/') + 1);
  if (std::find(names.begin(), names.end(), wanted) != names.end()) {
    return wanted;
  }
  throw UsageError(
      "--" + flag + "=" + tag + " is no metric of " + flags.problem,
      DidYouMean(wanted, names), "one of " + Join(names, ", "));
}

}  // namespace t2t
