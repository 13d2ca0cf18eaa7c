// ResNet. He et al. 2015, "Deep Residual Learning for Image Recognition",
// arXiv:1512.03385, with T2T's two blocks: before the convolutions batch norm
// and ReLU ("residual", as in He et al. 2016, arXiv:1603.05027), or after them
// ("bottleneck"). use_td: Gomez et al. 2019, "Learning Sparse Networks Using
// Targeted Dropout", arXiv:1905.13678.
// Shapes: B batch, H height, W width, C channels.

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/all_models.h"
#include "models/encoder_only.h"
#include "models/image_inputs.h"
#include "t2t/base/error.h"
#include "t2t/hparams/values_or.h"
#include "t2t/model/stacked_model.h"
#include "t2t/nn/batch_norm.h"
#include "t2t/nn/dense.h"
#include "t2t/nn/grid_convolution.h"
#include "t2t/ops/dropout.h"

namespace t2t {
namespace {

using nn::BatchNorm;

// What of a convolution's small weights ("weight"), or of its small outputs
// ("unit"), is dropped: in training by chance, otherwise as many as that drops.
struct TargetedDropout {
  std::string kind = "none";
  double rate = 0.0;  // which share is small
  double keep = 1.0;

  at::Tensor operator()(const at::Tensor& kernel,
                        const nn::Context& context) const;
};

at::Tensor TargetedDropout::operator()(const at::Tensor& kernel,
                                       const nn::Context& context) const {
  if (keep >= 1.0) return kernel;
  const at::Tensor weights = kernel.reshape({-1, kernel.size(-1)});
  const at::Tensor sizes =
      kind == "weight" ? weights.abs() : weights.norm(2, 0, true);
  const at::Tensor ranked = kind == "weight" ? sizes : sizes.t();
  const double small = rate * static_cast<double>(ranked.size(0));
  const auto count = static_cast<int64_t>(
      context.training ? small : std::nearbyint(small * (1.0 - keep)));
  const at::Tensor bound = std::get<0>(ranked.detach().sort(0))
                               .select(0, std::min(count, ranked.size(0) - 1));
  const at::Tensor targeted = sizes.le(bound);  // columns side by side
  const at::Tensor kept = weights.masked_fill(targeted, 0.0);
  const at::Tensor result =
      context.training
          ? at::where(targeted, Dropout(weights, 1.0 - keep, context.rng), kept)
          : kept;
  return result.view(kernel.sizes());
}

struct ResnetConfig {
  static ResnetConfig FromHParams(const HParams& hparams);

  bool is_cifar = false;
  bool bottleneck = false;
  std::vector<int64_t> blocks;   // of each group
  std::vector<int64_t> filters;  // of the first convolution, then the groups'
  std::vector<int64_t> ratios;   // of a bottleneck's outputs to its filters
  TargetedDropout dropout;
};

ResnetConfig ResnetConfig::FromHParams(const HParams& hparams) {
  ResnetConfig config;
  config.is_cifar = hparams.GetBool("is_cifar");
  config.blocks = hparams.GetInts("layer_sizes");
  config.filters = hparams.GetInts("filter_sizes");
  config.ratios = hparams.GetInts("bottleneck_ratios");
  config.dropout = {StringOr(hparams, "use_td", "none"),
                    DoubleOr(hparams, "targeting_rate", 0.0),
                    DoubleOr(hparams, "keep_prob", 1.0)};
  const std::string block = hparams.GetString("block_fn");
  config.bottleneck = block == "bottleneck";
  if (!config.bottleneck && block != "residual") {
    throw UsageError("block_fn=" + block, "residual or bottleneck",
                     "change --hparams=block_fn=...");
  }
  const std::string& kind = config.dropout.kind;
  if (kind != "none" && kind != "weight" && kind != "unit") {
    throw UsageError("use_td=" + kind, "none, weight or unit",
                     "change --hparams=use_td=...");
  }
  const size_t groups = config.is_cifar ? 3 : 4;
  if (config.blocks.size() < groups || config.filters.size() < groups + 1 ||
      config.ratios.size() < groups) {
    throw UsageError("too few layer_sizes, filter_sizes or bottleneck_ratios",
                     std::to_string(groups) +
                         " groups of blocks: as many layer_sizes and "
                         "bottleneck_ratios, one more of filter_sizes",
                     "change them in --hparams");
  }
  config.blocks.resize(groups);
  return config;
}

// "conv2d", "conv2d_1", ..: Keras numbers what it makes.
class Names {
 public:
  explicit Names(const Scope& scope)
      // Whatever hparam initializer says.
      : scope_(scope.store(), scope.prefix(),
               VarianceScalingInit(1.0, "fan_in", "normal")) {}

