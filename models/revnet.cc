// RevNet. Gomez et al. 2017, "The Reversible Residual Network: Backpropagation
// Without Storing Activations", arXiv:1707.04585: the channels' halves change
// each other, so that the backward pass computes what it needs from the output.
// Shapes: B batch, H height, W width, C channels.

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "models/all_models.h"
#include "models/encoder_only.h"
#include "models/image_inputs.h"
#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/model/stacked_model.h"
#include "t2t/nn/batch_norm.h"
#include "t2t/nn/grid_convolution.h"
#include "t2t/nn/reversible.h"

namespace t2t {
namespace {

using nn::BatchNorm;
using nn::Context;
using nn::GridConv;

constexpr nn::BatchNormOptions kNorm = {.momentum = 0.99, .epsilon = 1e-3};

GridConv Convolution(const Scope& scope, int64_t in, int64_t out, int64_t size,
                     int64_t stride) {
  // Whatever hparam initializer says.
  const Scope own(scope.store(), scope.prefix(),
                  VarianceScalingInit(2.0, "fan_out", "normal"));
  return {own,
          {.in = in,
           .out = out,
           .window = {.height = size, .width = size, .stride = stride}}};
}

struct BlockConfig {
  int64_t depth = 0;  // of a bottleneck's inner convolutions
  int64_t out = 0;
  int64_t stride = 1;
  bool bottleneck = true;
  bool first_norm = true;
};

// What is added to one half: norm, ReLU and convolution, three times in a
// bottleneck, else once.
class Branch {
 public:
  Branch(const Scope& scope, int64_t in, const BlockConfig& config)
      : bottleneck_(config.bottleneck), has_first_norm_(config.first_norm) {
    const auto norm = [&](int64_t channels) {
      norms_.emplace_back(Numbered(scope, "batch_normalization", norms_.size()),
                          channels, kNorm);
    };
    const auto convolve = [&](int64_t from, int64_t to, int64_t size,
                              int64_t stride) {
      convolutions_.push_back(
          Convolution(Numbered(scope, "conv2d", convolutions_.size()), from, to,
                      size, stride));
    };
    if (has_first_norm_) norm(in);
    if (bottleneck_) {
      convolve(in, config.depth, 1, config.stride);
      norm(config.depth);
      convolve(config.depth, config.depth, 3, 1);
      norm(config.depth);
      convolve(config.depth, config.out, 1, 1);
    } else {
      // T2T lets the first of two norms and convolutions go unused: their
      // parameters are there for nothing.
      convolve(in, config.out, 3, config.stride);
      norm(in);
      convolve(in, config.out, 3, config.stride);
    }
  }

  at::Tensor operator()(const at::Tensor& x, const Context& context,
                        bool moves) const {
    size_t next = bottleneck_ ? 0 : norms_.size() - 1;
    const auto norm = [&](const at::Tensor& y) {
      return at::relu(norms_[next++](y, context, moves));
    };
    if (!bottleneck_) return convolutions_.back()(norm(x));
    at::Tensor y = convolutions_[0](has_first_norm_ ? norm(x) : x);
    y = convolutions_[1](norm(y));
    return convolutions_[2](norm(y));
  }

 private:
  static Scope Numbered(const Scope& scope, const std::string& name,
                        size_t number) {
    return scope.Sub(number == 0 ? name : name + "_" + std::to_string(number));
  }

  bool bottleneck_, has_first_norm_;
  std::vector<BatchNorm> norms_;
  std::vector<GridConv> convolutions_;
};

// A half on its way into a block of other sizes: by a convolution of 1x1, or by
// an average and channels of zeros.
class Downsampling {
 public:
  Downsampling(const Scope& scope, int64_t in, const BlockConfig& config)
      : stride_(config.stride), missing_(config.out - in) {
    if (config.bottleneck) {
      convolution_.emplace(
          Convolution(scope.Sub("conv2d"), in, config.out, 1, config.stride));
    } else if (missing_ < 0 || missing_ % 2 != 0) {
      throw UsageError("num_channels of " + std::to_string(config.out) +
                           " after " + std::to_string(in),
                       "an even number more in each block",
                       "change --hparams=num_channels=...");
    }
  }

  at::Tensor operator()(const at::Tensor& x_BHWC) const {
    if (convolution_) return (*convolution_)(x_BHWC);
    at::Tensor x_BCHW = x_BHWC.permute({0, 3, 1, 2});
    if (stride_ > 1) {
      x_BCHW = at::avg_pool2d(x_BCHW, {stride_, stride_}, {stride_, stride_});
    }
    return at::constant_pad_nd(x_BCHW.permute({0, 2, 3, 1}),
                               {missing_ / 2, missing_ / 2});
  }

 private:
  int64_t stride_, missing_;
  std::optional<GridConv> convolution_;
};

struct Halves {
  at::Tensor first, second;
};

// A first unit that changes sizes, and reversible layers after it.
class Block {
 public:
  Block(const Scope& scope, int64_t in, const BlockConfig& config,
        int64_t layers)
      : first_(scope.Sub("downsampling/x1/h"), in, config),
        second_(scope.Sub("downsampling/x2/h"), in, config),
        from_second_(scope.Sub("downsampling/x1/f"), in, config),
        from_first_(scope.Sub("downsampling/x2/f"), config.out, Inner(config)) {
    const Scope reversible = scope.Sub("full_block/revblock");
    for (int64_t i = 0; i < layers; ++i) {
      const Scope own = reversible.Sub("revlayer_" + std::to_string(i));
      layers_.push_back({std::make_shared<const Branch>(
                             own.Sub("f/f"), config.out, Inner(config)),
                         std::make_shared<const Branch>(
                             own.Sub("g/f"), config.out, Inner(config))});
    }
    for (const ParamStore::Entry& entry : scope.store()->entries()) {
      if (entry.trainable &&
          StartsWith(entry.name, reversible.prefix() + "/")) {
        parameters_.push_back(entry.tensor);
      }
    }
  }

