// Self-attention for long sequences: compressed, and among experts.

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/nn/attention_bias.h"
#include "t2t/nn/compressed_attention.h"
#include "t2t/nn/conv_transition.h"
#include "t2t/nn/expert_attention.h"
#include "t2t/nn/filtered_attention.h"
#include "t2t/nn/golden_layer.h"

namespace t2t::nn {
namespace {

AttentionOptions Plain(int64_t hidden_size, int64_t channels) {
  AttentionOptions options;
  options.input_size = hidden_size;
  options.output_size = hidden_size;
  options.key_channels = channels;
  options.value_channels = channels;
  options.heads = 2;
  return options;
}

at::Tensor RunWhole(const Sublayer& layer, const at::Tensor& x_BLD, bool causal,
                    Context* context, const at::Tensor& nonpadding_BL = {}) {
  WholeRows rows;
  rows.length = x_BLD.size(1);
  if (causal) rows.bias = BiasLowerTriangle(rows.length);
  rows.own_nonpadding_BL = nonpadding_BL;
  Pass pass(context, causal, &rows);
  return layer(x_BLD, pass);
}

at::Tensor RunSteps(const Sublayer& layer, const at::Tensor& x_BLD) {
  Context context;
  StepCache cache(x_BLD.size(0), {}, {});
  std::vector<at::Tensor> outputs;
  for (int64_t i = 0; i < x_BLD.size(1); ++i) {
    Pass pass(&context, &cache, i, {});
    outputs.push_back(layer(x_BLD.narrow(1, i, 1), pass));
    cache.Advance();
  }
  return at::cat(outputs, 1);
}

TEST(CompressedAttentionTest, OutputsAreT2Ts) {
  GoldenLayer golden("attention_layers", "multihead_self_attention_reduced");
  const CompressedSelfAttention layer(golden.scope(), Plain(6, 8), {2});
  golden.FillWeights();
  Context context;
  golden.Check(RunWhole(layer, golden.Input("x"), true, &context));
}

TEST(NormedAttentionTest, OutputsAreT2Ts) {
  GoldenLayer golden("attention_layers",
                     "multihead_self_attention_memory_efficient");
  const NormedSelfAttention layer(golden.scope().Sub("multihead_attention"), 6,
                                  2, /*head_size=*/4);
  golden.FillWeights();
  Context context;
  golden.Check(RunWhole(layer, golden.Input("x"), true, &context));
}

TEST(FilteredAttentionTest, OutputsAreT2Ts) {
  GoldenLayer golden("attention_layers", "multihead_qkv_conv");
  const FilteredSelfAttention layer(golden.scope(), Plain(6, 8), {3, 3});
  golden.FillWeights();
  Context context;
  golden.Check(RunWhole(layer, golden.Input("x"), false, &context));
}

TEST(FilteredAttentionTest, RefusesWhatItHasNot) {
  ParamStore store(1);
  const Scope scope(&store, "layer", NormalInit(0.0, 0.4));
  AttentionOptions options = Plain(4, 4);
  EXPECT_THROW(FilteredSelfAttention(scope, options, {0, 1}), Error);
  options.type = "dot_product_relative";
  EXPECT_THROW(FilteredSelfAttention(scope, options, {3, 3}), Error);
  options.type = "local_relative_mask_right";
  EXPECT_THROW(FilteredSelfAttention(scope, options, {3, 3}), Error);
}

// The last of what each layer makes of a sequence's beginning is what it makes
// in that step; and a position does not see those after it.
TEST(LongAttentionTest, StepsAreTheWhole) {
  const at::NoGradGuard no_grad;
  ParamStore store(1);
  const Scope scope(&store, "layer", NormalInit(0.0, 0.4));
  const at::Tensor x_BLD =
      at::cos(at::arange(2 * 40 * 4, at::kFloat)).view({2, 40, 4});
  std::vector<SublayerPtr> layers;
  layers.push_back(std::make_shared<CompressedSelfAttention>(
      scope.Sub("conv"), Plain(4, 4), CompressionOptions{3}));
  layers.push_back(std::make_shared<CompressedSelfAttention>(
      scope.Sub("attention"), Plain(4, 4),
      CompressionOptions{3, "attention", "silu"}));
  layers.push_back(
      std::make_shared<NormedSelfAttention>(scope.Sub("normed"), 4, 2));
  layers.push_back(std::make_shared<SeparableTransition>(
      scope.Sub("separable"), ConvTransitionOptions{4, 6}, /*causal=*/true));
  layers.push_back(std::make_shared<NormedTransition>(scope.Sub("ffn"), 4, 6));
  for (size_t i = 0; i < layers.size(); ++i) {
    ASSERT_TRUE(layers[i]->CanStep());
    Context context;
    const at::Tensor y = RunWhole(*layers[i], x_BLD, true, &context);
    EXPECT_TRUE(at::allclose(RunSteps(*layers[i], x_BLD), y, 1e-4, 1e-5)) << i;
  }
}

TEST(CompressedAttentionTest, RefusesWhatT2TDoesNotKnow) {
  ParamStore store(1);
  const Scope scope(&store, "layer", NormalInit(0.0, 0.4));
  const auto make = [&](const CompressionOptions& options) {
    CompressedSelfAttention(scope, Plain(4, 4), options);
  };
  EXPECT_THROW(make({0}), Error);
  EXPECT_THROW(make({2, "pool"}), Error);
  EXPECT_THROW(make({2, "conv", "relu"}), Error);
}

class ExpertAttentionTest : public testing::Test {
 protected:
  ExpertAttentionTest() : store_(1) {
    options_.hidden_size = 4;
    options_.heads = 2;
    options_.key_channels = 6;
    options_.value_channels = 8;
    options_.experts = 3;
    options_.experts_per_token = 2;
  }