  Scope Next(const std::string& kind) {
    const int64_t number = counts_[kind]++;
    return scope_.Sub(number == 0 ? kind : kind + "_" + std::to_string(number));
  }

 private:
  Scope scope_;
  std::map<std::string, int64_t> counts_;
};

class Convolution {
 public:
  Convolution(Names* names, const TargetedDropout& dropout, int64_t in,
              int64_t out, int64_t size, int64_t stride)
      : dropout_(dropout),
        window_{.height = size,
                .width = size,
                .stride = stride,
                .padding = nn::GridPadding::kCentred} {
    const bool targeted = dropout.kind != "none";
    kernel_ = names->Next(targeted ? "td_conv" : "conv2d")
                  .Param(targeted ? "DW" : "kernel", {size, size, in, out});
  }

  at::Tensor operator()(const at::Tensor& x_BHWC,
                        const nn::Context& context) const {
    return nn::ConvolveGrid(x_BHWC, dropout_(kernel_, context), {}, window_);
  }

 private:
  TargetedDropout dropout_;
  nn::Window window_;
  at::Tensor kernel_;
};

// A convolution of 1x1 and its norm, beside a block that changes sizes.
struct Projection {
  Projection(Names* names, const TargetedDropout& dropout, int64_t in,
             int64_t out, int64_t stride)
      : convolution(names, dropout, in, out, 1, stride),
        norm(names->Next("batch_normalization"), out) {}

  at::Tensor operator()(const at::Tensor& x, const nn::Context& context) const {
    return norm(convolution(x, context), context);
  }

  Convolution convolution;
  BatchNorm norm;
};

// Two convolutions, with batch norm and ReLU before each; or three, the middle
// one of fewer channels, with them after each.
class ResidualBlock {
 public:
  struct Shape {
    int64_t in, filters, out, stride;
    bool projects, is_last;
  };

  ResidualBlock(Names* names, const ResnetConfig& config, const Shape& shape)
      : bottleneck_(config.bottleneck) {
    const auto convolve = [&](int64_t in, int64_t out, int64_t size,
                              int64_t stride) {
      convolutions_.emplace_back(names, config.dropout, in, out, size, stride);
    };
    const auto norm = [&](int64_t channels, bool zero = false) {
      norms_.emplace_back(names->Next("batch_normalization"), channels,
                          nn::BatchNormOptions{.starts_at_zero = zero});
    };
    const auto project = [&] {
      if (!shape.projects) return;
      projection_.emplace(names, config.dropout, shape.in, shape.out,
                          shape.stride);
    };
    if (bottleneck_) {
      project();
      convolve(shape.in, shape.filters, 1, 1);
      norm(shape.filters);
      convolve(shape.filters, shape.filters, 3, shape.stride);
      norm(shape.filters);
      convolve(shape.filters, shape.out, 1, 1);
      norm(shape.out, shape.is_last);
    } else {
      norm(shape.in);
      project();
      convolve(shape.in, shape.filters, 3, shape.stride);
      norm(shape.filters);
      convolve(shape.filters, shape.filters, 3, 1);
    }
  }

