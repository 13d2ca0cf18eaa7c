#include "launch/app/facts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "hparams/all_hparams.h"
#include "hparams/catalogue.h"
#include "launch/app/testing_components.h"
#include "launch/render/prototypes.h"
#include "launch/render/sweep.h"
#include "t2t/base/strings.h"
#include "t2t/hparams/hparams.h"

namespace t2t {
namespace {

using Settings = std::vector<std::pair<std::string, std::string>>;

Component Make(const std::string& prototype, const Settings& settings = {}) {
  Component component;
  component.app = "ende";
  component.name = prototype;
  component.prototype = prototype;
  component.params = Params(FindPrototype(prototype).params);
  for (const auto& [name, text] : settings) {
    component.params.SetText(name, text, "test");
  }
  component.find = [](const std::string& name) { return Make(name); };
  AddFacts(&component, TestingCosts());
  return component;
}

// "source: value" of a parameter.
std::string Said(const Component& component, const std::string& param) {
  const Params::Value& value = component.params.At(param);
  return value.source + ": " + ParamText(value.value);
}

TEST(FactsTest, MemoryIsTheEstimates) {
  const Component base = Make("train", {{"problem", "translate_ende_wmt32k"}});
  EXPECT_EQ(Said(base, "memory"), "registries: 6Gi");
  EXPECT_EQ(base.params.At("memory").fact,
            "transformer_base on translate_ende_wmt32k needs about 3.1 GB; "
            "half as much again, and /dev/shm");
  EXPECT_EQ(
      Said(Make("train", {{"hparams_set", "transformer_tiny"}}), "memory"),
      "registries: 3Gi");
  // Of other parameters, too.
  const auto gi = [](const Settings& settings) {
    return QuantityValue(Make("train", settings).params.String("memory"));
  };
  EXPECT_GT(gi({{"hparams_set", "transformer_big"}}), gi({}));
  EXPECT_GT(gi({{"hparams", "hidden_size=1024"}}), gi({}));
  EXPECT_LT(gi({{"model", "lstm_seq2seq_attention"}}), gi({}));
  EXPECT_GT(gi({{"shm_size", "20Gi"}}), 20 * 1024.0 * 1024 * 1024);
  // Evaluating needs less.
  EXPECT_LT(QuantityValue(Make("evaluate").params.String("memory")), gi({}));
  EXPECT_EQ(Make("evaluate").params.At("memory").source, kFactSource);
}

TEST(FactsTest, WhereNothingIsKnownTheDefaultStays) {
  for (const Settings& settings :
       std::vector<Settings>{{{"model", "lstm_seq2seq"}},
                             {{"problem", "image_mnist"}},
                             {{"problem", "translate_nothing"}},
                             {{"hparams_set", "transformer_bse"}},
                             {{"hparams", "num_heads=many"}},
                             {{"gpus", "1"}},
                             // A limit below: what is requested must fit in.
                             {{"memory_limit", "2Gi"}}}) {
    EXPECT_EQ(Said(Make("train", settings), "memory"), "default: 4Gi")
        << settings[0].second;
  }
  EXPECT_EQ(Said(Make("datagen", {{"problem", "a,b"}}), "eval_shards"),
            "default: 1");
}

TEST(FactsTest, WhatIsSetCounts) {
  const Component component = Make("train", {{"memory", "9Gi"}});
  EXPECT_EQ(Said(component, "memory"), "test: 9Gi");
  EXPECT_EQ(
      LayersText(component.params.At("memory")),
      "  default: \"4Gi\" (hidden)\n"
      "  registries: \"6Gi\" (hidden)\n"
      "      (transformer_base on translate_ende_multi30k needs about 2.9 GB; "
      "half as much again, and /dev/shm)\n"
      "  test: \"9Gi\"\n");
  // Set once more, a fact is another one, not one more.
  Component again = component;
  again.params.SetText("hparams_set", "transformer_big", "test");
  AddFacts(&again, TestingCosts());
  ASSERT_EQ(again.params.At("memory").hidden.size(), 2);
  EXPECT_NE(again.params.At("memory").hidden[1].fact.find("transformer_big"),
            std::string::npos);
  again = Make("train");
  AddFacts(&again, TestingCosts());
  EXPECT_EQ(again.params.At("memory").hidden.size(), 1);
}

TEST(FactsTest, ModelsAndTheirSets) {
  const auto model = [](const std::string& set) {
    return Said(Make("train", {{"hparams_set", set}}), "model");
  };
  EXPECT_EQ(model("lstm_luong_attention_multi"),
            "registries: lstm_seq2seq_attention");
  EXPECT_EQ(model("transformer_tiny"), "registries: transformer");
  EXPECT_EQ(model("transformer_wikitext103_l4k_memory_v0"),
            "registries: transformer_memory");
  EXPECT_EQ(model("basic_fc_small"), "registries: basic_fc_relu");
  EXPECT_EQ(model("basic_1"), "default: transformer");
  const Component both = Make("train", {{"hparams_set", "transformer_tiny"},
                                        {"model", "transformer_encoder"}});
  EXPECT_EQ(Said(both, "model"), "test: transformer_encoder");
  EXPECT_EQ(Said(Make("train"), "model"), "default: transformer");
  // All of them are registered.
  const std::vector<std::string> models = ModelsHere();
  for (const std::string& name : models) {
    const std::string set =
        Make("evaluate", {{"model", name}}).params.String("hparams_set");
    EXPECT_TRUE(HParamsSets().Has(set)) << set;
  }
  int known = 0;
  for (const std::string& set : SetsHere()) {
    const Component component = Make("train", {{"hparams_set", set}});
    EXPECT_EQ(std::count(models.begin(), models.end(),
                         component.params.String("model")),
              1)
        << set;
    known += component.params.At("model").source == kFactSource;
  }
  EXPECT_GT(known, 100);
}

TEST(FactsTest, LargeCheckpointsTakeTheirTime) {
  EXPECT_EQ(Said(Make("train"), "preemption_grace_seconds"), "default: 120");
  const Component large =
      Make("train",
           {{"hparams", "hidden_size=4096,filter_size=16384"}, {"gpus", "8"}});
  EXPECT_EQ(large.params.At("preemption_grace_seconds").source, kFactSource);
  EXPECT_GT(large.params.Int("preemption_grace_seconds"), 120);
  EXPECT_LE(large.params.Int("preemption_grace_seconds"), 3600);
}

TEST(FactsTest, ShardsAndTextOfProblems) {
  EXPECT_EQ(Said(Make("datagen"), "eval_shards"), "registries: 2");
  EXPECT_EQ(Said(Make("datagen", {{"problem", "translate_ende_wmt32k_rev"}}),
                 "eval_shards"),
            "registries: 1");
  const Component pipeline = Make("pipeline");
  EXPECT_EQ(Said(pipeline, "source"),
            "registries: /t2t/data/translate_ende_multi30k.val.en");
  EXPECT_EQ(Said(pipeline, "reference"),
            "registries: /t2t/data/translate_ende_multi30k.val.de");
  // Variants of two problems have no text in common.
  Component two = Make("pipeline", {{"train", "a,b"}});
  two.params = Params(FindPrototype("pipeline").params);
  two.params.SetText("train", "a,b", "test");
  two.find = [](const std::string& name) {
    return Make("train", {{"problem", name == "a" ? "translate_ende_multi30k"
                                                  : "translate_numbers_ende"}});
  };
  AddFacts(&two, TestingCosts());
  EXPECT_EQ(Said(two, "source"), "default: /t2t/decode/source.txt");
}

TEST(FactsTest, Sweeps) {
  EXPECT_EQ(Said(Make("sweep"), "direction"), "registries: minimize");
  EXPECT_EQ(Said(Make("sweep", {{"metric", "accuracy"}}), "direction"),
            "registries: maximize");
  EXPECT_EQ(Said(Make("sweep", {{"metric", "edit_distance"}}), "direction"),
            "registries: minimize");
  // Every trial has room for the largest.
  const Component sweep = Make("sweep", {{"grid", "hidden_size=512|1024"}});
  const std::vector<Component> trials = SweepTrials(sweep);
  ASSERT_EQ(trials.size(), 2);
  for (const Component& trial : trials) {
    EXPECT_EQ(Said(trial, "memory"), Said(trials[0], "memory"));
    EXPECT_EQ(Said(trial, "memory"),
              Said(Make("train", {{"hparams", "hidden_size=1024"}}), "memory"));
    EXPECT_TRUE(StartsWith(trial.params.At("memory").fact, "the largest"));
  }
}

}  // namespace
}  // namespace t2t
