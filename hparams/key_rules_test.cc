#include "t2t/hparams/key_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "hparams/all_hparams.h"
#include "t2t/base/error.h"
#include "t2t/hparams/hparams.h"

namespace t2t {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string MessageOf(const std::string& set, const std::string& overrides) {
  HParams hparams = LookUpHParams(set);
  hparams.Parse(overrides);
  try {
    CheckHParams(hparams);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    return error.what();
  }
  return "";
}

TEST(KeyRulesTest, EverySetPassesItsOwnCheck) {
  const std::vector<std::string> sets = AllHParams().Sets();
  ASSERT_GE(sets.size(), 700U);
  for (const std::string& set : sets) {
    EXPECT_EQ(MessageOf(set, ""), "") << set;
  }
}

TEST(KeyRulesTest, ANameHasOneRuleAndSetsHaveIt) {
  std::set<std::string> known;
  for (const std::string& set : AllHParams().Sets()) {
    const HParams hparams = LookUpHParams(set);
    for (const std::string& name : hparams.Names()) known.insert(name);
  }
  std::set<std::string> seen;
  for (const KeyRule& rule : KeyRules()) {
    EXPECT_TRUE(seen.insert(rule.name).second) << rule.name;
    EXPECT_TRUE(known.count(rule.name) > 0) << rule.name;
  }
}

// "num_hidden_layers=-1 trains a model of nothing."
TEST(KeyRulesTest, NumbersOutOfTheirRangeAreRefused) {
  for (const char* bad : {"num_hidden_layers=-1",
                          "num_hidden_layers=0",
                          "hidden_size=0",
                          "hidden_size=-8",
                          "hidden_size=2000000000",
                          "filter_size=0",
                          "num_heads=0",
                          "batch_size=0",
                          "batch_size=-1",
                          "dropout=1",
                          "dropout=-0.1",
                          "dropout=nan",
                          "label_smoothing=1",
                          "layer_prepostprocess_dropout=inf",
                          "learning_rate_constant=-1",
                          "learning_rate_constant=nan",
                          "learning_rate_warmup_steps=-1",
                          "optimizer_adam_beta1=1",
                          "max_length=-1",
                          "length_bucket_step=1",
                          "sampling_temp=-1",
                          "sampling_keep_top_k=-2",
                          "clip_grad_norm=-1",
                          "norm_epsilon=nan",
                          "vocab_divisor=0",
                          "moe_k=0",
                          "num_area_layers=-1",
                          "scheduled_sampling_prob=2",
                          "initializer_gain=nan"}) {
    const std::string name =
        std::string(bad).substr(0, std::string(bad).find('='));
    EXPECT_THAT(MessageOf("transformer_base", bad), HasSubstr(name)) << bad;
  }
  EXPECT_THAT(MessageOf("transformer_base", "dropout=1"),
              HasSubstr("0 or more and below 1"));
}

TEST(KeyRulesTest, MisspeltChoicesAreRefusedWithTheNearest) {
  const struct {
    const char* bad;
    const char* nearest;
  } kCases[] = {
      {"optimizer=adm", "'adam'"},
      {"sampling_method=radnom", "'random'"},
      {"norm_type=layr", "'layer'"},
      {"self_attention_type=dot_prodct", "'dot_product'"},
      {"ffn_layer=dense_relu_dens", "'dense_relu_dense'"},
      {"initializer=orthogonl", "'orthogonal'"},
      {"learning_rate_schedule=constant*liner_warmup", "'linear_warmup'"},
      {"learning_rate_decay_scheme=nom", "'noam'"},
      {"multiply_embedding_mode=sqrt_dept", "'sqrt_depth'"},
      {"pos=timming", "'timing'"},
      {"activation_dtype=bfloat", "'bfloat16'"},
      {"prepend_mode=non", "'none'"},
      {"area_key_mode=maen", "'mean'"},
      {"optimizer_adafactor_decay_type=adm", "'adam'"},
      {"scheduled_sampling_warmup_schedule=linea", "'linear'"},
  };
  for (const auto& [bad, nearest] : kCases) {
    EXPECT_THAT(MessageOf("transformer_base", bad), HasSubstr(nearest)) << bad;
  }
  EXPECT_THAT(MessageOf("transformer_base", "layer_preprocess_sequence=a"),
              HasSubstr("the letters n or d"));
  EXPECT_THAT(MessageOf("transformer_base", "relu_dropout_broadcast_dims=x"),
              HasSubstr("whole numbers"));
  EXPECT_EQ(MessageOf("transformer_base",
                      "learning_rate_schedule=constant * linear_warmup,"
                      "layer_postprocess_sequence=dan,norm_type=none,"
                      "attention_dropout_broadcast_dims=0,1"),
            "");
}

TEST(KeyRulesTest, HeadsDivideTheSize) {
  EXPECT_THAT(MessageOf("transformer_base", "num_heads=7"),
              AllOf(HasSubstr("num_heads=7"), HasSubstr("hidden_size=512")));
  EXPECT_THAT(MessageOf("transformer_base", "attention_key_channels=100"),
              HasSubstr("attention_key_channels=100"));
  // An LSTM's heads are of any size.
  EXPECT_EQ(MessageOf("lstm_attention", "num_heads=3"), "");
}

TEST(KeyRulesTest, ChoicesCanBeAskedFor) {
  EXPECT_THAT(HParamChoices("learning_rate_decay_scheme"),
              ::testing::ElementsAre("none", "noam", "exp", "piecewise",
                                     "cosine", "cyclelinear10x", "sqrt"));
  EXPECT_TRUE(HParamChoices("hidden_size").empty());
}

}  // namespace
}  // namespace t2t
