#include "t2t/train/dry_run_json.h"

#include <ATen/core/grad_mode.h>

#include <optional>
#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/optim/learning_rate.h"
#include "t2t/problem/expected_info.h"
#include "t2t/train/full_batch.h"

namespace t2t {
namespace {

bool HasData(const RunParts& run) {
  if (run.flags.data_dir.empty()) return false;
  try {
    run.config.problem->DataFiles(run.flags.data_dir, DataSplit::kTrain);
    return true;
  } catch (const Error& error) {
    if (error.code() != ExitCode::kMissing) throw;
    return false;
  }
}

Json Vocabularies(const ProblemInfo& info) {
  Json sizes = Json::Object();
  for (const auto& [name, feature] : info.features) {
    sizes.Set(name, feature.vocab_size);
  }
  return sizes;
}

Json Shape(const std::vector<int64_t>& sizes) {
  Json shape = Json::Array();
  for (const int64_t size : sizes) shape.Append(size);
  return shape;
}

Json FirstBatch(const RunParts& run) {
  const std::optional<Batch> batch =
      run.Input(DataSplit::kTrain, Mode::kTrain,
                static_cast<uint64_t>(run.flags.random_seed))
          ->Next();
  if (!batch) throw DataError("the training data is empty");
  Json shapes = Json::Object();
  for (const auto& [name, tensor] : *batch) {
    shapes.Set(name, Shape(tensor.shape()));
  }
  return shapes;
}

// Parameters, and the bytes of what is made of them.
void AddSizes(const RunParts& run, Json* out) {
  int64_t all = 0;
  int64_t weight_bytes = 0;
  int64_t gradient_bytes = 0;
  std::vector<NamedTensor> trainable;
  for (const ParamStore::Entry& entry : run.model->params().entries()) {
    const auto bytes = static_cast<int64_t>(entry.tensor.nbytes());
    all += entry.tensor.numel();
    weight_bytes += bytes;
    if (!entry.trainable) continue;
    gradient_bytes += bytes;
    trainable.push_back({entry.name, entry.tensor});
  }
  const int64_t optimizer_bytes = OptimizerBytes(run.hparams, trainable) +
                                  (run.flags.ema_decay > 0 ? weight_bytes : 0);
  out->Set("parameters", run.model->params().NumParameters());
  out->Set("all_parameters", all);
  out->Set("weight_bytes", weight_bytes);
  out->Set("gradient_bytes", gradient_bytes);
  out->Set("optimizer_bytes", optimizer_bytes);
  out->Set("checkpoint_bytes", weight_bytes + optimizer_bytes);
}

// What decides how long a model recurs or where it sends a position (gates,
// halting) starts from its biases: vectors get their values. Kernels, which
// are most of the memory, stay zeros that no page was touched for.
void DrawVectors(const RunParts& run) {
  const at::NoGradGuard no_grad;
  for (const ParamStore::Entry& entry : run.model->params().entries()) {
    if (!entry.trainable || entry.tensor.dim() > 1) continue;
    entry.tensor.copy_(run.initial_values.at(entry.name)());
  }
}

// Of the full batch, or what prevents it.
Json MeasuredStep(const RunParts& run, std::string* why_not) {
  FullBatchCost cost;
  try {
    DrawVectors(run);
    cost = MeasureFullBatch(*run.config.problem, run.model.get());
  } catch (const std::exception& error) {
    const std::string text = error.what();
    *why_not = text.substr(0, text.find('\n'));
    return Json();
  }
  if (!cost.step) {
    *why_not = "the model is too large to be run for it";
    return Json();
  }
  Json step = Json::Object();
  step.Set("examples", cost.batch.examples);
  step.Set("length", cost.batch.length);
  step.Set("flops", cost.step->flops);
  step.Set("activation_bytes", cost.step->activation_bytes);
  step.Set("examples_run", Shape(cost.examples_run));
  return step;
}

bool ComputesIn16Bits(const HParams& hparams) {
  if (!hparams.Has("activation_dtype")) return false;
  const std::string& type = hparams.GetString("activation_dtype");
  return type == "bfloat16" || type == "float16";
}

}  // namespace

Json DryRunJson(const RunParts& run) {
  const ExperimentFlags& flags = run.flags;
  const bool vocabulary_known =
      ExpectInfo(*run.config.problem, flags.data_dir).vocabulary_known;
  const bool data = HasData(run);
  Json out = Json::Object();
  out.Set("version", kDryRunJsonVersion);
  out.Set("problem", flags.problem);
  out.Set("model", flags.model);
  out.Set("hparams_set", flags.hparams_set);
  out.Set("hparams", flags.hparams);
  out.Set("data", data);
  out.Set("vocabulary_known", vocabulary_known);
  out.Set("vocabularies", Vocabularies(run.info));
  out.Set("optimizer", run.hparams.GetString("optimizer"));
  out.Set("computes_in_16_bits", ComputesIn16Bits(run.hparams));
  AddSizes(run, &out);
  std::string why_not;
  out.Set("step", MeasuredStep(run, &why_not));
  if (!why_not.empty()) out.Set("why_no_step", why_not);
  out.Set("first_batch", data && vocabulary_known ? FirstBatch(run) : Json());
  Json rates = Json::Array();
  for (const int64_t step :
       {int64_t{0}, flags.train_steps / 2, flags.train_steps - 1}) {
    Json rate = Json::Object();
    rate.Set("step", step);
    rate.Set("rate", LearningRate(run.hparams, step, flags.train_steps));
    rates.Append(rate);
  }
  out.Set("learning_rates", rates);
  return out;
}

}  // namespace t2t
