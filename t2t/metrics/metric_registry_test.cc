#include "t2t/metrics/metric_registry.h"

#include <gtest/gtest.h>

#include <cmath>

#include "t2t/base/error.h"

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
  EXPECT_EQ(FindMetric("roc_auc"), nullptr);
}

}  // namespace
}  // namespace t2t