  at::Tensor operator()(const at::Tensor& x_BHWC,
                        const nn::Context& context) const {
    at::Tensor y = x_BHWC;
    if (!bottleneck_) y = at::relu(norms_[0](y, context));
    const at::Tensor shortcut =
        projection_ ? (*projection_)(y, context) : x_BHWC;
    y = convolutions_[0](y, context);
    if (!bottleneck_) {
      return convolutions_[1](at::relu(norms_[1](y, context)), context) +
             shortcut;
    }
    y = convolutions_[1](at::relu(norms_[0](y, context)), context);
    y = convolutions_[2](at::relu(norms_[1](y, context)), context);
    return at::relu(norms_[2](y, context) + shortcut);
  }

 private:
  bool bottleneck_;
  std::vector<Convolution> convolutions_;
  std::vector<BatchNorm> norms_;
  std::optional<Projection> projection_;
};

class Resnet : public EncoderOnlyModel {
 public:
  Resnet(HParams hparams, ProblemInfo info, const ParamOptions& params)
      : EncoderOnlyModel("resnet", std::move(hparams), std::move(info), params),
        config_(ResnetConfig::FromHParams(hparams_)) {
    RefuseSplitModel(root());
    Names names(root().Sub("body"));
    int64_t channels = config_.filters[0];
    first_.emplace(&names, TargetedDropout(), ImageChannels(info_, "resnet"),
                   channels, 7, config_.is_cifar ? 1 : 2);
    first_norm_.emplace(names.Next("batch_normalization"), channels);
    for (size_t group = 0; group < config_.blocks.size(); ++group) {
      const int64_t filters = config_.filters[group + 1];
      const int64_t out =
          config_.bottleneck ? filters * config_.ratios[group] : filters;
      for (int64_t i = 0; i < config_.blocks[group]; ++i) {
        blocks_.emplace_back(
            &names, config_,
            ResidualBlock::Shape{
                .in = channels,
                .filters = filters,
                .out = out,
                .stride = i == 0 && group > 0 ? 2 : 1,
                .projects = i == 0,
                .is_last = i > 0 && i + 1 == config_.blocks[group]});
        channels = out;
      }
    }
    if (!config_.is_cifar) {
      MakeEnds(root(), channels);
      return;
    }
    MakeEndsButTop(root());
    top_ = Dense(root().Sub("body").Sub("logits"), channels,
                 target_modality().vocab_size());
  }

 protected:
  at::Tensor Body(const Features& features, nn::Context& context) override {
    const at::Tensor images_BHWC = EmbedInputs(features, context);
    at::Tensor x = (*first_)(images_BHWC, context);
    x = at::relu((*first_norm_)(x, context));
    if (!config_.is_cifar) {
      x = nn::MaxPool(x, {.height = 3, .width = 3, .stride = 2});
    }
    for (const ResidualBlock& block : blocks_) x = block(x, context);
    return x;
  }

  at::Tensor Top(const at::Tensor& body_output) const override {
    if (!config_.is_cifar) return EncoderOnlyModel::Top(body_output);
    return top_(body_output.mean({1, 2})).unsqueeze(1);
  }

  // For small images T2T's loss has no label smoothing. (It has none at all in
  // evaluation: its 0 is not repeated here.)
  LossParts TargetLoss(const Features& features,
                       nn::Context& context) override {
    if (!config_.is_cifar) {
      return EncoderOnlyModel::TargetLoss(features, context);
    }
    return target_modality().LossOfLogits(Top(RunBody(features, context)),
                                          RequiredFeature(features, "targets"),
                                          {}, Mode::kEval);
  }

 private:
  ResnetConfig config_;
  std::optional<Convolution> first_;
  std::optional<BatchNorm> first_norm_;
  std::vector<ResidualBlock> blocks_;
  Dense top_;  // of small images
};

}  // namespace

void RegisterResnet(ModelRegistry& models) {
  AddModel<Resnet>(models, "resnet");
}

}  // namespace t2t
