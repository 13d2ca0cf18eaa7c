// Xception. Chollet 2016, "Xception: Deep Learning with Depthwise Separable
// Convolutions", arXiv:1610.02357. Differs from the paper as T2T does: layer
// norm in place of batch norm, and small images have one convolution in place
// of the entry flow.
// Shapes: B batch, H height, W width, D hidden_size.

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/all_models.h"
#include "models/encoder_only.h"
#include "models/image_inputs.h"
#include "t2t/base/error.h"
#include "t2t/model/stacked_model.h"
#include "t2t/nn/grid_convolution.h"
#include "t2t/ops/dropout.h"

namespace t2t {
namespace {

using nn::ConvBlock;
using nn::ConvBlockOptions;
using nn::Window;

constexpr int64_t kLargeImage = 200;  // higher ones
constexpr Window kSquare = {.height = 3, .width = 3};
constexpr Window kHalving = {.height = 3, .width = 3, .stride = 2};

// Separable convolutions and a pool beside one convolution: half as large.
class EntryBlock {
 public:
  EntryBlock(const Scope& scope, int64_t in, int64_t out, bool relu)
      : separable_(scope.Sub("sep_conv_block"), {.in = in,
                                                 .out = out,
                                                 .windows = {kSquare, kSquare},
                                                 .separable = true}),
        shortcut_(scope.Sub("res_conv0"), {.in = in,
                                           .out = out,
                                           .windows = {{.stride = 2}},
                                           .first_relu = relu}) {}

  at::Tensor operator()(const at::Tensor& x) const {
    return nn::MaxPool(separable_(x), kHalving) + shortcut_(x);
  }

 private:
  ConvBlock separable_, shortcut_;
};

class EntryFlow {
 public:
  EntryFlow(const Scope& scope, int64_t channels, int64_t size)
      : first_(scope.Sub("conv0"), {.in = channels,
                                    .out = 32,
                                    .windows = {kHalving},
                                    .first_relu = false}),
        second_(scope.Sub("conv1"),
                {.in = 32, .out = 64, .windows = {kSquare}}) {
    const std::vector<int64_t> sizes = {64, std::min<int64_t>(128, size),
                                        std::min<int64_t>(256, size), size};
    for (size_t i = 0; i < 3; ++i) {
      blocks_.emplace_back(scope.Sub("block" + std::to_string(i)), sizes[i],
                           sizes[i + 1], /*relu=*/i == 0);
    }
  }

  at::Tensor operator()(const at::Tensor& images_BHWC) const {
    at::Tensor x = second_(first_(images_BHWC));
    for (const EntryBlock& block : blocks_) x = block(x);
    return x;
  }

 private:
  ConvBlock first_, second_;
  std::vector<EntryBlock> blocks_;
};

// T2T's conv_block_downsample: wider, and half as large.
class ExitFlow {
 public:
  static int64_t OutputSize(int64_t size) { return size * 5 / 2; }

  ExitFlow(const Scope& scope, int64_t size)
      : shortcut_(scope.Sub("res_conv"),
                  {.in = size, .out = size * 5 / 4, .windows = {kHalving}}),
        layers_() {
    const auto add = [&](int64_t in, int64_t out, bool relu) {
      layers_.emplace_back(scope.Sub("conv" + std::to_string(layers_.size())),
                           ConvBlockOptions{.in = in,
                                            .out = out,
                                            .windows = {kSquare},
                                            .separable = true,
                                            .first_relu = relu});
    };
    add(size, size, true);
    add(size, size * 5 / 4, true);
    add(size * 5 / 4, 2 * size, false);
    add(2 * size, OutputSize(size), true);
  }

  at::Tensor operator()(const at::Tensor& x) const {
    const at::Tensor wider = layers_[1](layers_[0](x));
    const at::Tensor halved = nn::MaxPool(wider, kHalving) + shortcut_(x);
    return at::relu(layers_[3](layers_[2](halved)));
  }

 private:
  ConvBlock shortcut_;
  std::vector<ConvBlock> layers_;
};

class Xception : public EncoderOnlyModel {
 public:
  Xception(HParams hparams, ProblemInfo info, const ParamOptions& params)
      : EncoderOnlyModel("xception", std::move(hparams), std::move(info),
                         params),
        dropout_(hparams_.GetDouble("dropout")) {
    RefuseSplitModel(root());
    const int64_t channels = ImageChannels(info_, "xception");
    const int64_t size = hparams_.GetInt("hidden_size");
    const Scope body = root().Sub("body").Sub("xception");
    if (info_.features.at("inputs").shape[0] > kLargeImage) {
      entry_.emplace(body.Sub("xception_entry"), channels, size);
    } else {
      small_.emplace(body.Sub("small_image_conv"),
                     ConvBlockOptions{.in = channels,
                                      .out = size,
                                      .windows = {kSquare},
                                      .first_relu = false});
    }
    const Window window = {.height = hparams_.GetInt("kernel_height"),
                           .width = hparams_.GetInt("kernel_width")};
    for (int64_t i = 0; i < hparams_.GetInt("num_hidden_layers"); ++i) {
      const Scope own = body.Sub("layer_" + std::to_string(i));
      blocks_.emplace_back(own.Sub("residual_block"),
                           ConvBlockOptions{.in = size,
                                            .out = size,
                                            .windows = {window, window, window},
                                            .separable = true});
      norms_.emplace_back(own.Sub("lnorm"), size);
    }
    exit_.emplace(body.Sub("xception_exit").Sub("conv_block_downsample"), size);
    MakeEnds(root(), ExitFlow::OutputSize(size));
  }

 protected:
  at::Tensor Body(const Features& features, nn::Context& context) override {
    at::Tensor x_BHWD = EmbedInputs(features, context);
    x_BHWD = entry_ ? (*entry_)(x_BHWD) : (*small_)(x_BHWD);
    for (size_t i = 0; i < blocks_.size(); ++i) {
      x_BHWD = norms_[i](x_BHWD + blocks_[i](x_BHWD));
      if (context.training) x_BHWD = Dropout(x_BHWD, dropout_, context.rng);
    }
    return (*exit_)(Square(x_BHWD));
  }

 private:
  // An image of another form as a square with as many pixels.
  static at::Tensor Square(const at::Tensor& x_BHWD) {
    const int64_t pixels = x_BHWD.size(1) * x_BHWD.size(2);
    const auto side = static_cast<int64_t>(std::lround(std::sqrt(pixels)));
    if (side * side != pixels) {
      throw UsageError("images of " + std::to_string(x_BHWD.size(1)) + " by " +
                           std::to_string(x_BHWD.size(2)) +
                           " pixels (in the middle of the model xception)",
                       "as many as a square has", "choose another --model");
    }
    return x_BHWD.reshape({x_BHWD.size(0), side, side, x_BHWD.size(3)});
  }

  double dropout_;
  std::optional<EntryFlow> entry_;  // one of these two
  std::optional<ConvBlock> small_;
  std::vector<ConvBlock> blocks_;
  std::vector<nn::NamedLayerNorm> norms_;
  std::optional<ExitFlow> exit_;
};

}  // namespace

void RegisterXception(ModelRegistry& models) {
  AddModel<Xception>(models, "xception");
}

}  // namespace t2t
