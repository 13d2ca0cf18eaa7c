#include "launch/app/estimate.h"

#include <algorithm>

#include "launch/render/gpus.h"
#include "t2t/base/error.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

// Of a GPU's peak, what training reaches. A guess that is said with the result.
constexpr double kUtilisation = 0.35;
// Of a process on a GPU: CUDA's context.
constexpr double kGpuBytes = 1e9;

std::vector<double> Sizes(const Component& component) {
  std::vector<double> sizes;
  for (const char* const name : {"memory_limit", "memory"}) {
    const std::string text = component.params.String(name);
    if (!text.empty()) sizes.push_back(QuantityValue(text));
  }
  return sizes;
}

std::string Grouped(int64_t value) {
  std::string digits = std::to_string(value);
  for (size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

std::string Duration(double hours) {
  if (hours < 1) return Format("%.0f minutes", std::max(1.0, hours * 60));
  return hours < 48 ? Format("%.1f hours", hours)
                    : Format("%.1f days", hours / 24);
}

// What a step and all of them take.
std::string StepText(const TrainingEstimate& estimate) {
  const ModelCost& cost = estimate.cost;
  if (!cost.step_known)
    return "\n  a step:      not known: " + cost.why_no_step;
  std::string text =
      Format("\n  a step:      %.3g FLOPs a process", cost.flops);
  if (estimate.processes > 1) {
    text += ", " + std::to_string(estimate.processes) +
            " processes that exchange " + BytesText(cost.gradient_bytes);
  }
  if (estimate.step_seconds == 0) {
    if (estimate.gpus > 0) {
      text += "\n  (with gpu_type, and gpu_hour_price: time and cost)";
    }
    return text;
  }
  text += Format(", %.3g s at %.0f%% of the GPU's peak", estimate.step_seconds,
                 100 * kUtilisation);
  text += "\n  all steps:   " + Duration(estimate.hours);
  if (estimate.gpus > 1) {
    text += " of " + std::to_string(estimate.gpus) + " GPUs";
  }
  if (estimate.price > 0) text += Format(", at a cost of %.2f", estimate.price);
  return text + (estimate.processes > 1 ? ", the exchange not counted" : "");
}

}  // namespace

std::string BytesText(double bytes) {
  return bytes >= 1e9 ? Format("%.1f GB", bytes / 1e9)
                      : Format("%.0f MB", bytes / 1e6);
}

TrainingEstimate EstimateTraining(const Component& component,
                                  const std::vector<std::string>& data_dirs,
                                  Costs* costs) {
  const Params& params = component.params;
  TrainingEstimate estimate;
  try {
    const CostQuestion question = CostQuestion::Of(component, data_dirs);
    estimate.cost = costs->Of(question);
    estimate.vocabulary_known = question.vocabulary_known;
    const auto targets = question.vocabularies.find("targets");
    if (targets != question.vocabularies.end()) {
      estimate.targets = targets->second;
    }
  } catch (const Error& error) {
    const std::string what = error.what();
    estimate.none = what.substr(0, what.find('\n'));
    return estimate;
  }
  const int64_t workers = params.Int("workers");
  const int64_t gpus = params.Int("gpus");
  estimate.processes = workers * std::max<int64_t>(gpus, 1);
  estimate.gpus = workers * gpus;
  estimate.checkpoints = params.Int("keep_checkpoint_max");
  const Gpu* const gpu = FindGpu(params.String("gpu_type"));
  const double of_program = gpus > 0 ? kGpuBytes : kProgramBytes;
  estimate.memory_certain = estimate.cost.state_bytes() + of_program;
  estimate.memory_needed =
      estimate.memory_certain + estimate.cost.activation_bytes;
  // Shards of state on each rank are not looked into.
  for (const std::string& flag : params.List("trainer_args")) {
    if (StartsWith(flag, "--zero")) estimate.memory_certain = of_program;
  }
  if (gpus == 0) {
    estimate.memory_of = "Pod";
    estimate.memory_there = Sizes(component)[0];
  } else {
    estimate.memory_of = "GPU";
    if (gpu != nullptr) estimate.memory_there = gpu->memory;
  }
  if (gpus == 0 || gpu == nullptr || !estimate.cost.step_known) {
    return estimate;
  }
  const double peak = estimate.cost.half ? gpu->half_flops : gpu->float_flops;
  estimate.step_seconds = estimate.cost.flops / (peak * kUtilisation);
  estimate.hours = estimate.step_seconds *
                   static_cast<double>(params.Int("train_steps")) / 3600;
  double price = 0;
  if (ParseDouble(params.String("gpu_hour_price"), &price)) {
    estimate.price =
        estimate.hours * static_cast<double>(estimate.gpus) * price;
  }
  return estimate;
}

std::string EstimateText(const TrainingEstimate& estimate) {
  if (!estimate.none.empty()) return "  " + estimate.none + "\n";
  const ModelCost& cost = estimate.cost;
  std::string text = "  parameters:  " + Grouped(cost.parameters) +
                     (estimate.vocabulary_known ? " (vocabulary of "
                                                : " (if the vocabulary has ") +
                     Grouped(estimate.targets) + ")\n";
  text += "  memory:      " +
          std::string(cost.step_known ? "about " : "more than ") +
          BytesText(estimate.memory_needed) + " a " + estimate.memory_of +
          " (weights, gradients, optimizer " + BytesText(cost.state_bytes());
  if (cost.step_known) {
    text += ", a full batch " + BytesText(cost.activation_bytes);
  }
  text += ")";
  if (estimate.memory_there > 0) {
    text += ", of " + BytesText(estimate.memory_there);
  }
  text += "\n  checkpoints: " + BytesText(cost.checkpoint_bytes) + " each";
  if (estimate.checkpoints > 0) {
    text += ", " + std::to_string(estimate.checkpoints) + " are kept: " +
            BytesText(static_cast<double>(estimate.checkpoints) *
                      cost.checkpoint_bytes);
  }
  return text + StepText(estimate) + "\n";
}

std::vector<std::string> EstimateErrors(const TrainingEstimate& estimate) {
  if (!estimate.none.empty() || estimate.memory_there == 0 ||
      estimate.memory_certain <= estimate.memory_there) {
    return {};
  }
  return {"weights, gradients and the optimizer's state need " +
          BytesText(estimate.memory_certain) + ", a " + estimate.memory_of +
          " has " + BytesText(estimate.memory_there) +
          "\n  expected: a smaller model, or " +
          (estimate.gpus > 0 ? "a larger GPU" : "more memory")};
}

std::vector<std::string> EstimateWarnings(const TrainingEstimate& estimate) {
  if (!estimate.none.empty() || estimate.memory_there == 0 ||
      estimate.memory_needed <= estimate.memory_there ||
      !EstimateErrors(estimate).empty()) {
    return {};
  }
  return {"a full batch may not fit: about " +
          BytesText(estimate.memory_needed) + " of " +
          BytesText(estimate.memory_there) + " a " + estimate.memory_of};
}

}  // namespace t2t
