#include "t2t/train/eval_metrics.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "t2t/metrics/metric_registry.h"
#include "t2t/model/task_loss.h"
#include "t2t/problem/modality_traits.h"

namespace t2t {

std::vector<std::string> SupportedMetrics(
    const std::vector<std::string>& names) {
  std::vector<std::string> supported;
  for (const std::string& name : names) {
    if (FindMetric(name) != nullptr) supported.push_back(name);
  }
  return supported;
}

EvalMetrics::EvalMetrics(const std::vector<std::string>& names,
                         const ProblemInfo& info, const HParams& hparams) {
  const auto targets = info.features.find("targets");
  const ModalityTraits& traits = TraitsOfModality(
      targets == info.features.end() ? "symbol" : targets->second.modality);
  weights_nonzero_ = traits.padding_weighs_nothing;
  ids_ = traits.targets_are_ids;
  // Metrics of ids say nothing of numbers, and the other way round.
  for (const std::string& name : SupportedMetrics(names)) {
    const Metric* const metric = FindMetric(name);
    if (metric->needs_outputs != ids_) metrics_.push_back(metric);
  }
  prepended_ = hparams.Has("prepend_mode") &&
               hparams.GetString("prepend_mode") != "none";
  tasks_ = info.tasks;
  sums_ = NoSums();
}

EvalMetrics::Sums EvalMetrics::NoSums() const {
  size_t size = kFirstMetric;
  for (const Metric* const metric : metrics_) size += metric->num_sums;
  return Sums(size, 0.0);
}

EvalMetrics::Sums EvalMetrics::SumsOf(const LossParts& loss) const {
  Sums sums = NoSums();
  sums[kLoss] = loss.numerator.item<double>();
  sums[kTokens] = loss.denominator.item<double>();
  return sums;
}

bool EvalMetrics::needs_inputs() const {
  return std::ranges::any_of(
      metrics_, [](const Metric* metric) { return metric->needs_inputs; });
}

EvalMetrics::Sums EvalMetrics::SumsOf(const LossParts& loss,
                                      const at::Tensor& model_outputs,
                                      const at::Tensor& model_targets) const {
  Sums sums = SumsOf(loss);
  const at::Tensor outputs =
      model_outputs.to(at::kCPU, at::kFloat).contiguous();
  const at::Tensor targets =
      model_targets.to(at::kCPU, at::kFloat).contiguous();
  MetricBatch batch;
  batch.rows = targets.size(0);
  sums[kRows] = static_cast<double>(batch.rows);
  if (batch.rows == 0) return sums;
  batch.length = targets.numel() / batch.rows;
  batch.classes = outputs.size(-1);
  const auto values = [](const at::Tensor& tensor) {
    return std::span<const float>(tensor.const_data_ptr<float>(),
                                  static_cast<size_t>(tensor.numel()));
  };
  batch.outputs = values(outputs);
  batch.numbers = values(targets);
  double* next = sums.data() + kFirstMetric;
  for (const Metric* const metric : metrics_) {
    metric->count(batch, next);
    next += metric->num_sums;
  }
  return sums;
}

EvalMetrics::Sums EvalMetrics::SumsOf(const at::Tensor& model_logits,
                                      const at::Tensor& model_targets,
                                      const at::Tensor& model_inputs) const {
  Sums sums = NoSums();
  const at::NoGradGuard no_grad;
  const at::Tensor logits = model_logits.cpu();
  const at::Tensor targets = model_targets.cpu();
  const int64_t batch_size = targets.size(0);
  if (batch_size == 0) return sums;
  const int64_t classes = logits.size(-1);
  const at::Tensor labels = targets.reshape({batch_size, -1}).contiguous();
  const at::Tensor flat = logits.reshape({batch_size, -1, classes});
  at::Tensor weights = at::ones_like(labels, at::kFloat);
  if (weights_nonzero_) {
    weights = labels.ne(0).to(at::kFloat);
    if (prepended_) weights.mul_(labels.eq(0).cumsum(1).ne(0));
  }
  if (!tasks_.empty()) weights = BehindTask(labels, tasks_);
  weights = weights.contiguous();
  const at::Tensor picked = flat.gather(2, labels.unsqueeze(2)).squeeze(2);
  const at::Tensor losses = flat.logsumexp(2).sub_(picked);
  sums[kLoss] = losses.mul(weights).sum(at::kDouble).item<double>();
  sums[kTokens] = weights.sum(at::kDouble).item<double>();
  sums[kRows] = static_cast<double>(batch_size);
  const at::Tensor predictions = flat.argmax(2).contiguous();
  at::Tensor above;
  for (const Metric* const metric : metrics_) {
    if (metric->needs_above && !above.defined()) {
      above = flat.gt(picked.unsqueeze(2)).sum(2).contiguous();
    }
  }

  const auto size = static_cast<size_t>(labels.numel());
  const auto ids = [&](const at::Tensor& tensor) {
    return std::span<const int64_t>(tensor.const_data_ptr<int64_t>(), size);
  };
  MetricBatch batch;
  batch.rows = batch_size;
  batch.length = labels.size(1);
  batch.predictions = ids(predictions);
  batch.labels = ids(labels);
  batch.weights = {weights.const_data_ptr<float>(), size};
  if (above.defined()) batch.above = ids(above);
  at::Tensor inputs;
  if (model_inputs.defined() && needs_inputs()) {
    inputs = model_inputs.cpu().reshape({batch_size, -1}).contiguous();
    batch.input_length = inputs.size(1);
    batch.inputs = {inputs.const_data_ptr<int64_t>(),
                    static_cast<size_t>(inputs.numel())};
  }
  batch.loss = sums[kLoss];
  batch.tokens = sums[kTokens];
  double* next = sums.data() + kFirstMetric;
  for (const Metric* const metric : metrics_) {
    metric->count(batch, next);
    next += metric->num_sums;
  }
  return sums;
}

void EvalMetrics::Add(const Sums& sums) {
  for (size_t i = 0; i < sums.size(); ++i) sums_[i] += sums[i];
}

std::map<std::string, double> EvalMetrics::Results() const {
  std::map<std::string, double> results;
  results[kLossMetric] = sums_[kLoss] / std::max(sums_[kTokens], 1.0);
  if (sums_[kRows] == 0) return results;
  const double* next = sums_.data() + kFirstMetric;
  for (const Metric* const metric : metrics_) {
    results[metric->name] = metric->result(next);
    next += metric->num_sums;
  }
  return results;
}

}  // namespace t2t