  Scope scope() { return Scope(&store_, "layer", NormalInit(0.0, 0.4)); }

  ParamStore store_;
  ExpertAttentionOptions options_;
  const at::Tensor x_BLD_ =
      at::cos(at::arange(2 * 5 * 4, at::kFloat)).view({2, 5, 4});
};

// Without noise all gates begin equal: the first experts get every token, and
// are plain attention over each row.
TEST_F(ExpertAttentionTest, IsPlainAttentionWhereAllGoToTheSame) {
  const at::NoGradGuard no_grad;
  const ExpertSelfAttention layer(scope(), options_);
  Context context;
  const at::Tensor y = RunWhole(layer, x_BLD_, true, &context);
  AttentionOptions plain = Plain(4, 6);
  plain.value_channels = 8;
  ParamStore other(1);
  at::Tensor expected = at::zeros_like(x_BLD_);
  for (const char* const expert : {"parallel_0", "parallel_1"}) {
    const std::string name =
        std::string("layer/local_expert_attention/local_moe/") + expert;
    const MultiheadAttention attention(
        Scope(&other, name, NormalInit(0.0, 0.4)), plain);
    for (const ParamStore::Entry& entry : other.entries()) {
      at::Tensor(entry.tensor).copy_(store_.Get(entry.name));
    }
    expected = expected + 0.5 * attention.SelfAttention(
                                    x_BLD_, BiasLowerTriangle(5), context);
  }
  EXPECT_TRUE(at::allclose(y, expected, 1e-4, 1e-5));
  // Importance 5, 5, 0 and load 10, 10, 0: each a squared variation of 0.5.
  EXPECT_NEAR(context.losses.by_name().at("extra").item<double>(), 0.01, 1e-6);
}

TEST_F(ExpertAttentionTest, PaddingIsSeenByNoneAndBecomesNothing) {
  const at::NoGradGuard no_grad;
  for (const int64_t expansion : {0, 2}) {
    options_.expansion = expansion;
    options_.expanded_size = 3;
    const ExpertSelfAttention layer(scope().Sub(std::to_string(expansion)),
                                    options_);
    Context context;
    const at::Tensor nonpadding_BL = at::ones({2, 5});
    nonpadding_BL[0][3] = 0.0;
    const at::Tensor y =
        RunWhole(layer, x_BLD_, false, &context, nonpadding_BL);
    EXPECT_EQ(y[0][3].abs().sum().item<double>(), 0.0);
    at::Tensor changed = x_BLD_.clone();
    changed[0][3] = 7.0;
    EXPECT_TRUE(
        at::equal(RunWhole(layer, changed, false, &context, nonpadding_BL), y));
    // Rows are apart; positions of one are not.
    changed[0][2] = 7.0;
    const at::Tensor z =
        RunWhole(layer, changed, false, &context, nonpadding_BL);
    EXPECT_TRUE(at::allclose(z[1], y[1]));
    EXPECT_FALSE(at::allclose(z[0][1], y[0][1]));
  }
}

TEST_F(ExpertAttentionTest, RefusesMoreExpertsATokenThanThereAre) {
  options_.experts_per_token = 4;
  EXPECT_THROW(ExpertSelfAttention(scope(), options_), Error);
}

}  // namespace
}  // namespace t2t::nn
