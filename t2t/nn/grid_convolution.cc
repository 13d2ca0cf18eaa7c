#include "t2t/nn/grid_convolution.h"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <utility>

namespace t2t::nn {
namespace {

struct Ends {
  int64_t before = 0;
  int64_t after = 0;
};

Ends EndsOf(int64_t size, int64_t kernel, int64_t dilation,
            const Window& window) {
  const int64_t reach = (kernel - 1) * dilation;
  switch (window.padding) {
    case GridPadding::kValid:
      return {};
    case GridPadding::kLeft:
      // Nothing is before the only column of a sequence.
      return {size == 1 && kernel == 1 ? 0 : reach, 0};
    case GridPadding::kCentred:
      return {reach / 2, reach - reach / 2};
    case GridPadding::kSame:
      break;
  }
  const int64_t outputs = (size + window.stride - 1) / window.stride;
  const int64_t all =
      std::max<int64_t>((outputs - 1) * window.stride + reach + 1 - size, 0);
  // TensorFlow gives what an odd number has left over to the end.
  return {all / 2, all - all / 2};
}

int64_t WidthDilation(const Window& window) {
  return window.square_dilation ? window.dilation : 1;
}

// x as LibTorch has it, [B, I, H, W], with what `value` stands beyond its ends.
at::Tensor Padded(const at::Tensor& x_BHWI, const Window& window,
                  double value) {
  const Ends rows =
      EndsOf(x_BHWI.size(1), window.height, window.dilation, window);
  const Ends columns =
      EndsOf(x_BHWI.size(2), window.width, WidthDilation(window), window);
  const at::Tensor x_BIHW = x_BHWI.permute({0, 3, 1, 2});
  if (rows.before + rows.after + columns.before + columns.after == 0) {
    return x_BIHW;
  }
  return at::constant_pad_nd(
      x_BIHW, {columns.before, columns.after, rows.before, rows.after}, value);
}

}  // namespace

at::Tensor ConvolveGrid(const at::Tensor& x_BHWI, const at::Tensor& kernel,
                        const at::Tensor& bias, const Window& window,
                        int64_t groups) {
  return at::conv2d(Padded(x_BHWI, window, 0.0), kernel.permute({3, 2, 0, 1}),
                    bias, at::IntArrayRef{window.stride, window.stride},
                    at::IntArrayRef{0, 0},
                    at::IntArrayRef{window.dilation, WidthDilation(window)},
                    groups)
      .permute({0, 2, 3, 1});
}

at::Tensor MaxPool(const at::Tensor& x_BHWI, const Window& window) {
  return at::max_pool2d(
             Padded(x_BHWI, window, -std::numeric_limits<double>::infinity()),
             {window.height, window.width}, {window.stride, window.stride})
      .permute({0, 2, 3, 1});
}

GridConv::GridConv(const Scope& scope, const GridConvOptions& options)
    : options_(options) {
  const Window& window = options.window;
  if (options.separable) {
    kernel_ = scope.Param("depthwise_kernel",
                          {window.height, window.width, options.in, 1});
    pointwise_ =
        scope.Param("pointwise_kernel", {1, 1, options.in, options.out});
  } else {
    kernel_ = scope.Param(
        "kernel", {window.height, window.width, options.in, options.out});
  }
  if (options.bias) {
    bias_ =
        scope.Param("bias", {options.out}, ConstantInit(options.bias_start));
  }
}

at::Tensor GridConv::operator()(const at::Tensor& x_BHWI) const {
  if (!options_.separable) {
    const Window& window = options_.window;
    if (window.height == 1 && window.width == 1 && window.stride == 1) {
      return at::linear(x_BHWI, kernel_.view({options_.in, options_.out}).t(),
                        bias_);
    }
    return ConvolveGrid(x_BHWI, kernel_, bias_, window);
  }
  const at::Tensor mixed = ConvolveGrid(x_BHWI, kernel_.permute({0, 1, 3, 2}),
                                        {}, options_.window, options_.in);
  return at::linear(mixed, pointwise_.view({options_.in, options_.out}).t(),
                    bias_);
}

at::Tensor BipolarElu(const at::Tensor& x) {
  const std::vector<at::Tensor> pairs = x.unflatten(-1, {-1, 2}).unbind(-1);
  return at::stack({at::elu(pairs[0]), -at::elu(-pairs[1])}, -1).flatten(-2);
}

NamedLayerNorm::NamedLayerNorm(const Scope& scope, int64_t depth,
                               double epsilon)
    : epsilon_(epsilon),
      scale_(scope.Param("layer_norm_scale", {depth}, OnesInit())),
      bias_(scope.Param("layer_norm_bias", {depth}, ZerosInit())) {}

at::Tensor NamedLayerNorm::operator()(const at::Tensor& x) const {
  return at::layer_norm(x, {x.size(-1)}, scale_, bias_, epsilon_);
}

ConvBlock::ConvBlock(const Scope& scope, const ConvBlockOptions& options)
    : options_(options) {
  int64_t in = options.in;
  for (size_t i = 0; i < options.windows.size(); ++i) {
    layers_.push_back(MakeLayer(scope, i, in));
    in = options.out;
  }
}

ConvBlock::Layer ConvBlock::MakeLayer(const Scope& scope, size_t index,
                                      int64_t in) const {
  const std::string number = std::to_string(index);
  const std::string name = "conv_block_" + number + "_single";
  const int64_t out = options_.out;
  const int64_t separability =
      options_.separabilities.empty() ? 0 : options_.separabilities[index];
  const int64_t groups = std::max<int64_t>(std::abs(separability), 1);
  TORCH_CHECK(in % groups == 0 && out % groups == 0, scope.prefix(), ": ", in,
              " and ", out, " channels can't be split into ", groups,
              " equal groups");
  GridConvOptions conv;
  conv.in = in / groups;
  conv.out = out / groups;
  conv.window = options_.windows[index];
  conv.separable = separability < 0 || options_.separable ||
                   (separability == 0 && !options_.separabilities.empty());
  conv.bias = false;

  Layer layer;
  for (int64_t part = 0; part < groups; ++part) {
    layer.parts.emplace_back(
        (separability == 0 ? scope : scope.Sub("part_" + std::to_string(part)))
            .Sub(name),
        conv);
  }
  if (separability > 1) {
    GridConvOptions join;
    join.in = out;
    join.out = out;
    // Keras numbers what has no name.
    layer.join = std::make_unique<const GridConv>(
        scope.Sub(index == 0 ? "conv2d" : "conv2d_" + number), join);
  }
  const Scope norm = scope.Sub("conv_block_norm_" + number);
  if (options_.norm_type.empty()) {
    layer.own_norm = std::make_unique<const NamedLayerNorm>(norm, out);
  } else {
    layer.norm = std::make_unique<const Norm>(norm, options_.norm_type, out,
                                              options_.norm_epsilon);
  }
  return layer;
}

at::Tensor ConvBlock::operator()(const at::Tensor& x_BHWI,
                                 const at::Tensor& mask) const {
  at::Tensor x = x_BHWI;
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    if (i > 0 || options_.first_relu) x = at::relu(x);
    if (mask.defined()) x = x * mask;
    std::vector<at::Tensor> parts =
        x.chunk(static_cast<int64_t>(layer.parts.size()), -1);
    for (size_t part = 0; part < parts.size(); ++part) {
      parts[part] = layer.parts[part](parts[part]);
    }
    x = parts.size() == 1 ? parts[0] : at::cat(parts, -1);
    if (layer.join != nullptr) x = (*layer.join)(x);
    x = layer.own_norm != nullptr ? (*layer.own_norm)(x) : (*layer.norm)(x);
  }
  return x;
}

}  // namespace t2t::nn
