#include "launch/app/estimate.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "launch/app/testing_components.h"
#include "launch/render/prototypes.h"

namespace t2t {
namespace {

using Settings = std::vector<std::pair<std::string, std::string>>;

Component Train(const Settings& settings) {
  Component component;
  component.app = "ende";
  component.name = "train";
  component.prototype = "train";
  component.params = Params(FindPrototype("train").params);
  for (const auto& [name, text] : settings) {
    component.params.SetText(name, text, "test");
  }
  return component;
}

TrainingEstimate Estimate(const Settings& settings) {
  return EstimateTraining(Train(settings), {}, TestingCosts().get());
}

TEST(EstimateTest, TimeAndCost) {
  const TrainingEstimate estimate =
      Estimate({{"hparams_set", "transformer_big"},
                {"hparams", "activation_dtype=bfloat16"},
                {"workers", "2"},
                {"gpus", "4"},
                {"gpu_type", "a100-40gb"},
                {"gpu_hour_price", "1.5"},
                {"train_steps", "100000"}});
  EXPECT_EQ(estimate.none, "");
  EXPECT_FALSE(estimate.vocabulary_known);
  EXPECT_EQ(estimate.targets, 8192);
  EXPECT_EQ(estimate.processes, 8);
  EXPECT_NEAR(estimate.step_seconds, estimate.cost.flops / (0.35 * 312e12),
              1e-9);
  EXPECT_NEAR(estimate.hours, estimate.step_seconds * 100000 / 3600, 1e-6);
  EXPECT_NEAR(estimate.price, estimate.hours * 8 * 1.5, 1e-6);
  EXPECT_TRUE(EstimateErrors(estimate).empty());
  EXPECT_TRUE(EstimateWarnings(estimate).empty());
  const std::string text = EstimateText(estimate);
  EXPECT_NE(text.find("parameters:  184,709,120"), std::string::npos) << text;
  EXPECT_NE(text.find("8 GPUs"), std::string::npos) << text;
  EXPECT_NE(text.find("at a cost of"), std::string::npos) << text;
}

TEST(EstimateTest, WhatDoesNotFit) {
  // 13 billion parameters on one GPU.
  const Settings large = {
      {"hparams", "hidden_size=8192,filter_size=32768,num_hidden_layers=10"},
      {"gpus", "1"},
      {"gpu_type", "h100"}};
  const TrainingEstimate estimate = Estimate(large);
  ASSERT_EQ(EstimateErrors(estimate).size(), 1);
  EXPECT_NE(EstimateErrors(estimate)[0].find("a GPU has 80.0 GB"),
            std::string::npos);
  EXPECT_TRUE(EstimateWarnings(estimate).empty());
  // Only the batch is too large.
  const TrainingEstimate batch =
      Estimate({{"hparams", "batch_size=200000"}, {"memory", "8Gi"}});
  EXPECT_TRUE(EstimateErrors(batch).empty());
  EXPECT_EQ(EstimateWarnings(batch).size(), 1);
  // Shards of the state on several ranks.
  Settings sharded = large;
  sharded.emplace_back("trainer_args", "--zero=3");
  EXPECT_TRUE(EstimateErrors(Estimate(sharded)).empty());
}

// The state is known of a model that could not be run; what is not is said.
TEST(EstimateTest, WhereAStepIsNotKnown) {
  const TrainingEstimate estimate = Estimate(
      {{"hparams", "hidden_size=8192,filter_size=32768,num_hidden_layers=10"},
       {"gpus", "1"},
       {"gpu_type", "h100"}});
  EXPECT_EQ(estimate.none, "");
  EXPECT_EQ(estimate.step_seconds, 0);
  const std::string text = EstimateText(estimate);
  EXPECT_NE(text.find("more than "), std::string::npos) << text;
  EXPECT_NE(text.find("a step:      not known: the model is too large"),
            std::string::npos)
      << text;
}

TEST(EstimateTest, WhereNoneIsMade) {
  const auto none = [](const Settings& settings) {
    return Estimate(settings).none;
  };
  // Not asked yet.
  EXPECT_NE(none({{"model", "lstm_seq2seq"}}).find("lstm_seq2seq"),
            std::string::npos);
  EXPECT_NE(none({{"hparams_set", "transformer_bse"}}), "");
  EXPECT_NE(none({{"problem", "translate_nothing"}}), "");
  // Other models and problems.
  EXPECT_EQ(none({{"model", "lstm_seq2seq_attention"},
                  {"hparams_set", "lstm_attention"}}),
            "");
  EXPECT_EQ(none({{"model", "basic_fc_relu"},
                  {"hparams_set", "basic_fc_small"},
                  {"problem", "image_mnist"}}),
            "");
  EXPECT_EQ(none({{"problem", "algorithmic_reverse_binary40"},
                  {"hparams_set", "transformer_tiny"}}),
            "");
}

}  // namespace
}  // namespace t2t
