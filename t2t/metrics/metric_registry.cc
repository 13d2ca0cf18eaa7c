#include "t2t/metrics/metric_registry.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/metrics/bleu.h"
#include "t2t/metrics/number_metrics.h"
#include "t2t/metrics/sari.h"
#include "t2t/metrics/sequence.h"

namespace t2t {
namespace {

using Ids = std::vector<int64_t>;

// Where each metric has the number it divides by.
constexpr size_t kCounted = 0;
constexpr size_t kOf = 1;

// 0 where there is nothing: as T2T's weighted means.
double PerToken(const double* sums) {
  return sums[kCounted] / std::max(sums[kOf], 1.0);
}

double PerRow(const double* sums) {
  return sums[kOf] == 0 ? 0 : sums[kCounted] / sums[kOf];
}

// The ids of each row that count.
void ForEachRow(
    const MetricBatch& batch,
    const std::function<void(const Ids& output, const Ids& reference)>& visit) {
  Ids output;
  Ids reference;
  for (int64_t row = 0; row < batch.rows; ++row) {
    output.clear();
    reference.clear();
    for (int64_t i = row * batch.length; i < (row + 1) * batch.length; ++i) {
      if (batch.weights[i] == 0) continue;
      output.push_back(batch.predictions[i]);
      reference.push_back(batch.labels[i]);
    }
    visit(output, reference);
  }
}

void CountAccuracy(const MetricBatch& batch, double* sums) {
  for (size_t i = 0; i < batch.labels.size(); ++i) {
    if (batch.predictions[i] == batch.labels[i]) {
      sums[kCounted] += batch.weights[i];
    }
  }
  sums[kOf] = batch.tokens;
}

void CountTop5(const MetricBatch& batch, double* sums) {
  for (size_t i = 0; i < batch.labels.size(); ++i) {
    if (batch.above[i] < 5) sums[kCounted] += batch.weights[i];
  }
  sums[kOf] = batch.tokens;
}

void CountRightRows(const MetricBatch& batch, double* sums) {
  for (int64_t row = 0; row < batch.rows; ++row) {
    bool right = true;
    for (int64_t i = row * batch.length; i < (row + 1) * batch.length; ++i) {
      right &= batch.weights[i] == 0 || batch.predictions[i] == batch.labels[i];
    }
    sums[kCounted] += right;
  }
  sums[kOf] = static_cast<double>(batch.rows);
}

void CountLogPerplexity(const MetricBatch& batch, double* sums) {
  sums[kCounted] = -batch.loss;
  sums[kOf] = batch.tokens;
}

void CountEdits(const MetricBatch& batch, double* sums) {
  ForEachRow(batch, [&](const Ids& output, const Ids& reference) {
    sums[kCounted] += static_cast<double>(EditDistance(output, reference));
  });
  sums[kOf] = batch.tokens;
}

void CountRouge2(const MetricBatch& batch, double* sums) {
  ForEachRow(batch, [&](const Ids& output, const Ids& reference) {
    sums[kCounted] += RougeN({output}, {reference}, 2);
  });
  sums[kOf] = static_cast<double>(batch.rows);
}

void CountRougeL(const MetricBatch& batch, double* sums) {
  ForEachRow(batch, [&](const Ids& output, const Ids& reference) {
    sums[kCounted] += RougeL({output}, {reference});
  });
  sums[kOf] = static_cast<double>(batch.rows);
}

IdRows RowsOf(const MetricBatch& batch, std::span<const int64_t> ids) {
  IdRows rows;
  for (int64_t row = 0; row < batch.rows; ++row) {
    const auto begin = ids.begin() + row * batch.length;
    rows.emplace_back(begin, begin + batch.length);
  }
  return rows;
}

void CountPrefixes(const MetricBatch& batch, double* sums) {
  sums[kCounted] = PrefixAccuracy(RowsOf(batch, batch.predictions),
                                  RowsOf(batch, batch.labels)) *
                   static_cast<double>(batch.rows);
  sums[kOf] = static_cast<double>(batch.rows);
}

void CountWordErrors(const MetricBatch& batch, double* sums) {
  const WeightedMetric errors = WordErrorRate(RowsOf(batch, batch.predictions),
                                              RowsOf(batch, batch.labels));
  sums[kCounted] = errors.value * errors.weight;
  sums[kOf] = errors.weight;
}

// T2T's sigmoid_accuracy and image_rmse look at padding, too.
void CountRight(const MetricBatch& batch, double* sums) {
  for (size_t i = 0; i < batch.labels.size(); ++i) {
    sums[kCounted] += batch.predictions[i] == batch.labels[i];
  }
  sums[kOf] = static_cast<double>(batch.labels.size());
}

void CountSquares(const MetricBatch& batch, double* sums) {
  for (size_t i = 0; i < batch.labels.size(); ++i) {
    const auto error =
        static_cast<double>(batch.predictions[i] - batch.labels[i]);
    sums[kCounted] += error * error * batch.weights[i];
  }
  sums[kOf] = static_cast<double>(batch.labels.size());
}

void CountSari(const MetricBatch& batch, double* sums) {
  for (int64_t row = 0; row < batch.rows; ++row) {
    const auto of = [row](std::span<const int64_t> ids, int64_t length) {
      const auto begin = ids.begin() + row * length;
      return Ids(begin, begin + length);
    };
    sums[kCounted] += Sari(of(batch.inputs, batch.input_length),
                           of(batch.predictions, batch.length),
                           {of(batch.labels, batch.length)})
                          .score;
  }
  sums[kOf] = static_cast<double>(batch.rows);
}

// Of two classes: those that are 1 and are said to be, and so on.
enum Outcome : size_t { kTrueOnes, kFalseOnes, kOnes, kZeros, kOutcomes };

void CountOutcomes(const MetricBatch& batch, double* sums) {
  for (size_t i = 0; i < batch.labels.size(); ++i) {
    const bool said = batch.predictions[i] != 0;
    const bool is = batch.labels[i] != 0;
    ++sums[is ? kOnes : kZeros];
    if (said) ++sums[is ? kTrueOnes : kFalseOnes];
  }
}

// The area below the curve through its two ends and the point that the argmax
// is, as tf.metrics.auc adds it up.
double AreaBelowCurve(const double* sums) {
  constexpr double kTiny = 1e-6;
  const auto x = [&](double ones) { return ones / (sums[kZeros] + kTiny); };
  const auto y = [&](double ones) {
    return (ones + kTiny) / (sums[kOnes] + kTiny);
  };
  const double xs[] = {x(sums[kZeros]), x(sums[kFalseOnes]), x(0)};
  const double ys[] = {y(sums[kOnes]), y(sums[kTrueOnes]), y(0)};
  double area = 0;
  for (size_t i = 0; i < 2; ++i) {
    area += (xs[i] - xs[i + 1]) * (ys[i] + ys[i + 1]) / 2;
  }
  return area;
}

// Lengths of outputs and references, then right n-grams and all, by order.
constexpr size_t kCorrect = 2;
constexpr size_t kTotal = kCorrect + 4;
constexpr size_t kBleuSums = kTotal + 4;

void CountBleuSums(const MetricBatch& batch, double* sums) {
  BleuCounts bleu;
  ForEachRow(batch, [&](const Ids& output, const Ids& reference) {
    bleu.Add(CountBleu(output, {reference}));
  });
  sums[0] = static_cast<double>(bleu.hypothesis_length);
  sums[1] = static_cast<double>(bleu.reference_length);
  for (size_t n = 0; n < bleu.correct.size(); ++n) {
    sums[kCorrect + n] = static_cast<double>(bleu.correct[n]);
    sums[kTotal + n] = static_cast<double>(bleu.total[n]);
  }
}

double Bleu(const double* sums) {
  const auto count = [&](size_t i) { return static_cast<int64_t>(sums[i]); };
  BleuCounts bleu;
  bleu.hypothesis_length = count(0);
  bleu.reference_length = count(1);
  for (size_t n = 0; n < bleu.correct.size(); ++n) {
    bleu.correct[n] = count(kCorrect + n);
    bleu.total[n] = count(kTotal + n);
  }
  return BleuOfCounts(bleu);
}

std::map<std::string, Metric>& Metrics() {
  static auto* const metrics = [] {
    auto* const made = new std::map<std::string, Metric>;
    for (Metric& metric : std::vector<Metric>{
             {"accuracy", 2, false, false, CountAccuracy, PerToken},
             {"accuracy_top5", 2, false, true, CountTop5, PerToken},
             {"accuracy_per_sequence", 2, false, false, CountRightRows, PerRow},
             {"neg_log_perplexity", 2, false, false, CountLogPerplexity,
              PerToken},
             {"approx_bleu_score", kBleuSums, false, false, CountBleuSums,
              Bleu},
             {"edit_distance", 2, true, false, CountEdits, PerToken},
             {"rouge_2_fscore", 2, false, false, CountRouge2, PerRow},
             {"rouge_L_fscore", 2, false, false, CountRougeL, PerRow},
             {"prefix_accuracy", 2, false, false, CountPrefixes, PerRow},
             {"word_error_rate", 2, true, false, CountWordErrors, PerRow},
             {"sigmoid_accuracy", 2, false, false, CountRight, PerRow},
             {"image_rmse", 2, true, false, CountSquares,
              [](const double* sums) { return std::sqrt(PerRow(sums)); }},
             {"roc_auc", kOutcomes, false, false, CountOutcomes,
              AreaBelowCurve},
             {"approx_sari_score", 2, false, false, CountSari, PerRow,
              /*needs_outputs=*/false, /*needs_inputs=*/true}}) {
      made->emplace(metric.name, std::move(metric));
    }
    for (Metric& metric : NumberMetrics()) {
      made->emplace(metric.name, std::move(metric));
    }
    return made;
  }();
  return *metrics;
}

}  // namespace

const Metric* FindMetric(const std::string& name) {
  const auto found = Metrics().find(name);
  return found == Metrics().end() ? nullptr : &found->second;
}

void AddMetric(Metric metric) {
  const std::string name = metric.name;
  if (name != kLossMetric &&
      Metrics().emplace(name, std::move(metric)).second) {
    return;
  }
  throw UsageError("the metric '" + name + "' is there already",
                   "a name of its own for each", "rename yours");
}

std::vector<std::string> MetricNames() {
  std::vector<std::string> names;
  for (const auto& [name, metric] : Metrics()) names.push_back(name);
  return names;
}

bool LowerIsBetter(const std::string& name) {
  if (name == kLossMetric) return true;
  const Metric* const metric = FindMetric(name);
  return metric != nullptr && metric->lower_is_better;
}

}  // namespace t2t
