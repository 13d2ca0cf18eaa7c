#include "t2t/train/eval_metrics.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "t2t/base/strings.h"
#include "t2t/metrics/sequence.h"

namespace t2t {
namespace {

const char* const kKnown[] = {
    "accuracy",           "accuracy_top5",     "accuracy_per_sequence",
    "neg_log_perplexity", "approx_bleu_score", "edit_distance",
    "rouge_2_fscore",     "rouge_L_fscore"};

using Ids = std::vector<int64_t>;

}  // namespace

std::vector<std::string> SupportedMetrics(
    const std::vector<std::string>& names) {
  std::vector<std::string> supported;
  for (const std::string& name : names) {
    if (std::find(std::begin(kKnown), std::end(kKnown), name) !=
        std::end(kKnown)) {
      supported.push_back(name);
    }
  }
  return supported;
}

bool LowerIsBetter(const std::string& metric) {
  return metric == "loss" || metric == "edit_distance";
}

EvalMetrics::EvalMetrics(const std::vector<std::string>& names,
                         const ProblemInfo& info, const HParams& hparams)
    : names_(SupportedMetrics(names)) {
  const auto targets = info.features.find("targets");
  const std::string modality =
      targets == info.features.end() ? "symbol" : targets->second.modality;
  const bool symbol = modality == "symbol" || modality == "identity_symbol" ||
                      modality == "symbol_one_hot" || modality == "ctc_symbol";
  weights_nonzero_ = symbol;
  ids_ = symbol || modality == "symbol_weights_all" ||
         StartsWith(modality, "class_label") || modality == "image";
  prepended_ = hparams.Has("prepend_mode") &&
               hparams.GetString("prepend_mode") != "none";
}

bool EvalMetrics::Wants(const std::string& name) const {
  return std::find(names_.begin(), names_.end(), name) != names_.end();
}

void EvalMetrics::AddLoss(const LossParts& loss) {
  loss_ += loss.numerator.item<double>();
  tokens_ += loss.denominator.item<double>();
}

void EvalMetrics::Add(const at::Tensor& model_logits,
                      const at::Tensor& model_targets) {
  const at::NoGradGuard no_grad;
  const at::Tensor logits = model_logits.cpu();
  const at::Tensor targets = model_targets.cpu();
  const int64_t batch = targets.size(0);
  if (batch == 0) return;
  const int64_t classes = logits.size(-1);
  const at::Tensor labels = targets.reshape({batch, -1});
  const at::Tensor flat = logits.reshape({batch, -1, classes});
  at::Tensor weights = at::ones_like(labels, at::kFloat);
  if (weights_nonzero_) {
    weights = labels.ne(0).to(at::kFloat);
    if (prepended_) weights.mul_(labels.eq(0).cumsum(1).ne(0));
  }
  const at::Tensor picked = flat.gather(2, labels.unsqueeze(2)).squeeze(2);
  const at::Tensor losses = flat.logsumexp(2).sub_(picked);
  loss_ += losses.mul(weights).sum(at::kDouble).item<double>();
  tokens_ += weights.sum(at::kDouble).item<double>();
  const at::Tensor predictions = flat.argmax(2);
  const at::Tensor wrong = predictions.ne(labels).to(at::kFloat).mul_(weights);
  correct_ += weights.sub(wrong).sum(at::kDouble).item<double>();
  sequences_ += static_cast<double>(batch);
  right_sequences_ += wrong.sum(1).eq(0).sum().to(at::kDouble).item<double>();
  if (Wants("accuracy_top5")) {
    // As many are above the right one, equal ones by their place.
    const at::Tensor above = flat.gt(picked.unsqueeze(2)).sum(2);
    top5_ += above.lt(5)
                 .to(at::kFloat)
                 .mul_(weights)
                 .sum(at::kDouble)
                 .item<double>();
  }
  if (Wants("approx_bleu_score") || Wants("edit_distance") ||
      Wants("rouge_2_fscore") || Wants("rouge_L_fscore")) {
    AddSequences(predictions.contiguous(), labels.contiguous(),
                 weights.contiguous());
  }
}

void EvalMetrics::AddSequences(const at::Tensor& predictions,
                               const at::Tensor& targets,
                               const at::Tensor& weights) {
  const int64_t length = targets.size(1);
  const int64_t* const predicted = predictions.const_data_ptr<int64_t>();
  const int64_t* const wanted = targets.const_data_ptr<int64_t>();
  const float* const weight = weights.const_data_ptr<float>();
  for (int64_t row = 0; row < targets.size(0); ++row) {
    Ids output;
    Ids reference;
    for (int64_t i = row * length; i < (row + 1) * length; ++i) {
      if (weight[i] == 0) continue;
      output.push_back(predicted[i]);
      reference.push_back(wanted[i]);
    }
    if (Wants("edit_distance")) {
      edits_ += static_cast<double>(EditDistance(output, reference));
    }
    if (Wants("rouge_2_fscore")) rouge_2_ += RougeN({output}, {reference}, 2);
    if (Wants("rouge_L_fscore")) rouge_l_ += RougeL({output}, {reference});
    if (Wants("approx_bleu_score")) bleu_.Add(CountBleu(output, {reference}));
  }
}

std::map<std::string, double> EvalMetrics::Results() const {
  std::map<std::string, double> results;
  const double tokens = std::max(tokens_, 1.0);
  results["loss"] = loss_ / tokens;
  if (sequences_ == 0) return results;
  for (const std::string& name : names_) {
    double value = 0;
    if (name == "accuracy") value = correct_ / tokens;
    if (name == "accuracy_top5") value = top5_ / tokens;
    if (name == "accuracy_per_sequence") value = right_sequences_ / sequences_;
    if (name == "neg_log_perplexity") value = -loss_ / tokens;
    if (name == "edit_distance") value = edits_ / tokens;
    if (name == "rouge_2_fscore") value = rouge_2_ / sequences_;
    if (name == "rouge_L_fscore") value = rouge_l_ / sequences_;
    if (name == "approx_bleu_score") value = BleuOfCounts(bleu_);
    results[name] = value;
  }
  return results;
}

}  // namespace t2t
