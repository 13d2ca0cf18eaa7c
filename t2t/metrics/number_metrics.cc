#include "t2t/metrics/number_metrics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>

namespace t2t {
namespace {

// The sums' places: most divide the first by the second.
constexpr size_t kSum = 0;
constexpr size_t kOf = 1;

double Mean(const double* sums) {
  return sums[kOf] == 0 ? 0 : sums[kSum] / sums[kOf];
}

double WeightOf(const MetricBatch& batch, size_t i) {
  return batch.weights.empty() ? 1.0 : batch.weights[i];
}

// Calls visit(output, target, weight) for each number.
template <typename Visit>
void ForEachNumber(const MetricBatch& batch, const Visit& visit) {
  const size_t size = std::min(batch.outputs.size(), batch.numbers.size());
  for (size_t i = 0; i < size; ++i) {
    visit(static_cast<double>(batch.outputs[i]),
          static_cast<double>(batch.numbers[i]), WeightOf(batch, i));
  }
}

// Calls visit(outputs, targets) for each position's vectors of classes.
template <typename Visit>
void ForEachVector(const MetricBatch& batch, const Visit& visit) {
  const auto classes = static_cast<size_t>(batch.classes);
  for (size_t i = 0; i + classes <= batch.outputs.size() &&
                     i + classes <= batch.numbers.size();
       i += classes) {
    visit(batch.outputs.subspan(i, classes), batch.numbers.subspan(i, classes));
  }
}

size_t ArgMax(std::span<const float> values) {
  return static_cast<size_t>(std::max_element(values.begin(), values.end()) -
                             values.begin());
}

// T2T's means are over all numbers, those without weight too.
void SquaredErrors(const MetricBatch& batch, double* sums) {
  ForEachNumber(batch, [sums](double output, double target, double weight) {
    sums[kSum] += (output - target) * (output - target) * weight;
    ++sums[kOf];
  });
}

void AbsoluteErrors(const MetricBatch& batch, double* sums) {
  ForEachNumber(batch, [sums](double output, double target, double) {
    sums[kSum] += std::abs(output - target);
    ++sums[kOf];
  });
}

// Outputs are logarithms of rates. With Stirling's term for the factorial of
// targets above 1.
double LogPoisson(double output, double target) {
  double loss = std::exp(output) - output * target;
  if (!(target >= 0 && target <= 1)) {
    loss += target * std::log(target) - target +
            0.5 * std::log(2 * std::numbers::pi * target);
  }
  return loss;
}

// As T2T has it, the mean of the batches' sums.
void LogPoissons(const MetricBatch& batch, double* sums) {
  double loss = 0;
  double weights = 0;
  ForEachNumber(batch, [&](double output, double target, double weight) {
    if (weight == 0) return;
    loss += LogPoisson(output, target) * weight;
    weights += weight;
  });
  sums[kSum] = loss * weights;
  sums[kOf] = weights;
}

// Of targets and weights: how many, w, wt, wtt; and the squared errors.
enum Variance : size_t { kCount, kW, kWt, kWtt, kErrors, kVarianceSums };

void Variances(const MetricBatch& batch, double* sums) {
  ForEachNumber(batch, [sums](double output, double target, double weight) {
    ++sums[kCount];
    sums[kW] += weight;
    sums[kWt] += weight * target;
    sums[kWtt] += weight * target * target;
    sums[kErrors] += weight * (output - target) * (output - target);
  });
}

double ExplainedVariance(const double* sums) {
  if (sums[kCount] == 0) return 0;
  const double mean = sums[kWt] / sums[kCount];
  const double all = sums[kWtt] - 2 * mean * sums[kWt] + mean * mean * sums[kW];
  return 1 - sums[kErrors] / all;
}

enum Moment : size_t { kN, kX, kY, kXx, kYy, kXy, kMoments };

void Moments(const MetricBatch& batch, double* sums) {
  ForEachNumber(batch, [sums](double x, double y, double) {
    ++sums[kN];
    sums[kX] += x;
    sums[kY] += y;
    sums[kXx] += x * x;
    sums[kYy] += y * y;
    sums[kXy] += x * y;
  });
}

double Pearson(const double* sums) {
  const double n = sums[kN];
  const double x = n * sums[kXx] - sums[kX] * sums[kX];
  const double y = n * sums[kYy] - sums[kY] * sums[kY];
  if (!(x > 0) || !(y > 0)) return 0;
  return (n * sums[kXy] - sums[kX] * sums[kY]) / std::sqrt(x * y);
}

void SoftmaxCrossEntropy(const MetricBatch& batch, double* sums) {
  ForEachVector(batch, [sums](std::span<const float> outputs,
                              std::span<const float> targets) {
    const double most = outputs[ArgMax(outputs)];
    double all = 0;
    for (const float output : outputs) all += std::exp(output - most);
    const double norm = most + std::log(all);
    for (size_t i = 0; i < outputs.size(); ++i) {
      sums[kSum] += targets[i] * (norm - outputs[i]);
    }
    ++sums[kOf];
  });
}

void SigmoidCrossEntropy(const MetricBatch& batch, double* sums) {
  ForEachNumber(batch, [sums](double output, double target, double) {
    sums[kSum] += std::max(output, 0.0) - output * target +
                  std::log1p(std::exp(-std::abs(output)));
    ++sums[kOf];
  });
}

void RightClasses(const MetricBatch& batch, double* sums) {
  ForEachVector(batch, [sums](std::span<const float> outputs,
                              std::span<const float> targets) {
    sums[kSum] += ArgMax(outputs) == ArgMax(targets);
    ++sums[kOf];
  });
}

// Of the class that is chosen at each position: whether it is among the
// targets; of those chosen, or of all that were to be.
void Precisions(const MetricBatch& batch, double* sums) {
  ForEachVector(batch, [sums](std::span<const float> outputs,
                              std::span<const float> targets) {
    sums[kSum] += targets[ArgMax(outputs)] != 0;
    ++sums[kOf];
  });
}

void Recalls(const MetricBatch& batch, double* sums) {
  ForEachVector(batch, [sums](std::span<const float> outputs,
                              std::span<const float> targets) {
    sums[kSum] += targets[ArgMax(outputs)] != 0;
    for (const float target : targets) sums[kOf] += target != 0;
  });
}

// Outputs are probabilities of class 1.
void RightOfTwo(const MetricBatch& batch, double* sums) {
  ForEachNumber(batch, [sums](double output, double target, double) {
    sums[kSum] += std::nearbyint(output) == target;
    ++sums[kOf];
  });
}

void LikelihoodOfTwo(const MetricBatch& batch, double* sums) {
  ForEachNumber(batch, [sums](double output, double target, double) {
    sums[kSum] += std::log(target != 0 ? output : 1 - output);
    ++sums[kOf];
  });
}

// How many of three people gave the answer that is chosen (Antol et al. 2015,
// arXiv:1505.00468): a row's targets are answers, 0 is none.
void AnswersOfThree(const MetricBatch& batch, double* sums) {
  const auto classes = static_cast<size_t>(batch.classes);
  const auto rows = static_cast<size_t>(batch.rows);
  if (rows == 0 || classes == 0) return;
  const size_t answers = batch.numbers.size() / rows;
  const size_t positions = batch.outputs.size() / classes / rows;
  for (size_t row = 0; row < rows; ++row) {
    double same = 0;
    for (size_t i = 0; i < answers; ++i) {
      // One output for all answers, or one for each.
      const size_t at = row * positions + std::min(i, positions - 1);
      const size_t chosen =
          ArgMax(batch.outputs.subspan(at * classes, classes));
      const auto answer = static_cast<size_t>(batch.numbers[row * answers + i]);
      same += answer != 0 && answer == chosen;
    }
    sums[kSum] += std::min(same / 3, 1.0);
    ++sums[kOf];
  }
}

Metric Numbers(const char* name, bool lower_is_better,
               void (*count)(const MetricBatch&, double*),
               double (*result)(const double*) = Mean, size_t num_sums = 2) {
  Metric metric;
  metric.name = name;
  metric.num_sums = num_sums;
  metric.lower_is_better = lower_is_better;
  metric.needs_outputs = true;
  metric.count = count;
  metric.result = result;
  return metric;
}

}  // namespace

std::vector<Metric> NumberMetrics() {
  return {
      Numbers("rmse", true, SquaredErrors,
              [](const double* sums) { return std::sqrt(Mean(sums)); }),
      Numbers("unpadded_mse", true, SquaredErrors),
      Numbers("mean_absolute_error", true, AbsoluteErrors),
      Numbers("log_poisson", true, LogPoissons),
      Numbers("r_squared", false, Variances, ExplainedVariance, kVarianceSums),
      Numbers("pearson", false, Moments, Pearson, kMoments),
      Numbers("softmax_cross_entropy_one_hot", true, SoftmaxCrossEntropy),
      Numbers("sigmoid_cross_entropy_one_hot", true, SigmoidCrossEntropy),
      Numbers("sigmoid_accuracy_one_hot", false, RightClasses),
      Numbers("sigmoid_precision_one_hot", false, Precisions),
      Numbers("sigmoid_recall_one_hot", false, Recalls),
      Numbers("two_class_accuracy", false, RightOfTwo),
      Numbers("two_class_log_likelihood", false, LikelihoodOfTwo),
      Numbers("accuracy_multilabel_match3", false, AnswersOfThree),
  };
}

}  // namespace t2t
