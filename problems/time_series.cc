// Several series of numbers at a time, to be continued: T2T's
// data_generators/timeseries.py. The noise of the synthetic ones is drawn by a
// generator of our own.

#include <cmath>
#include <memory>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include "problems/all_problems.h"
#include "t2t/base/rng.h"
#include "t2t/problem/sample_source.h"
#include "t2t/problem/text_kinds.h"

namespace t2t {
namespace {

using Series = std::vector<std::vector<float>>;  // [time][series]

struct SeriesRow {
  std::string name;
  Series (*make)(uint64_t seed);
  int64_t num_series;
  int64_t input_times, target_times;
  std::vector<SplitSpec> splits;
  float scale =
      1;  // what the numbers are multiplied by on their way to a model
};

Series Counting(uint64_t /*seed*/) {
  Series series;
  for (int time = 0; time < 10; ++time) {
    series.push_back({static_cast<float>(time), static_cast<float>(time + 1)});
  }
  return series;
}

// Slope and level of a line, amplitude and period of a wave on it, deviation of
// the noise.
struct Wave {
  double slope, level, amplitude, period, noise;
  bool cosine;
};
constexpr Wave kWaves[] = {
    {0.006, 300, 50, 1500, 15, false},  {0, 500, 35, 3500, 25, true},
    {-0.003, 800, 65, 2500, 5, false},  {0.009, 600, 20, 1000, 1, true},
    {0.002, 700, 40, 2000, 35, false},  {-0.008, 1000, 70, 3000, 25, true},
    {0, 100, 25, 1500, 10, false},      {0.004, 1500, 54, 900, 55, true},
    {0.005, 2000, 32, 1100, 43, false}, {0.010, 2500, 43, 1900, 53, true}};

Series Waves(uint64_t seed) {
  constexpr int kTimes = 100000;
  Rng rng(seed);
  Series series(kTimes);
  for (int time = 0; time < kTimes; ++time) {
    for (const Wave& wave : kWaves) {
      const double angle = time / wave.period;
      // Box and Muller; 1 - u is never 0.
      const double normal = std::sqrt(-2 * std::log(1 - rng.Uniform())) *
                            std::cos(2 * std::numbers::pi * rng.Uniform());
      const double value =
          wave.slope * time + wave.level +
          wave.amplitude * (wave.cosine ? std::cos(angle) : std::sin(angle)) +
          wave.noise * normal;
      series[time].push_back(static_cast<float>(std::max(value, 0.0)));
    }
  }
  return series;
}

std::vector<float> Flat(const Series& series, int64_t begin, int64_t end) {
  std::vector<float> flat;
  for (int64_t time = begin; time < end; ++time) {
    flat.insert(flat.end(), series[time].begin(), series[time].end());
  }
  return flat;
}

// Each window of the series: what was, and what comes.
NextExample Windows(const SeriesRow& row, uint64_t seed) {
  const auto series = std::make_shared<const Series>(row.make(seed));
  return [row, series, now = row.input_times](Example* example) mutable {
    if (now + row.target_times > static_cast<int64_t>(series->size())) {
      return false;
    }
    *example = {};
    if (row.input_times > 0) {
      example->features["inputs"] = Flat(*series, now - row.input_times, now);
    }
    example->features["targets"] = Flat(*series, now, now + row.target_times);
    ++now;
    return true;
  };
}

FeatureSpec Numbers(const SeriesRow& row, int64_t times) {
  FeatureSpec feature;
  feature.modality = "real_l2";
  feature.vocabulary.size = row.num_series;
  feature.shape = {times, 1, row.num_series};
  feature.ends_at_eos = false;
  feature.space_id = 24;  // REAL
  return feature;
}

Problem MakeSeries(const SeriesRow& row) {
  Problem problem;
  problem.name = row.name;
  problem.data_name = row.name;
  if (row.input_times > 0) {
    problem.features["inputs"] = Numbers(row, row.input_times);
  }
  problem.features["targets"] = Numbers(row, row.target_times);
  problem.metrics = {"rmse"};
  problem.splits = row.splits;
  Step scaled;
  scaled.name = "scale";
  scaled.run = [scale = row.scale](Example* example, const StepContext&) {
    for (auto& [name, feature] : example->features) {
      auto* const numbers = std::get_if<std::vector<float>>(&feature);
      if (numbers == nullptr) continue;
      for (float& number : *numbers) number *= scale;
    }
    return true;
  };
  scaled.lengths = KeepsLengths;
  problem.steps = {std::move(scaled)};
  ReadBy({[row](const SampleFiles& files) { return Windows(row, files.seed); },
          /*dealt=*/true},
         &problem);
  return problem;
}

}  // namespace

void RegisterTimeSeries(ProblemRegistry& problems) {
  const SeriesRow rows[] = {
      {"timeseries_toy_problem", Counting, 2, 2, 2, TrainDev(1)},
      {"timeseries_toy_problem_no_inputs", Counting, 2, 0, 2, TrainDev(1)},
      {"timeseries_synthetic_data_series10_samples100k", Waves, 10, 250, 100,
       TrainDevTest(9), 0.01F}};
  for (const SeriesRow& row : rows) {
    problems.Add(row.name, [row] { return MakeSeries(row); });
  }
}

}  // namespace t2t
