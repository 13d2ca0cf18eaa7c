#include "t2t/train/eval_metrics.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

#include "t2t/base/strings.h"

namespace t2t {
namespace {

const char* const kKnown[] = {
    "accuracy",           "accuracy_top5",     "accuracy_per_sequence",
    "neg_log_perplexity", "approx_bleu_score", "edit_distance",
    "rouge_2_fscore",     "rouge_L_fscore"};

using Ids = std::vector<int64_t>;

std::map<Ids, double> CountNgrams(const Ids& ids, size_t order) {
  std::map<Ids, double> counts;
  for (size_t i = 0; i + order <= ids.size(); ++i) {
    counts[Ids(ids.begin() + i, ids.begin() + i + order)] += 1;
  }
  return counts;
}

// F1 of the sets of pairs of neighbours.
double Rouge2(const Ids& output, const Ids& reference) {
  const std::map<Ids, double> ours = CountNgrams(output, 2);
  const std::map<Ids, double> theirs = CountNgrams(reference, 2);
  double overlap = 0;
  for (const auto& [ngram, count] : ours) {
    overlap += static_cast<double>(theirs.count(ngram));
  }
  const double precision =
      ours.empty() ? 0 : overlap / static_cast<double>(ours.size());
  const double recall =
      theirs.empty() ? 0 : overlap / static_cast<double>(theirs.size());
  return 2.0 * precision * recall / (precision + recall + 1e-8);
}

// F of the longest common subsequence, with T2T's beta.
double RougeL(const Ids& output, const Ids& reference) {
  if (output.empty() || reference.empty()) return 0;
  std::vector<int64_t> above(output.size() + 1, 0);
  for (const int64_t id : reference) {
    std::vector<int64_t> row(output.size() + 1, 0);
    for (size_t i = 0; i < output.size(); ++i) {
      row[i + 1] =
          output[i] == id ? above[i] + 1 : std::max(above[i + 1], row[i]);
    }
    above.swap(row);
  }
  const double common = static_cast<double>(above.back());
  const double recall = common / static_cast<double>(reference.size());
  const double precision = common / static_cast<double>(output.size());
  const double beta = precision / (recall + 1e-12);
  return (1.0 + beta * beta) * recall * precision /
         (recall + beta * beta * precision + 1e-12);
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

int64_t SequenceEditDistance(const Ids& a, const Ids& b) {
  std::vector<int64_t> above(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) above[j] = static_cast<int64_t>(j);
  for (size_t i = 0; i < a.size(); ++i) {
    std::vector<int64_t> row(b.size() + 1);
    row[0] = static_cast<int64_t>(i) + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      row[j + 1] = std::min(
          {above[j + 1] + 1, row[j] + 1, above[j] + (a[i] == b[j] ? 0 : 1)});
    }
    above.swap(row);
  }
  return above.back();
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

void EvalMetrics::Add(const at::Tensor& logits, const at::Tensor& targets) {
  const at::NoGradGuard no_grad;
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
      edits_ += static_cast<double>(SequenceEditDistance(output, reference));
    }
    if (Wants("rouge_2_fscore")) rouge_2_ += Rouge2(output, reference);
    if (Wants("rouge_L_fscore")) rouge_l_ += RougeL(output, reference);
    if (!Wants("approx_bleu_score")) continue;
    reference_length_ += static_cast<double>(reference.size());
    translation_length_ += static_cast<double>(output.size());
    for (size_t order = 1; order <= 4; ++order) {
      const std::map<Ids, double> theirs = CountNgrams(reference, order);
      for (const auto& [ngram, count] : CountNgrams(output, order)) {
        possible_[order - 1] += count;
        const auto found = theirs.find(ngram);
        if (found != theirs.end()) {
          matches_[order - 1] += std::min(count, found->second);
        }
      }
    }
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
    if (name == "approx_bleu_score") {
      double smooth = 1;
      double log_sum = 0;
      bool any = false;
      for (int order = 0; order < 4; ++order) {
        if (possible_[order] == 0) continue;
        any = true;
        if (matches_[order] == 0) smooth *= 2;
        log_sum +=
            std::log(matches_[order] > 0 ? matches_[order] / possible_[order]
                                         : 1.0 / (smooth * possible_[order]));
      }
      double brevity = 1;
      if (reference_length_ > 0) {
        const double ratio = translation_length_ / reference_length_;
        brevity = ratio <= 0 ? 0 : std::min(1.0, std::exp(1.0 - 1.0 / ratio));
      }
      value = any ? std::exp(log_sum / 4.0) * brevity : 0;
    }
    results[name] = value;
  }
  return results;
}

}  // namespace t2t
