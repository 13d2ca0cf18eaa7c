#ifndef T2T_METRICS_METRIC_REGISTRY_H_
#define T2T_METRICS_METRIC_REGISTRY_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace t2t {

// What teacher forcing made of one batch, row by row: of sequences of ids, or
// of numbers.
struct MetricBatch {
  int64_t rows = 0;
  int64_t length = 0;
  std::span<const int64_t> predictions;  // [rows * length], of the argmax
  std::span<const int64_t> labels;
  std::span<const float> weights;  // 0: the position counts nothing
  // How many classes are above the label, where a metric asks for it.
  std::span<const int64_t> above;
  // Of the inputs, where a metric asks for them: [rows * input_length].
  int64_t input_length = 0;
  std::span<const int64_t> inputs;
  // Where a metric asks for them: the model's outputs, so many for each
  // position, and the targets as they are, which are as many (one number for
  // each class) or one for each position.
  int64_t classes = 0;
  std::span<const float> outputs;
  std::span<const float> numbers;
  double loss = 0;    // the cross entropies' weighted sum
  double tokens = 0;  // the weights' sum
};

// A metric of T2T's over a whole evaluation: numbers that each batch adds (so
// that other processes' can be added here), and what they come to.
struct Metric {
  std::string name;
  size_t num_sums = 0;
  bool lower_is_better = false;
  bool needs_above = false;
  // Sets the batch's num_sums numbers, which are 0 before.
  std::function<void(const MetricBatch&, double* sums)> count;
  std::function<double(const double* sums)> result;
  // Of numbers: such metrics are those of targets that are no ids, others those
  // of ids.
  bool needs_outputs = false;
  bool needs_inputs = false;
};

// T2T's that are computed here, and those that a plug-in has added; null: none
// of this name.
const Metric* FindMetric(const std::string& name);
// For a metric of one's own. Throws a usage error where the name is taken.
void AddMetric(Metric metric);
std::vector<std::string> MetricNames();  // sorted

// The mean cross entropy, which every evaluation has.
inline constexpr char kLossMetric[] = "loss";
// Whether a smaller value of this metric, or of the loss, is a better one.
bool LowerIsBetter(const std::string& metric);

}  // namespace t2t

#endif  // T2T_METRICS_METRIC_REGISTRY_H_