  Halves operator()(Halves x, const Context& context) const {
    x.first = first_(x.first) + from_second_(x.second, context, true);
    x.second = second_(x.second) + from_first_(x.first, context, true);
    if (!at::GradMode::is_enabled()) {
      for (const Layer& layer : layers_) {
        x.first = x.first + (*layer.f)(x.second, context, true);
        x.second = x.second + (*layer.g)(x.first, context, true);
      }
      return x;
    }
    std::vector<nn::ReversibleLayer> layers;
    for (const Layer& layer : layers_) {
      layers.push_back({Closed(layer.f, context), Closed(layer.g, context)});
    }
    std::tie(x.first, x.second) = nn::RunReversibly(
        x.first, x.second, std::move(layers), parameters_, context.rng);
    return x;
  }

 private:
  struct Layer {
    std::shared_ptr<const Branch> f, g;
  };

  static BlockConfig Inner(BlockConfig config) {
    config.stride = 1;
    config.first_norm = true;
    return config;
  }

  static std::function<at::Tensor(const at::Tensor&)> Closed(
      std::shared_ptr<const Branch> branch, const Context& context) {
    return [branch = std::move(branch), training = context.training,
            rng = context.rng](const at::Tensor& x) {
      Context own(training);
      own.rng = rng;
      // The backward pass' own, with gradients, is not to move averages.
      return (*branch)(x, own, !at::GradMode::is_enabled());
    };
  }

  Downsampling first_, second_;
  Branch from_second_, from_first_;
  std::vector<Layer> layers_;
  std::vector<at::Tensor> parameters_;  // the reversible layers'
};

class Revnet : public EncoderOnlyModel {
 public:
  Revnet(HParams hparams, ProblemInfo info, const ParamOptions& params)
      : EncoderOnlyModel("revnet", std::move(hparams), std::move(info),
                         params) {
    RefuseSplitModel(root());
    const std::vector<int64_t> depths = hparams_.GetInts("num_channels");
    const std::vector<int64_t> layers =
        hparams_.GetInts("num_layers_per_block");
    const std::vector<int64_t> strides = hparams_.GetInts("strides");
    const std::vector<int64_t> norms = hparams_.GetInts("first_batch_norm");
    if (hparams_.GetString("dim") != "2d" || depths.size() < layers.size() ||
        strides.size() < layers.size() || norms.size() < layers.size()) {
      throw UsageError(
          "dim=" + hparams_.GetString("dim") + " with " +
              std::to_string(layers.size()) + " num_layers_per_block",
          "2d, and for each block one of num_channels, strides and "
          "first_batch_norm",
          "change them in --hparams");
    }
    const Scope body = root().Sub("body").Sub("RevNet");
    const int64_t start = hparams_.GetInt("num_channels_init_block");
    stride_ = hparams_.GetInt("init_stride");
    pools_ = hparams_.GetBool("init_maxpool");
    init_.emplace(Convolution(body.Sub("init/conv2d"),
                              ImageChannels(info_, "revnet"), start,
                              hparams_.GetInt("init_kernel_size"), stride_));
    init_norm_.emplace(body.Sub("init/batch_normalization"), start, kNorm);
    int64_t channels = start / 2;
    for (size_t i = 0; i < layers.size(); ++i) {
      BlockConfig config{.depth = depths[i],
                         .out = depths[i],
                         .stride = strides[i],
                         .bottleneck = hparams_.GetBool("bottleneck"),
                         .first_norm = norms[i] != 0};
      if (config.bottleneck) config.out = 4 * config.depth;
      blocks_.emplace_back(body.Sub("unit_" + std::to_string(i)), channels,
                           config, layers[i]);
      channels = config.out;
    }
    last_norm_.emplace(body.Sub("final_block/batch_normalization"),
                       2 * channels, kNorm);
    MakeEnds(root(), 2 * channels);
  }

 protected:
  at::Tensor Body(const Features& features, nn::Context& context) override {
    at::Tensor x_BHWC = (*init_)(EmbedInputs(features, context));
    x_BHWC = at::relu((*init_norm_)(x_BHWC, context));
    if (pools_) {
      x_BHWC = nn::MaxPool(x_BHWC, {.height = 3,
                                    .width = 3,
                                    .stride = stride_,
                                    .padding = nn::GridPadding::kValid});
    }
    const std::vector<at::Tensor> parts = x_BHWC.chunk(2, 3);
    Halves x{parts[0], parts[1]};
    for (const Block& block : blocks_) x = block(std::move(x), context);
    const at::Tensor y = at::cat({x.first, x.second}, 3);
    return at::relu((*last_norm_)(y, context)).mean({1, 2}, true);
  }

 private:
  int64_t stride_ = 1;
  bool pools_ = false;
  std::optional<GridConv> init_;
  std::optional<BatchNorm> init_norm_, last_norm_;
  std::vector<Block> blocks_;
};

}  // namespace

void RegisterRevnet(ModelRegistry& models) {
  AddModel<Revnet>(models, "revnet");
}

}  // namespace t2t
