// The problem next_letter: "hello" becomes "ifmmp". And the metric
// first_letter: how often the first one is right.

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

constexpr uint64_t kMostLetters = 12;

class Words : public t2t::Source {
 public:
  explicit Words(uint64_t seed) : seed_(seed) {}

  int64_t size(DataSplit split) const override {
    return split == DataSplit::kTrain ? 2000 : 100;
  }

  std::unique_ptr<t2t::ExampleSource> Open(DataSplit split) const override {
    t2t::Rng rng(t2t::Rng::Combine(seed_, t2t::SplitName(split)));
    return t2t::ExamplesOfText(
        [rng, left = size(split)](t2t::TextSample* sample) mutable {
          if (left-- == 0) return false;
          *sample = {};
          const uint64_t letters = 1 + rng.Below(kMostLetters);
          for (uint64_t i = 0; i < letters; ++i) {
            const auto letter = static_cast<char>(rng.Below(26));
            sample->inputs += static_cast<char>('a' + letter);
            sample->targets += static_cast<char>('a' + (letter + 1) % 26);
          }
          return true;
        });
  }

 private:
  uint64_t seed_;
};

t2t::Problem NextLetter() {
  t2t::Problem problem =
      t2t::TextToText("next_letter", t2t::Bytes(), t2t::Bytes());
  problem.features.at("targets").modality = "symbol_unsmoothed";
  problem.open = [](const t2t::SourceContext& context) {
    return std::make_unique<Words>(static_cast<uint64_t>(context.options.seed));
  };
  problem.splits = t2t::TrainDev(/*train_shards=*/1);
  problem.metrics.push_back("first_letter");
  return problem;
}

t2t::Metric FirstLetter() {
  t2t::Metric metric;
  metric.name = "first_letter";
  metric.num_sums = 2;  // right, all
  metric.count = [](const t2t::MetricBatch& batch, double* sums) {
    for (int64_t row = 0; row < batch.rows; ++row) {
      const auto first = static_cast<size_t>(row * batch.length);
      sums[0] += batch.predictions[first] == batch.labels[first] ? 1 : 0;
      sums[1] += 1;
    }
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
