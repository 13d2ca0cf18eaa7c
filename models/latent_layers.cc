#include "models/latent_layers.h"

#include <ATen/ATen.h>

#include <string>

#include "t2t/ops/dropout.h"

namespace t2t {
ResidualConvolutions::ResidualConvolutions(const Scope& scope, int64_t size,
                                           int64_t repeats, double dropout)
    : dropout_(dropout) {
  nn::ConvBlockOptions options;
  options.in = size;
  options.out = size;
  options.windows.assign(3, {.height = 3});
  for (int64_t i = 0; i < repeats; ++i) {
    const Scope own = scope.Sub("repeat_" + std::to_string(i));
    steps_.push_back({nn::NamedLayerNorm(own.Sub("lnorm"), size),
                      nn::ConvBlock(own.Sub("residual_conv"), options)});
  }
}

at::Tensor ResidualConvolutions::operator()(const at::Tensor& x_BL1D,
                                            const nn::Context& context) const {
  at::Tensor x = x_BL1D;
  for (const Step& step : steps_) {
    at::Tensor y = step.convolutions(step.norm(x));
    if (context.training) y = Dropout(y, dropout_, context.rng);
    x = x + y;
  }
  return x;
}

nn::ConvBlock HalvingConvolution(const Scope& scope, int64_t size) {
  nn::ConvBlockOptions options;
  options.in = size;
  options.out = size;
  options.windows = {{.height = 2, .stride = 2}};
  return nn::ConvBlock(scope, options);
}

DoublingConvolution::DoublingConvolution(const Scope& scope, int64_t size,
                                         bool first_relu)
    : convolution_(scope.Sub("decompress_conv"), {.in = size,
                                                  .out = 2 * size,
                                                  .windows = {{}},
                                                  .first_relu = first_relu}) {}

at::Tensor DoublingConvolution::operator()(const at::Tensor& x_BL1D) const {
  return convolution_(x_BL1D).reshape(
      {x_BL1D.size(0), 2 * x_BL1D.size(1), 1, x_BL1D.size(3)});
}

at::Tensor MixTargets(const at::Tensor& gold_BL1D, const at::Tensor& made_BL1D,
                      double share, const nn::Context& context) {
  const at::Tensor drawn_BL11 =
      nn::UniformLike(gold_BL1D.narrow(-1, 0, 1), context);
  return at::where(drawn_BL11.gt(share), gold_BL1D, made_BL1D);
}

int64_t RoundedUpLength(int64_t length, int64_t halvings) {
  const int64_t unit = int64_t{1} << halvings;
  return (length + unit - 1) / unit * unit;
}

}  // namespace t2t
