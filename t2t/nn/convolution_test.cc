#include "t2t/nn/convolution.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "t2t/nn/batch_norm.h"
#include "t2t/nn/ffn.h"
#include "t2t/nn/golden_layer.h"
#include "t2t/nn/positional.h"

namespace t2t {
namespace {

template <class Convolution>
void CheckConvolution(const std::string& name, ConvPadding padding) {
  SCOPED_TRACE(name);
  GoldenLayer golden("layers", name);
  const Convolution layer(golden.scope().Sub("conv_single"),
                          {6, 5, 3, padding, /*two dimensions=*/true});
  golden.FillWeights();
  const at::Tensor x_BLI = golden.Sequence();
  golden.Check(layer(x_BLI));
}

TEST(ConvolutionTest, OutputsAreT2Ts) {
  CheckConvolution<Conv1d>("conv1d", ConvPadding::kSame);
  CheckConvolution<Conv1d>("conv_left_3x1", ConvPadding::kLeft);
  CheckConvolution<SeparableConv1d>("separable_conv", ConvPadding::kLeft);
}

TEST(ConvolutionTest, TwoSeparableOnesWithAReluAreT2Ts) {
  GoldenLayer golden("layers", "sepconv_relu_sepconv");
  FfnOptions options;
  options.type = "sepconv_relu_sepconv";
  options.hidden_size = 6;
  options.filter_size = 9;
  const auto ffn = MakeFfn(golden.scope(), options);
  golden.FillWeights();
  const at::Tensor x_BLI = golden.Sequence();
  nn::Context context;
  golden.Check(ffn->Apply(x_BLI, {}, /*left=*/true, context));
}

// An impulse shows which outputs see a position.
at::Tensor SeenFrom(ConvPadding padding, int64_t width, int64_t position) {
  ParamStore params(1);
  const Scope scope(&params, "", OnesInit());
  at::Tensor x_BLI = at::zeros({1, 9, 1});
  x_BLI[0][position] = 1.0;
  const at::Tensor whole =
      Conv1d(scope.Sub("whole"), {1, 1, width, padding})(x_BLI);
  const at::Tensor separable =
      SeparableConv1d(scope.Sub("separable"), {1, 1, width, padding})(x_BLI);
  EXPECT_TRUE(at::equal(whole, separable));
  return whole.flatten().nonzero().flatten();
}

TEST(ConvolutionTest, LeftSeesNothingThatComesLater) {
  EXPECT_TRUE(at::equal(SeenFrom(ConvPadding::kLeft, 3, 4),
                        at::tensor({4, 5, 6}, at::kLong)));
  EXPECT_TRUE(at::equal(SeenFrom(ConvPadding::kSame, 3, 4),
                        at::tensor({3, 4, 5}, at::kLong)));
  // TensorFlow looks once more to the end where the width is even.
  EXPECT_TRUE(at::equal(SeenFrom(ConvPadding::kSame, 4, 4),
                        at::tensor({2, 3, 4, 5}, at::kLong)));
  EXPECT_TRUE(at::equal(SeenFrom(ConvPadding::kValid, 3, 4),
                        at::tensor({2, 3, 4}, at::kLong)));
}

// What an encoder's convolutions make of a sequence does not depend on how much
// padding its batch gives it.
TEST(ConvolutionTest, PaddingIsKeptOutOfSepconv) {
  ParamStore params(1);
  FfnOptions options;
  options.type = "sepconv_relu_sepconv";
  options.hidden_size = 4;
  options.filter_size = 6;
  const auto ffn = MakeFfn(Scope(&params, "ffn", NormalInit(0, 1)), options);
  const at::Tensor x_BLD = at::arange(20, at::kFloat).cos().view({1, 5, 4});
  const at::Tensor padded_BLD = at::cat({x_BLD, at::full({1, 3, 4}, 7.0)}, 1);
  const at::Tensor nonpadding_BL =
      at::cat({at::ones({1, 5}), at::zeros({1, 3})}, 1);
  nn::Context context;
  const at::Tensor alone = ffn->Apply(x_BLD, at::ones({1, 5}), false, context);
  const at::Tensor beside =
      ffn->Apply(padded_BLD, nonpadding_BL, false, context);
  EXPECT_TRUE(at::allclose(beside.narrow(1, 0, 5), alone, 1e-5, 1e-6));
}

TEST(LayerTimingTest, IsT2Ts) {
  {
    GoldenLayer golden("layers", "layer_timing_learned");
    const LayerTiming timing(golden.scope(), "learned", 4, 6);
    golden.FillWeights();
    const at::Tensor x_BLD = golden.Sequence();
    golden.Check(x_BLD + timing(1));
  }
  GoldenLayer golden("layers", "layer_timing_sinusoid");
  const LayerTiming timing(golden.scope(), "sinusoid", 6, 6);
  const at::Tensor x_BLD = golden.Sequence();
  golden.Check(x_BLD + timing(2));
}

at::Tensor Channels() {  // 6 numbers of each of 2 channels
  return at::tensor(
             {1.F, 10.F, 2.F, 20.F, 3.F, 30.F, 4.F, 40.F, 5.F, 50.F, 6.F, 60.F})
      .view({2, 3, 1, 2});
}

TEST(BatchNormTest, TrainingGoesByTheBatchAndMovesTheAverages) {
  ParamStore params(1);
  const nn::BatchNorm norm(Scope(&params, "norm", ZerosInit()), 2,
                           {.momentum = 0.75, .epsilon = 0.0});
  const at::Tensor y = norm(Channels(), nn::Context(/*is_training=*/true));
  EXPECT_NEAR(y.flatten(0, 2).mean(0).abs().max().item<double>(), 0.0, 1e-6);
  EXPECT_NEAR(y[0][0][0][1].item<double>(), -2.5 / std::sqrt(35.0 / 12.0),
              1e-5);
  const at::Tensor mean = params.Get("norm/moving_mean");
  const at::Tensor variance = params.Get("norm/moving_variance");
  EXPECT_NEAR(mean[1].item<double>(), 0.25 * 35.0, 1e-5);
  // TensorFlow averages the sample's variance.
  EXPECT_NEAR(variance[0].item<double>(), 0.75 + 0.25 * 3.5, 1e-5);

  norm(Channels(), nn::Context(true), /*moves=*/false);
  EXPECT_NEAR(mean[1].item<double>(), 0.25 * 35.0, 1e-5);
}

TEST(BatchNormTest, EvaluationGoesByTheAveragesAndLeavesThem) {
  ParamStore params(1);
  const nn::BatchNorm norm(Scope(&params, "norm", ZerosInit()), 2,
                           {.epsilon = 0.0});
  params.Get("norm/moving_mean").fill_(2.0);
  params.Get("norm/moving_variance").fill_(4.0);
  const at::Tensor y = norm(Channels(), nn::Context());
  EXPECT_NEAR(y[0][0][0][1].item<double>(), 4.0, 1e-6);
  EXPECT_EQ(params.Get("norm/moving_mean")[0].item<double>(), 2.0);
  EXPECT_TRUE(nn::IsRunningAverage("norm/moving_variance"));
  EXPECT_FALSE(nn::IsRunningAverage("norm/gamma"));
}

}  // namespace
}  // namespace t2t
