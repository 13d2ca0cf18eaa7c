// The problem next_letter: "hello" becomes "ifmmp"; and the metric
// first_letter: how many words begin right.

#include <algorithm>
#include <memory>
#include <string>

#include "t2t/base/rng.h"
#include "t2t/metrics/metric_registry.h"
#include "t2t/problem/text_kinds.h"
#include "t2t/problem/text_source.h"
#include "usr_dir.h"

namespace usr_dir {
namespace {

using t2t::DataSplit;

constexpr int64_t kTrainLines = 2000;
constexpr int64_t kOtherLines = 100;
constexpr uint64_t kMostLetters = 12;

std::string NextLetters(std::string text) {
  for (char& letter : text) {
    letter = letter == 'z' ? 'a' : static_cast<char>(letter + 1);
  }
  return text;
}

// What the examples are made of: words that a seed says.
class Words : public t2t::Source {
 public:
  explicit Words(int64_t seed) : seed_(static_cast<uint64_t>(seed)) {}

  int64_t size(DataSplit split) const override {
    return split == DataSplit::kTrain ? kTrainLines : kOtherLines;
  }

  std::unique_ptr<t2t::ExampleSource> Open(DataSplit split) const override {
    t2t::Rng rng(t2t::Rng::Combine(seed_, t2t::SplitName(split)));
    return t2t::ExamplesOfText(
        [rng, left = size(split)](t2t::TextSample* sample) mutable {
          if (left-- == 0) return false;
          sample->inputs.clear();
          const uint64_t letters = 1 + rng.Below(kMostLetters);
          for (uint64_t i = 0; i < letters; ++i) {
            sample->inputs += static_cast<char>('a' + rng.Below(26));
          }
          sample->targets = NextLetters(sample->inputs);
          return true;
        });
  }

 private:
  uint64_t seed_;
};

t2t::Problem NextLetter() {
  t2t::Problem problem =
      t2t::TextToText("next_letter", t2t::Bytes(), t2t::Bytes());
  problem.features["targets"].modality = "symbol_unsmoothed";
  problem.open = [](const t2t::SourceContext& context) {
    return std::make_unique<Words>(context.options.seed);
  };
  problem.metrics.push_back("first_letter");
  problem.splits = t2t::TrainDev(1);
  return problem;
}

t2t::Metric FirstLetter() {
  t2t::Metric metric;
  metric.name = "first_letter";
  metric.num_sums = 2;
  metric.count = [](const t2t::MetricBatch& batch, double* sums) {
    for (int64_t row = 0; row < batch.rows; ++row) {
      const int64_t first = row * batch.length;
      sums[0] += batch.predictions[first] == batch.labels[first];
    }
    sums[1] = static_cast<double>(batch.rows);
  };
  metric.result = [](const double* sums) { return sums[0] / sums[1]; };
  return metric;
}

}  // namespace

void RegisterProblem(t2t::ProblemRegistry& problems) {
  problems.Add("next_letter", NextLetter);
  t2t::AddMetric(FirstLetter());
}

}  // namespace usr_dir
