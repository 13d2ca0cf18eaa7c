#include "t2t/train/eval_metrics.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "t2t/base/strings.h"
#include "t2t/metrics/bleu.h"
#include "t2t/metrics/sequence.h"

namespace t2t {
namespace {

const char* const kKnown[] = {
    "accuracy",           "accuracy_top5",     "accuracy_per_sequence",
    "neg_log_perplexity", "approx_bleu_score", "edit_distance",
    "rouge_2_fscore",     "rouge_L_fscore"};

using Ids = std::vector<int64_t>;

double BleuOf(const EvalMetrics::Sums& sums) {
  const auto count = [&](size_t i) { return static_cast<int64_t>(sums[i]); };
  BleuCounts bleu;
  bleu.hypothesis_length = count(EvalMetrics::kBleuLengths);
  bleu.reference_length = count(EvalMetrics::kBleuLengths + 1);
  for (size_t n = 0; n < bleu.correct.size(); ++n) {
    bleu.correct[n] = count(EvalMetrics::kBleuCorrect + n);
    bleu.total[n] = count(EvalMetrics::kBleuTotal + n);
  }
  return BleuOfCounts(bleu);
}

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

EvalMetrics::Sums EvalMetrics::SumsOf(const LossParts& loss) const {
  Sums sums{};
  sums[kLoss] = loss.numerator.item<double>();
  sums[kTokens] = loss.denominator.item<double>();
  return sums;
}

EvalMetrics::Sums EvalMetrics::SumsOf(const at::Tensor& model_logits,
                                      const at::Tensor& model_targets) const {
  Sums sums{};
  const at::NoGradGuard no_grad;
  const at::Tensor logits = model_logits.cpu();
  const at::Tensor targets = model_targets.cpu();
  const int64_t batch = targets.size(0);
  if (batch == 0) return sums;
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
  sums[kLoss] = losses.mul(weights).sum(at::kDouble).item<double>();
  sums[kTokens] = weights.sum(at::kDouble).item<double>();
  const at::Tensor predictions = flat.argmax(2);
  const at::Tensor wrong = predictions.ne(labels).to(at::kFloat).mul_(weights);
  sums[kCorrect] = weights.sub(wrong).sum(at::kDouble).item<double>();
  sums[kSequences] = static_cast<double>(batch);
  sums[kRightSequences] =
      wrong.sum(1).eq(0).sum().to(at::kDouble).item<double>();
  if (Wants("accuracy_top5")) {
    // As many are above the right one, equal ones by their place.
    const at::Tensor above = flat.gt(picked.unsqueeze(2)).sum(2);
    sums[kTop5] = above.lt(5)
                      .to(at::kFloat)
                      .mul_(weights)
                      .sum(at::kDouble)
                      .item<double>();
  }
  if (Wants("approx_bleu_score") || Wants("edit_distance") ||
      Wants("rouge_2_fscore") || Wants("rouge_L_fscore")) {
    AddSequences(predictions.contiguous(), labels.contiguous(),
                 weights.contiguous(), &sums);
  }
  return sums;
}

void EvalMetrics::Add(const Sums& sums) {
  for (size_t i = 0; i < sums.size(); ++i) sums_[i] += sums[i];
}

void EvalMetrics::AddSequences(const at::Tensor& predictions,
                               const at::Tensor& targets,
                               const at::Tensor& weights, Sums* to) const {
  Sums& sums = *to;
  BleuCounts bleu;
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
      sums[kEdits] += static_cast<double>(EditDistance(output, reference));
    }
    if (Wants("rouge_2_fscore")) {
      sums[kRouge2] += RougeN({output}, {reference}, 2);
    }
    if (Wants("rouge_L_fscore")) sums[kRougeL] += RougeL({output}, {reference});
    if (Wants("approx_bleu_score")) bleu.Add(CountBleu(output, {reference}));
  }
  sums[kBleuLengths] = static_cast<double>(bleu.hypothesis_length);
  sums[kBleuLengths + 1] = static_cast<double>(bleu.reference_length);
  for (size_t n = 0; n < bleu.correct.size(); ++n) {
    sums[kBleuCorrect + n] = static_cast<double>(bleu.correct[n]);
    sums[kBleuTotal + n] = static_cast<double>(bleu.total[n]);
  }
}

std::map<std::string, double> EvalMetrics::Results() const {
  std::map<std::string, double> results;
  const double tokens = std::max(sums_[kTokens], 1.0);
  results["loss"] = sums_[kLoss] / tokens;
  const double sequences = sums_[kSequences];
  if (sequences == 0) return results;
  for (const std::string& name : names_) {
    double value = 0;
    if (name == "accuracy") value = sums_[kCorrect] / tokens;
    if (name == "accuracy_top5") value = sums_[kTop5] / tokens;
    if (name == "accuracy_per_sequence") {
      value = sums_[kRightSequences] / sequences;
    }
    if (name == "neg_log_perplexity") value = -sums_[kLoss] / tokens;
    if (name == "edit_distance") value = sums_[kEdits] / tokens;
    if (name == "rouge_2_fscore") value = sums_[kRouge2] / sequences;
    if (name == "rouge_L_fscore") value = sums_[kRougeL] / sequences;
    if (name == "approx_bleu_score") value = BleuOf(sums_);
    results[name] = value;
  }
  return results;
}

}  // namespace t2t
