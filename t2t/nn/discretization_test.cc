#include "t2t/nn/discretization.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <string>
#include <vector>

#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/nn/bottleneck.h"

namespace t2t::nn {
namespace {

// T2T's own, by tools/golden/layers.py:
// layers.py GOLDEN discretization.json discrete/bit_to_int ..
at::Tensor Golden(const std::string& name, const std::string& part) {
  static const auto* const file =
      new Json(Json::Parse(ReadFile("tests/golden/model/discretization.json")));
  const Json& json = file->At(name).At(part);
  std::vector<int64_t> shape;
  for (const Json& size : json.At("shape").items()) {
    shape.push_back(size.AsInt());
  }
  std::vector<float> values;
  for (const Json& value : json.At("values").items()) {
    values.push_back(static_cast<float>(value.AsDouble()));
  }
  return at::tensor(values).view(shape);
}

void ExpectClose(const at::Tensor& ours, const at::Tensor& theirs) {
  ASSERT_EQ(ours.numel(), theirs.numel());
  EXPECT_TRUE(at::allclose(ours.reshape(theirs.sizes()).to(at::kFloat), theirs,
                           1e-5, 1e-6))
      << ours << theirs;
}

// [K, V, D] that learns by a loss.
Codebook Fixed(const at::Tensor& means_KVD, double beta = 1.0) {
  CodebookOptions options;
  options.blocks = means_KVD.size(0);
  options.codes = means_KVD.size(1);
  options.depth = means_KVD.size(2);
  options.beta = beta;
  return Codebook(means_KVD, {}, {}, options);
}

TEST(DiscretizationTest, BitsAreT2Ts) {
  ExpectClose(BitsToInts(Golden("bit_to_int", "in/x")),
              Golden("bit_to_int", "out/0"));
  ExpectClose(IntsToBits(Golden("int_to_bit", "in/x"), 5),
              Golden("int_to_bit", "out/0"));
  ExpectClose(IntsToBits(Golden("int_to_bit_base3", "in/x"), 4, 3),
              Golden("int_to_bit_base3", "out/0"));
  const at::Tensor ints = at::arange(81).view({3, 27});
  EXPECT_TRUE(at::equal(BitsToInts(IntsToBits(ints, 4, 3), 3), ints));
}

TEST(DiscretizationTest, NearestCodesAreT2Ts) {
  const Context context;
  const std::string name = "embedding_lookup_dvq";
  const at::Tensor x_TKD = Golden(name, "in/x").flatten(0, 1);
  const Codebook::Codes codes = Fixed(Golden(name, "in/m"))(x_TKD, context);
  ExpectClose(codes.hot_TKV, Golden(name, "out/0"));
  ExpectClose(codes.vectors_TKD, Golden(name, "out/1"));
  ExpectClose(codes.loss, Golden(name, "out/2") + Golden(name, "out/3"));
  ExpectClose(Fixed(Golden("nearest_neighbor", "in/m"))(
                  Golden("nearest_neighbor", "in/x").flatten(0, 1), context)
                  .hot_TKV,
              Golden("nearest_neighbor", "out/0"));

  const at::Tensor vq = Golden("vq_nearest_neighbor", "in/x").unsqueeze(1);
  const Codebook one =
      Fixed(Golden("vq_nearest_neighbor", "in/m").unsqueeze(0));
  ExpectClose(one(vq, context).hot_TKV, Golden("vq_nearest_neighbor", "out/0"));
  ExpectClose(one.Distances(vq), Golden("vq_nearest_neighbor", "out/2"));
}

TEST(DiscretizationTest, TopKSoftmaxIsT2Ts) {
  ExpectClose(TopKSoftmax(Golden("top_k_softmax", "in/x"), 2),
              Golden("top_k_softmax", "out/0"));
}

TEST(DiscretizationTest, RampsGoFromAHundredthToOne) {
  EXPECT_NEAR(RampUpExponentially(0, 100), 0.01, 1e-9);
  EXPECT_NEAR(RampUpExponentially(50, 100), 0.1, 1e-9);
  EXPECT_EQ(RampUpExponentially(100, 100), 1.0);
  EXPECT_EQ(RampUpExponentially(500, 100), 1.0);
  EXPECT_NEAR(RampUpInALine(0, 100), 0.01, 1e-9);
  EXPECT_NEAR(RampUpInALine(50, 100), 0.505, 1e-9);
  EXPECT_EQ(RampUpInALine(200, 100), 1.0);
}

// Vectors around two points: the two codes nearest to them become their means.
TEST(CodebookTest, CodesMoveToTheMeansOfTheirVectors) {
  ParamStore params(1);
  CodebookOptions options;
  options.codes = 4;
  options.depth = 2;
  options.decay = 0.9;
  const Codebook codebook(Scope(&params, "vq", ZerosInit()), options);
  for (const char* const name : {"vq/means", "vq/ema_count", "vq/ema_means"}) {
    EXPECT_TRUE(params.Has(name) && IsCodebook(name)) << name;
  }
  EXPECT_FALSE(IsCodebook("vq/kernel"));
  EXPECT_TRUE(params.Trainable().empty());
  EXPECT_TRUE(at::equal(params.Get("vq/means"), params.Get("vq/ema_means")));
  const at::Tensor means = params.Get("vq/means");
  means.copy_(
      at::tensor({1.F, 1.F, -1.F, -1.F, 5.F, 5.F, 5.F, -5.F}).view({4, 2}));
  params.Get("vq/ema_means").copy_(means);
  params.Get("vq/ema_count").fill_(1.0);
  const at::Tensor x =
      at::tensor({1.5F, 2.F, 2.5F, 2.F, -3.F, -2.F, -3.F, -4.F})
          .view({4, 1, 2});
  const at::Tensor first = means.clone();
  codebook(x, Context(/*is_training=*/false));
  EXPECT_TRUE(at::equal(means, first));
  for (int i = 0; i < 40; ++i) codebook(x, Context(/*is_training=*/true));
  EXPECT_TRUE(at::allclose(means.narrow(0, 0, 2),
                           at::tensor({2.F, 2.F, -3.F, -3.F}).view({2, 2}),
                           0.03, 0.03))
      << means;
}

// The gradient of the loss is the vectors' alone; what is passed on has the
// codes' values and the vectors' gradient.
TEST(CodebookTest, GradientsGoStraightThrough) {
  ParamStore params(1);
  CodebookOptions options;
  options.codes = 3;
  options.depth = 2;
  options.beta = 0.5;
  for (const int64_t samples : {0, 8}) {
    options.samples = samples;
    const Codebook codebook(
        Scope(&params, "vq" + std::to_string(samples), ZerosInit()), options);
    const at::Tensor x =
        at::tensor({0.1F, -0.4F, 0.7F, 0.2F}).view({2, 1, 2}).requires_grad_();
    const Codebook::Codes codes = codebook(x, Context(/*is_training=*/true));
    const at::Tensor passed = StraightThrough(x, codes.vectors_TKD);
    EXPECT_TRUE(at::allclose(passed, codes.vectors_TKD));
    const at::Tensor weights = at::tensor({1.F, 2.F, 3.F, 4.F}).view({2, 1, 2});
    const at::Tensor gradient =
        torch::autograd::grad({(passed * weights).sum() + codes.loss}, {x})[0];
    const at::Tensor expected =
        weights + 0.5 * 2.0 * (x - codes.vectors_TKD).detach() / 4.0;
    EXPECT_TRUE(at::allclose(gradient, expected, 1e-5, 1e-6)) << samples;
    EXPECT_TRUE(
        at::allclose(codes.hot_TKV.sum(-1), at::ones({2, 1}), 1e-5, 1e-6));
    if (samples == 0) continue;
    // What is drawn has an entropy, whose gradient comes after codes moved.
    EXPECT_LT(codes.negative_entropy.item<float>(), 0.0F);
    torch::autograd::grad({codes.negative_entropy}, {x});
  }
}

// Ids say all that there is to say of codes: blocks, residuals, bits.
TEST(BottleneckTest, EmbedGivesBackWhatIdsStandFor) {
  BottleneckOptions options;
  options.hidden_size = 8;
  options.bits = 4;
  options.filter_size = 8;
  const at::Tensor x = at::arange(48, at::kFloat).cos().view({2, 3, 8});
  const auto expect_same = [&](const std::string& name) {
    SCOPED_TRACE(name);
    ParamStore params(5);
    const Initializer init = VarianceScalingInit(3.0, "fan_avg", "uniform");
    const auto bottleneck = MakeBottleneck(Scope(&params, "vc", init),
                                           Scope(&params, "", init), options);
    const Bottleneck::Codes codes = (*bottleneck)(x, 0, Context());
    EXPECT_TRUE(at::allclose(codes.dense, bottleneck->Embed(codes.discrete),
                             1e-5, 1e-5));
    EXPECT_EQ(codes.dense.sizes(), x.sizes());
  };
  expect_same("semhash");
  options.kind = "dvq";
  expect_same("one book");
  options.blocks = 2;
  expect_same("blocks");
  options.residuals = 2;
  options.moving_averages = false;
  expect_same("blocks and residuals");
  options.blocks = options.residuals = 1;
  options.samples = 4;
  expect_same("samples");
  options.kind = "gumbel-softmax";
  expect_same("gumbel-softmax");
}

TEST(SemanticHashTest, BitsAreWhatIdsSayAndEmbedGivesThemBack) {
  ParamStore params(3);
  SemanticHashOptions options;
  options.in = 4;
  options.bits = 5;
  options.filter_size = 6;
  options.out = 4;
  const SemanticHash hash(
      Scope(&params, "vc", VarianceScalingInit(9.0, "fan_avg", "uniform")),
      options);
  const at::Tensor x = at::arange(24, at::kFloat).cos().view({2, 3, 4});
  const Context evaluation;
  const SemanticHash::Codes codes = hash(x, 0, evaluation);
  EXPECT_EQ(codes.ids.sizes(), (std::vector<int64_t>{2, 3}));
  EXPECT_TRUE(at::allclose(codes.dense, hash.Embed(codes.ids), 1e-5, 1e-6));
  EXPECT_GT(codes.ids.max().item<int64_t>(), codes.ids.min().item<int64_t>());
  // In training at step 0 nothing is a bit yet: values between are passed on.
  const at::Tensor noisy = hash(x, 0, Context(/*is_training=*/true)).dense;
  EXPECT_FALSE(at::allclose(noisy, codes.dense, 1e-3, 1e-3));
  const auto gradients = torch::autograd::grad(
      {noisy.square().sum()}, params.Trainable(), {}, std::nullopt, false,
      /*allow_unused=*/true);
  for (const at::Tensor& gradient : gradients) EXPECT_TRUE(gradient.defined());
}

}  // namespace
}  // namespace t2t::nn
