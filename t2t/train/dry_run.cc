#include "t2t/train/dry_run.h"

#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/json.h"
#include "t2t/base/progress.h"
#include "t2t/base/strings.h"
#include "t2t/checkpoint/checkpoint.h"
#include "t2t/optim/learning_rate.h"
#include "t2t/train/cost.h"
#include "t2t/train/dry_run_json.h"
#include "t2t/train/trainer.h"

namespace t2t {
namespace {

std::string Megabytes(int64_t bytes) {
  return GroupedText((bytes + 500'000) / 1'000'000) + " MB";
}

// The checkpoint that a run would go on from: its step, where there is one.
std::optional<int64_t> CheckCheckpoint(const RunParts& run) {
  const std::string& output_dir = run.flags.output_dir;
  if (output_dir.empty()) return std::nullopt;
  const std::optional<Checkpoint> checkpoint = LoadLatestCheckpoint(output_dir);
  if (!checkpoint) return std::nullopt;
  const RunIdentity saved =
      WithFlagsText(IdentityIn(checkpoint->meta), output_dir);
  CheckSameRun(saved, run.identity, output_dir);
  CheckVocabularies(saved, run.identity, checkpoint->path);
  LoadParameters(*checkpoint, /*averaged=*/false, &run.model->params());
  return checkpoint->step;
}

void PrintJson(const RunParts& run) {
  const std::optional<int64_t> step = CheckCheckpoint(run);
  Json json = DryRunJson(run);
  json.Set("checkpoint_step", step ? Json(*step) : Json());
  std::printf("%s\n", json.ToString(2).c_str());
}

void PrintProblem(const RunParts& run) {
  std::printf("problem:          %s\n", run.flags.problem.c_str());
  for (const auto& [name, feature] : run.info.features) {
    std::printf("  %-15s %s, vocabulary of %s\n", (name + ":").c_str(),
                feature.modality.c_str(),
                GroupedText(feature.vocab_size).c_str());
  }
}

void PrintBatch(const Batch& batch) {
  std::printf("first batch:\n");
  for (const auto& [name, tensor] : batch) {
    std::vector<std::string> sizes;
    for (const int64_t size : tensor.shape()) {
      sizes.push_back(std::to_string(size));
    }
    std::printf("  %-15s [%s]\n", (name + ":").c_str(),
                Join(sizes, ", ").c_str());
  }
}

}  // namespace

void DryRun(const RunParts& run) {
  const ExperimentFlags& flags = run.flags;
  if (flags.json) {
    PrintJson(run);
    return;
  }
  const std::unique_ptr<InputPipeline> input =
      run.Input(DataSplit::kTrain, Mode::kTrain,
                static_cast<uint64_t>(flags.random_seed));
  const std::optional<Batch> batch = input->Next();
  if (!batch) throw DataError("the training data is empty");
  run.config.problem->DataFiles(flags.data_dir, run.config.dev_split());
  if (const std::optional<int64_t> step = CheckCheckpoint(run)) {
    std::printf("checkpoint:       step %s, fits\n",
                GroupedText(*step).c_str());
  }
  const int64_t trainable = run.model->params().NumParameters();
  std::vector<NamedTensor> parameters;
  int64_t weight_bytes = 0;
  for (const ParamStore::Entry& entry : run.model->params().entries()) {
    weight_bytes += static_cast<int64_t>(entry.tensor.nbytes());
    if (entry.trainable) parameters.push_back({entry.name, entry.tensor});
  }
  const int64_t state_bytes = OptimizerBytes(run.hparams, parameters) +
                              (flags.ema_decay > 0 ? weight_bytes : 0);
  std::optional<StepCost> cost;
  if (flags.measure) cost = MeasureStep(run.model.get(), ToFeatures(*batch));
  const int64_t activation_bytes = cost ? cost->activation_bytes : 0;
  PrintProblem(run);
  std::printf("model:            %s (%s)\n", flags.model.c_str(),
              flags.hparams_set.c_str());
  std::printf("optimizer:        %s\n",
              run.hparams.GetString("optimizer").c_str());
  std::printf("parameters:       %s\n", GroupedText(trainable).c_str());
  std::printf(
      "memory:           %s (weights %s, gradients %s, optimizer %s, "
      "activations of this batch %s)\n",
      Megabytes(2 * weight_bytes + state_bytes + activation_bytes).c_str(),
      Megabytes(weight_bytes).c_str(), Megabytes(weight_bytes).c_str(),
      Megabytes(state_bytes).c_str(),
      cost ? Megabytes(activation_bytes).c_str()
           : "come on top: see --measure");
  if (cost) {
    std::printf("FLOPs per step:   %.3g (matrix products of this batch)\n",
                cost->flops);
  } else {
    std::printf("FLOPs per step:   not counted: see --measure\n");
  }
  PrintBatch(*batch);
  for (const int64_t step :
       {int64_t{0}, flags.train_steps / 2, flags.train_steps - 1}) {
    std::printf("learning rate:    %.3g at step %s\n",
                LearningRate(run.hparams, step, flags.train_steps),
                GroupedText(step).c_str());
  }
  std::printf("all of it fits together; nothing was trained or written\n");
}

}  // namespace t2t
