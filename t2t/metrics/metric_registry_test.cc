#include "t2t/metrics/metric_registry.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/metrics/sari.h"

namespace t2t {
namespace {

// Two rows: all right; one of two wrong, then padding.
struct Rows {
  std::vector<int64_t> predictions = {2, 3, 4, 5, 1, 3, 1, 7, 7, 7};
  std::vector<int64_t> labels = {2, 3, 4, 5, 1, 2, 1, 0, 0, 0};
  std::vector<float> weights = {1, 1, 1, 1, 1, 1, 1, 0, 0, 0};
  std::vector<int64_t> above = {0, 0, 0, 0, 0, 4, 0, 9, 9, 9};

  double Result(const std::string& name) const {
    const Metric& metric = *FindMetric(name);
    MetricBatch batch;
    batch.rows = 2;
    batch.length = 5;
    batch.predictions = predictions;
    batch.labels = labels;
    batch.weights = weights;
    batch.above = above;
    batch.loss = 3.5;
    batch.tokens = 7;
    std::vector<double> sums(metric.num_sums, 0.0);
    metric.count(batch, sums.data());
    return metric.result(sums.data());
  }
};

TEST(MetricRegistryTest, ByHand) {
  const Rows rows;
  EXPECT_NEAR(rows.Result("accuracy"), 6.0 / 7.0, 1e-12);
  EXPECT_NEAR(rows.Result("accuracy_top5"), 1.0, 1e-12);
  EXPECT_NEAR(rows.Result("accuracy_per_sequence"), 0.5, 1e-12);
  EXPECT_NEAR(rows.Result("neg_log_perplexity"), -0.5, 1e-12);
  EXPECT_NEAR(rows.Result("edit_distance"), 1.0 / 7.0, 1e-12);
  // 6/7 unigrams, 4/5 bigrams, 3/3 trigrams, 2/2 of four.
  EXPECT_NEAR(rows.Result("approx_bleu_score"),
              std::pow(6.0 / 7.0 * 4.0 / 5.0, 0.25), 1e-12);
  EXPECT_NEAR(rows.Result("rouge_2_fscore"), 0.5, 1e-6);
  EXPECT_NEAR(rows.Result("rouge_L_fscore"), 0.75, 1e-6);
}

TEST(MetricRegistryTest, TheFifthIsAmongTheFirstFiveTheSixthIsNot) {
  Rows rows;
  rows.above[5] = 5;
  EXPECT_NEAR(rows.Result("accuracy_top5"), 6.0 / 7.0, 1e-12);
}

std::vector<float> Floats(const Json& tensor) {
  std::vector<float> values;
  for (const Json& value : tensor.At("values").items()) {
    values.push_back(static_cast<float>(value.AsDouble()));
  }
  return values;
}

std::vector<int64_t> Ids(const Json& list) {
  std::vector<int64_t> ids;
  for (const Json& id : list.items()) {
    ids.push_back(static_cast<int64_t>(id.AsDouble()));
  }
  return ids;
}

int64_t SizeOf(const Json& tensor, size_t dimension) {
  return tensor.At("shape").items().at(dimension).AsInt();
}

// The place of the largest of each position's outputs.
std::vector<int64_t> ArgMax(const std::vector<float>& outputs, size_t classes) {
  std::vector<int64_t> ids;
  for (size_t i = 0; i < outputs.size(); i += classes) {
    const auto begin = outputs.begin() + static_cast<std::ptrdiff_t>(i);
    ids.push_back(
        std::max_element(begin, begin + static_cast<std::ptrdiff_t>(classes)) -
        begin);
  }
  return ids;
}

// tests/golden/metrics/values.json, made by tools/golden/metric_values.py out
// of what T2T's own functions make of the same tensors.
TEST(MetricRegistryTest, AsT2Ts) {
  const Json golden = Json::Parse(ReadFile("tests/golden/metrics/values.json"));
  EXPECT_GE(golden.At("cases").items().size(), 35u);
  for (const Json& c : golden.At("cases").items()) {
    const std::string name = c.At("metric").AsString();
    SCOPED_TRACE(name + " of " + c.At("predictions").AsString() + ", " +
                 c.At("weights").AsString());
    const Json& outputs =
        golden.At("tensors").At(c.At("predictions").AsString());
    const Json& labels = golden.At("tensors").At(c.At("labels").AsString());
    const std::vector<float> all = Floats(outputs);
    const std::vector<float> numbers = Floats(labels);
    MetricBatch batch;
    batch.rows = SizeOf(outputs, 0);
    batch.length = SizeOf(outputs, 1);
    batch.classes = SizeOf(outputs, outputs.At("shape").items().size() - 1);
    batch.outputs = all;
    batch.numbers = numbers;
    const std::vector<int64_t> predictions =
        ArgMax(all, static_cast<size_t>(batch.classes));
    std::vector<int64_t> ids;
    for (const float number : numbers) {
      // (roc_auc takes what is not 0 for the class 1.)
      ids.push_back(name == "roc_auc" ? number != 0
                                      : static_cast<int64_t>(number));
    }
    std::vector<float> weights;
    for (const float number : numbers) {
      weights.push_back(c.At("weights").AsString() != "weights_nonzero" ||
                        number != 0);
    }
    batch.predictions = predictions;
    batch.labels = ids;
    batch.weights = weights;
    const Metric* const metric = FindMetric(name);
    ASSERT_NE(metric, nullptr);
    std::vector<double> sums(metric->num_sums, 0.0);
    metric->count(batch, sums.data());
    const double value = c.At("value").AsDouble();
    EXPECT_NEAR(metric->result(sums.data()), value,
                1e-5 * (1 + std::abs(value)));
  }
}

TEST(MetricRegistryTest, SariAsT2Ts) {
  const Json golden = Json::Parse(ReadFile("tests/golden/metrics/values.json"));
  for (const Json& c : golden.At("sari").items()) {
    std::vector<std::vector<int64_t>> targets;
    for (const Json& target : c.At("targets").items()) {
      targets.push_back(Ids(target));
    }
    const std::vector<int64_t> source = Ids(c.At("source"));
    const std::vector<int64_t> prediction = Ids(c.At("prediction"));
    const auto expect = [&](const char* key, double beta) {
      const SariScore sari = Sari(source, prediction, targets, beta);
      const double ours[] = {sari.score, sari.keep, sari.addition,
                             sari.deletion};
      for (size_t i = 0; i < 4; ++i) {
        EXPECT_NEAR(ours[i], c.At(key).items()[i].AsDouble(), 1e-9)
            << key << " " << i;
      }
    };
    expect("sari_keep_add_del", 0);
    expect("sari_beta1", 1);
  }
  // Of rows of ids, with what was to be simplified.
  const std::vector<int64_t> inputs = {4, 5, 6, 0}, right = {4, 6, 1};
  const std::vector<float> ones(3, 1);
  MetricBatch batch;
  batch.rows = 1;
  batch.length = 3;
  batch.predictions = right;
  batch.labels = right;
  batch.weights = ones;
  batch.input_length = 4;
  batch.inputs = inputs;
  const Metric& metric = *FindMetric("approx_sari_score");
  EXPECT_TRUE(metric.needs_inputs);
  double sums[2] = {};
  metric.count(batch, sums);
  EXPECT_NEAR(metric.result(sums), 1.0, 1e-9);
}

// Sums of two batches are those of one of both.
TEST(MetricRegistryTest, NumbersAddUpOverBatches) {
  const std::vector<float> outputs = {1, 2, 3, 5}, numbers = {1, 4, 2, 9};
  for (const char* const name :
       {"rmse", "unpadded_mse", "mean_absolute_error", "r_squared", "pearson",
        "two_class_accuracy"}) {
    const Metric& metric = *FindMetric(name);
    EXPECT_TRUE(metric.needs_outputs);
    const auto sums_of = [&](size_t begin, size_t size) {
      MetricBatch batch;
      batch.rows = static_cast<int64_t>(size);
      batch.length = batch.classes = 1;
      batch.outputs = std::span(outputs).subspan(begin, size);
      batch.numbers = std::span(numbers).subspan(begin, size);
      std::vector<double> sums(metric.num_sums, 0.0);
      metric.count(batch, sums.data());
      return sums;
    };
    std::vector<double> added = sums_of(0, 3);
    const std::vector<double> rest = sums_of(3, 1);
    for (size_t i = 0; i < added.size(); ++i) added[i] += rest[i];
    EXPECT_NEAR(metric.result(added.data()),
                metric.result(sums_of(0, 4).data()), 1e-12)
        << name;
  }
  MetricBatch batch;
  const std::vector<float> shares = {0.25, 0.75}, classes = {0, 1};
  batch.outputs = shares;
  batch.numbers = classes;
  double sums[2] = {};
  FindMetric("two_class_log_likelihood")->count(batch, sums);
  EXPECT_NEAR(sums[0] / sums[1], std::log(0.75), 1e-7);
}

TEST(MetricRegistryTest, OnesOwnBesideT2Ts) {
  Metric mine;
  mine.name = "rows";
  mine.num_sums = 1;
  mine.lower_is_better = true;
  mine.count = [](const MetricBatch& batch, double* sums) {
    sums[0] = static_cast<double>(batch.rows);
  };
  mine.result = [](const double* sums) { return sums[0]; };
  AddMetric(mine);
  EXPECT_EQ(Rows().Result("rows"), 2);
  EXPECT_TRUE(LowerIsBetter("rows"));
  EXPECT_THROW(AddMetric(mine), Error);
  mine.name = "loss";
  EXPECT_THROW(AddMetric(mine), Error);
  EXPECT_TRUE(LowerIsBetter("loss"));
  EXPECT_TRUE(LowerIsBetter("edit_distance"));
  EXPECT_FALSE(LowerIsBetter("accuracy"));
  EXPECT_EQ(FindMetric("image_summary"), nullptr);
}

}  // namespace
}  // namespace t2t
