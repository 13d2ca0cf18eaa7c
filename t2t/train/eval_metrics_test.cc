#include "t2t/train/eval_metrics.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>

namespace t2t {
namespace {

ProblemInfo ToyInfo() {
  ProblemInfo info;
  info.features["targets"].vocab_size = 11;
  return info;
}

TEST(EvalMetricsTest, ByHand) {
  const ProblemInfo info = ToyInfo();
  HParams hparams;
  EvalMetrics metrics(
      {"accuracy", "accuracy_top5", "accuracy_per_sequence",
       "neg_log_perplexity", "approx_bleu_score", "edit_distance",
       "rouge_2_fscore", "rouge_L_fscore", "image_summary", "rmse"},
      info, hparams);
  // Two sequences: all right; one of two wrong; padding does not count.
  at::Tensor logits = at::zeros({2, 5, 8});
  const int64_t targets[2][5] = {{2, 3, 4, 5, 1}, {2, 1, 0, 0, 0}};
  const int64_t outputs[2][5] = {{2, 3, 4, 5, 1}, {3, 1, 7, 7, 7}};
  at::Tensor labels = at::zeros({2, 5}, at::kLong);
  for (int row = 0; row < 2; ++row) {
    for (int i = 0; i < 5; ++i) {
      logits[row][i][outputs[row][i]] = 4.0;
      labels[row][i] = targets[row][i];
    }
  }
  metrics.Add(metrics.SumsOf(logits, labels));
  const std::map<std::string, double> results = metrics.Results();
  EXPECT_NEAR(results.at("accuracy"), 6.0 / 7.0, 1e-9);
  EXPECT_NEAR(results.at("accuracy_top5"), 1.0, 1e-9);
  EXPECT_NEAR(results.at("accuracy_per_sequence"), 0.5, 1e-9);
  const double norm = std::log(std::exp(4.0) + 7.0);
  EXPECT_NEAR(results.at("loss"), (6.0 * (norm - 4.0) + norm) / 7.0, 1e-5);
  EXPECT_NEAR(results.at("edit_distance"), 1.0 / 7.0, 1e-9);
  // 6/7 unigrams, 4/5 bigrams, 3/3 trigrams, 2/2 of four.
  EXPECT_NEAR(results.at("approx_bleu_score"),
              std::pow(6.0 / 7.0 * 4.0 / 5.0, 0.25), 1e-9);
  EXPECT_NEAR(results.at("rouge_2_fscore"), 0.5, 1e-6);
  EXPECT_NEAR(results.at("rouge_L_fscore"), 0.75, 1e-6);
  // No number; and one of numbers, which ids are not.
  EXPECT_EQ(results.count("image_summary"), 0u);
  EXPECT_EQ(results.count("rmse"), 0u);
}

TEST(EvalMetricsTest, OfNumbers) {
  ProblemInfo info = ToyInfo();
  info.features["targets"].modality = "real_l2";
  EvalMetrics metrics({"rmse", "accuracy"}, info, HParams());
  EXPECT_TRUE(metrics.needs_outputs());
  LossParts loss;
  loss.numerator = at::full({}, 6.0);
  loss.denominator = at::full({}, 4.0);
  const at::Tensor targets = at::arange(4, at::kFloat).view({2, 2, 1});
  metrics.Add(metrics.SumsOf(loss, targets + 3, targets));
  metrics.Add(metrics.SumsOf(loss, targets - 1, targets));
  const std::map<std::string, double> results = metrics.Results();
  EXPECT_NEAR(results.at("rmse"), std::sqrt((9 + 1) / 2.0), 1e-6);
  EXPECT_NEAR(results.at("loss"), 1.5, 1e-9);
  EXPECT_EQ(results.count("accuracy"), 0u);
}

TEST(EvalMetricsTest, Top5NeedsTheFirstFive) {
  HParams hparams;
  EvalMetrics metrics({"accuracy_top5"}, ToyInfo(), hparams);
  const at::Tensor logits = at::arange(8, at::kFloat).reshape({1, 1, 8});
  metrics.Add(metrics.SumsOf(logits, at::full({1, 1}, 3, at::kLong)));
  EXPECT_EQ(metrics.Results().at("accuracy_top5"), 1.0);
  metrics.Add(metrics.SumsOf(logits, at::full({1, 1}, 2, at::kLong)));
  EXPECT_EQ(metrics.Results().at("accuracy_top5"), 0.5);
}

}  // namespace
}  // namespace t2t
