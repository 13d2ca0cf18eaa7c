#include "launch/app/estimate.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "launch/render/prototypes.h"
#include "t2t/base/error.h"

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

ModelCost Cost(const std::string& set, const std::string& changes,
               int64_t vocabulary) {
  return TransformerCost(MakeHParams(set, changes), {vocabulary, vocabulary});
}

// What "t2t-trainer --dry_run" prints for translate_ende_multi30k.
// (//tests/launch:estimate_models_test compares with the models themselves.)
TEST(EstimateTest, ParametersAreTheDryRuns) {
  EXPECT_EQ(Cost("transformer_tiny", "", 8079).parameters, 1961344);
  EXPECT_EQ(Cost("transformer_multi30k", "", 8079).parameters, 2357632);
  EXPECT_EQ(Cost("transformer_base", "", 8079).parameters, 48256512);
  EXPECT_EQ(Cost("transformer_big", "", 8079).parameters, 184593408);
  EXPECT_EQ(Cost("transformer_base", "", 151).parameters, 44197376);
}

// The dry run's FLOPs are of a batch with a little less than batch_size symbols
// on each side, padding left out and the loss counted double; its memory is
// what the process grew by.
TEST(EstimateTest, FlopsAndMemoryAreNearTheDryRuns) {
  const auto near = [](double value, double measured, double low, double high) {
    EXPECT_GT(value, low * measured);
    EXPECT_LT(value, high * measured);
  };
  near(Cost("transformer_tiny", "", 8079).flops, 6.1e10, 0.75, 1.3);
  near(Cost("transformer_multi30k", "", 8079).flops, 6.91e10, 0.75, 1.3);
  near(Cost("transformer_base", "", 8079).flops, 1.08e12, 0.75, 1.3);
  near(Cost("transformer_big", "", 8079).flops, 2.26e12, 0.75, 1.3);
  near(Cost("transformer_base", "", 8079).state_bytes, 772e6, 0.99, 1.01);
  near(Cost("transformer_big", "", 8079).state_bytes, 2953e6, 0.99, 1.01);
  near(Cost("transformer_tiny", "", 8079).activation_bytes, 182e6, 0.7, 2);
  near(Cost("transformer_multi30k", "", 8079).activation_bytes, 257e6, 0.7, 2);
  near(Cost("transformer_base", "", 8079).activation_bytes, 1244e6, 0.7, 2);
}

TEST(EstimateTest, Optimizers) {
  const double weights = 4.0 * 1961344;
  const auto state = [](const std::string& changes) {
    return Cost("transformer_tiny", changes, 8079).state_bytes;
  };
  EXPECT_EQ(state("optimizer=sgd"), 2 * weights);
  EXPECT_EQ(state("optimizer=momentum"), 3 * weights);
  EXPECT_EQ(state("optimizer=adam"), 4 * weights);
  EXPECT_LT(state("optimizer=adafactor"), 2.1 * weights);
}

TEST(EstimateTest, TimeAndCost) {
  const TrainingEstimate estimate =
      EstimateTraining(Train({{"hparams_set", "transformer_big"},
                              {"hparams", "activation_dtype=bfloat16"},
                              {"workers", "2"},
                              {"gpus", "4"},
                              {"gpu_type", "a100-40gb"},
                              {"gpu_hour_price", "1.5"},
                              {"train_steps", "100000"}}),
                       {});
  EXPECT_EQ(estimate.none, "");
  EXPECT_FALSE(estimate.vocabulary_known);
  EXPECT_EQ(estimate.vocabularies.targets, 8192);
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
  const TrainingEstimate estimate = EstimateTraining(Train(large), {});
  ASSERT_EQ(EstimateErrors(estimate).size(), 1);
  EXPECT_NE(EstimateErrors(estimate)[0].find("a GPU has 80.0 GB"),
            std::string::npos);
  EXPECT_TRUE(EstimateWarnings(estimate).empty());
  // Only the batch is too large.
  const TrainingEstimate batch = EstimateTraining(
      Train({{"hparams", "batch_size=200000"}, {"memory", "8Gi"}}), {});
  EXPECT_TRUE(EstimateErrors(batch).empty());
  EXPECT_EQ(EstimateWarnings(batch).size(), 1);
  // Shards of the state on several ranks.
  Settings sharded = large;
  sharded.emplace_back("trainer_args", "--zero=3");
  EXPECT_TRUE(EstimateErrors(EstimateTraining(Train(sharded), {})).empty());
}

TEST(EstimateTest, WhereNoneIsMade) {
  const auto none = [](const Settings& settings) {
    return EstimateTraining(Train(settings), {}).none;
  };
  EXPECT_NE(none({{"model", "lstm_seq2seq"}}).find("lstm_seq2seq"),
            std::string::npos);
  EXPECT_NE(none({{"hparams", "ffn_layer=sepconv"}}).find("ffn_layer"),
            std::string::npos);
  EXPECT_NE(none({{"hparams", "self_attention_type=local_unmasked"}})
                .find("self_attention_type"),
            std::string::npos);
  EXPECT_NE(none({{"problem", "image_mnist"}}), "");
  EXPECT_NE(none({{"hparams_set", "transformer_bse"}}), "");
  EXPECT_EQ(none({{"problem", "algorithmic_reverse_binary40"}}), "");
  EXPECT_EQ(none({{"problem", "translate_ende_multi30k_rev"}}), "");
}

}  // namespace
}  // namespace t2t
