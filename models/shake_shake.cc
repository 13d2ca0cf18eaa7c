// Shake-Shake. Gastaldi 2017, "Shake-Shake regularization", arXiv:1705.07485:
// residual branches that are added with random weights, others in the backward
// pass than in the forward pass. For images as small as CIFAR-10's.
// Shapes: B batch, H height, W width, C channels.

#include <ATen/ATen.h>

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
#include "t2t/nn/batch_norm.h"
#include "t2t/nn/grid_convolution.h"
#include "t2t/ops/dropout.h"

namespace t2t {
namespace {

using nn::BatchNorm;
using nn::Context;
using nn::GridConv;

constexpr nn::BatchNormOptions kNorm = {.momentum = 0.99, .epsilon = 1e-3};
constexpr int64_t kFirstChannels = 16;

GridConv Convolution(const Scope& scope, int64_t in, int64_t out, int64_t size,
                     int64_t stride = 1) {
  return {scope,
          {.in = in,
           .out = out,
           .window = {.height = size, .width = size, .stride = stride}}};
}

// ReLU, convolution, norm; twice.
struct Branch {
  Branch(const Scope& scope, int64_t in, int64_t out, int64_t stride)
      : first(Convolution(scope.Sub("conv1"), in, out, 3, stride)),
        first_norm(scope.Sub("bn1"), out, kNorm),
        second(Convolution(scope.Sub("conv2"), out, out, 3)),
        second_norm(scope.Sub("bn2"), out, kNorm) {}

  at::Tensor operator()(const at::Tensor& x, const Context& context) const {
    const at::Tensor y = first_norm(first(at::relu(x)), context);
    return second_norm(second(at::relu(y)), context);
  }

  GridConv first;
  BatchNorm first_norm;
  GridConv second;
  BatchNorm second_norm;
};

// Where channels or sizes change: half of the channels from each pixel that is
// kept, half from its neighbour down and right.
struct Shortcut {
  Shortcut(const Scope& scope, int64_t in, int64_t out, int64_t step)
      : stride(step),
        here(Convolution(scope.Sub("path1_conv"), in, out / 2, 1)),
        beside(Convolution(scope.Sub("path2_conv"), in, out / 2, 1)),
        norm(scope.Sub("final_path_bn"), out, kNorm) {}

  at::Tensor operator()(const at::Tensor& x_BHWC,
                        const Context& context) const {
    const auto every = [&](const at::Tensor& x) {
      return x.slice(1, 0, std::nullopt, stride)
          .slice(2, 0, std::nullopt, stride);
    };
    const at::Tensor moved =
        at::constant_pad_nd(x_BHWC, {0, 0, 0, 1, 0, 1}).slice(1, 1).slice(2, 1);
    return norm(at::cat({here(every(x_BHWC)), beside(every(moved))}, 3),
                context);
  }

  int64_t stride;
  GridConv here, beside;
  BatchNorm norm;
};

class ShakeBlock {
 public:
  ShakeBlock(const Scope& scope, int64_t in, int64_t out, int64_t stride,
             const HParams& hparams)
      : dropout_(hparams.GetDouble("layer_prepostprocess_dropout")) {
    const int64_t count = hparams.GetInt("shake_shake_num_branches");
    for (int64_t i = 0; i < count; ++i) {
      branches_.emplace_back(scope.Sub("branch_" + std::to_string(i)), in, out,
                             stride);
    }
    if (in != out) shortcut_.emplace(scope, in, out, stride);
    if (hparams.GetInt("shake_shake_concat") != 0) {
      const int64_t all = (count + 1) * out;
      join_.emplace(Convolution(scope.Sub("concat_1x1"), all, out, 1));
      join_norm_.emplace(scope.Sub("concat_bn"), out, kNorm);
    }
  }

  at::Tensor operator()(const at::Tensor& x, const Context& context) const {
    std::vector<at::Tensor> all = {shortcut_ ? (*shortcut_)(x, context) : x};
    const at::Tensor forward = Weights(x, context);
    const at::Tensor backward = Weights(x, context);
    for (size_t i = 0; i < branches_.size(); ++i) {
      const auto index = static_cast<int64_t>(i);
      at::Tensor y = branches_[i](x, context);
      if (context.training) {
        const at::Tensor own = backward[index];
        y = y * own + (y.detach() * (forward[index] - own));
        y = Dropout(y, dropout_, context.rng);
      } else {
        y = y / static_cast<double>(branches_.size());
      }
      all.push_back(y);
    }
    if (join_) {
      return (*join_norm_)((*join_)(at::relu(at::cat(all, 3))), context);
    }
    at::Tensor sum = all[0];
    for (size_t i = 1; i < all.size(); ++i) sum = sum + all[i];
    return sum;
  }

 private:
  // Of each branch [B, 1, 1, 1]; together 1.
  at::Tensor Weights(const at::Tensor& x, const Context& context) const {
    const at::Tensor drawn =
        UniformLike(x.new_empty({static_cast<int64_t>(branches_.size()),
                                 x.size(0), 1, 1, 1}),
                    context);
    return drawn / drawn.sum(0, true);
  }

  double dropout_;
  std::vector<Branch> branches_;
  std::optional<Shortcut> shortcut_;
  std::optional<GridConv> join_;
  std::optional<BatchNorm> join_norm_;
};

class ShakeShake : public EncoderOnlyModel {
 public:
  ShakeShake(HParams hparams, ProblemInfo info, const ParamOptions& params)
      : EncoderOnlyModel("shake_shake", std::move(hparams), std::move(info),
                         params) {
    RefuseSplitModel(root());
    const int64_t layers = hparams_.GetInt("num_hidden_layers");
    const int64_t size = hparams_.GetInt("hidden_size");
    if (layers < 8 || (layers - 2) % 6 != 0 || size < 16 || size % 16 != 0) {
      throw UsageError(
          "num_hidden_layers=" + std::to_string(layers) +
              " and hidden_size=" + std::to_string(size),
          "2 layers and a multiple of 6, and a multiple of 16, for "
          "the model shake_shake",
          "change them in --hparams");
    }
    const Scope body = root().Sub("body");
    first_.emplace(Convolution(body.Sub("init_conv"),
                               ImageChannels(info_, "shake_shake"),
                               kFirstChannels, 3));
    first_norm_.emplace(body.Sub("init_bn"), kFirstChannels, kNorm);
    int64_t channels = kFirstChannels;
    for (int64_t group = 0; group < 3; ++group) {
      const Scope own = body.Sub("L" + std::to_string(group + 1));
      const int64_t out = size << group;
      for (int64_t i = 0; i < (layers - 2) / 6; ++i) {
        blocks_.emplace_back(own.Sub("layer_" + std::to_string(i)), channels,
                             out, i == 0 && group > 0 ? 2 : 1, hparams_);
        channels = out;
      }
    }
    MakeEnds(root(), channels);
  }

 protected:
  at::Tensor Body(const Features& features, nn::Context& context) override {
    at::Tensor x = (*first_)(EmbedInputs(features, context));
    x = (*first_norm_)(x, context);
    for (const ShakeBlock& block : blocks_) x = block(x, context);
    return at::relu(x);
  }

 private:
  std::optional<GridConv> first_;
  std::optional<BatchNorm> first_norm_;
  std::vector<ShakeBlock> blocks_;
};

}  // namespace

void RegisterShakeShake(ModelRegistry& models) {
  AddModel<ShakeShake>(models, "shake_shake");
}

}  // namespace t2t
