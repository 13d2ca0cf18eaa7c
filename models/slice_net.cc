// SliceNet. Kaiser, Gomez and Chollet 2017, "Depthwise Separable Convolutions
// for Neural Machine Translation", arXiv:1706.03059: encoder and decoder of
// (sub-)separable convolutions, and attention between them.
// Shapes: B batch, L length, M inputs' length, D hidden_size; grids are
// [B, length, 1, D].

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/all_models.h"
#include "models/encoder_only.h"
#include "models/image_inputs.h"
#include "t2t/base/error.h"
#include "t2t/hparams/values_or.h"
#include "t2t/model/scheduled_sampling.h"
#include "t2t/model/stacked_model.h"
#include "t2t/nn/attention.h"
#include "t2t/nn/attention_bias.h"
#include "t2t/nn/grid_convolution.h"
#include "t2t/nn/positional.h"
#include "t2t/ops/dropout.h"
#include "t2t/problem/modality_traits.h"

namespace t2t {
namespace {

using nn::ConvBlock;
using nn::GridPadding;
using nn::Window;

constexpr int64_t kTimingChannels = 32;
constexpr int64_t kTargetSpaces = 32;

struct SliceNetConfig {
  static SliceNetConfig FromHParams(const HParams& hparams);

  // Convolutions with ReLU before and a norm after each.
  nn::ConvBlockOptions Convolutions(std::vector<Window> windows,
                                    GridPadding padding) const;

  int64_t size = 0;
  int64_t layers = 0;
  std::vector<Window> first, second;  // a layer's two groups of convolutions
  int64_t separability = 0;
  bool has_attention = true;
  Window merge;
  std::string norm_type;
  double norm_epsilon = 0.0;
  double dropout = 0.0;
  AttentionOptions attention;
};

SliceNetConfig SliceNetConfig::FromHParams(const HParams& hparams) {
  static const auto* const kernels =
      new std::map<std::string, std::vector<int64_t>>{
          {"3.3.3.3", {3, 3, 3, 3}},
          {"3.7.7.7", {3, 7, 7, 7}},
          {"3.7.15.15", {3, 7, 15, 15}},
          {"3.7.15.31", {3, 7, 15, 31}},
          {"3.7.15.31.63", {3, 7, 15, 31, 63}}};
  static const auto* const dilations =
      new std::map<std::string, std::vector<int64_t>>{
          {"1.1.1.1.1", {1, 1, 1, 1, 1}},
          {"1.1.1.1", {1, 1, 1, 1}},
          {"1.1.1.2", {1, 1, 1, 2}},
          {"1.1.2.4", {1, 1, 2, 4}},
          {"1.2.4.8", {1, 2, 4, 8}}};
  SliceNetConfig config;
  config.size = hparams.GetInt("hidden_size");
  if (config.size < kTimingChannels) {
    throw UsageError("hidden_size=" + std::to_string(config.size),
                     "at least 32, for the model slice_net",
                     "change --hparams=hidden_size=...");
  }
  config.layers = hparams.GetInt("num_hidden_layers");
  config.merge = {.height = hparams.GetInt("kernel_height"),
                  .width = hparams.GetInt("kernel_width")};
  const auto kernel = kernels->find(hparams.GetString("kernel_scheme"));
  const auto dilation = dilations->find(hparams.GetString("dilation_scheme"));
  if (kernel != kernels->end() && dilation != dilations->end()) {
    const size_t count =
        std::min(kernel->second.size(), dilation->second.size());
    for (size_t i = 0; i < count; ++i) {
      (i < 2 ? config.first : config.second)
          .push_back(
              {.height = kernel->second[i], .dilation = dilation->second[i]});
    }
  } else {
    const int64_t large = hparams.GetInt("large_kernel_size");
    config.first = {config.merge, config.merge};
    config.second = {{.height = large},
                     {.height = large, .dilation = 4, .square_dilation = true}};
  }
  config.separability = hparams.GetInt("separability");
  const std::string attention = hparams.GetString("attention_type");
  config.has_attention = attention != "none";
  if (config.has_attention && attention != "transformer") {
    throw UsageError("attention_type=" + attention, "transformer or none",
                     "change --hparams=attention_type=...");
  }
  config.norm_type = hparams.GetString("norm_type");
  config.norm_epsilon = hparams.GetDouble("norm_epsilon");
  config.dropout = hparams.GetDouble("dropout");
  AttentionOptions& options = config.attention;
  options.input_size = options.output_size = config.size;
  options.key_channels = options.value_channels = config.size;
  options.heads = hparams.GetInt("num_heads");
  options.dropout = DoubleOr(hparams, "attention_dropout", 0.0);
  return config;
}

nn::ConvBlockOptions SliceNetConfig::Convolutions(std::vector<Window> windows,
                                                  GridPadding padding) const {
  nn::ConvBlockOptions options;
  options.in = options.out = size;
  options.norm_type = norm_type;
  options.norm_epsilon = norm_epsilon;
  const auto count = static_cast<int64_t>(windows.size());
  for (int64_t i = 0; i < count; ++i) {
    // The later ones have fewer groups.
    options.separabilities.push_back(
        separability < 0 ? separability - (count - 1 - i) : separability);
  }
  for (Window& window : windows) window.padding = padding;
  options.windows = std::move(windows);
  return options;
}

at::Tensor AddTiming(const at::Tensor& x_BL1D) {
  const at::Tensor signal =
      TimingSignal(x_BL1D.size(1), kTimingChannels).unsqueeze(2);
  return x_BL1D +
         at::constant_pad_nd(signal, {0, x_BL1D.size(3) - kTimingChannels});
}

// The targets look at each other, then at the inputs (at their padding, too, as
// in T2T).
class TargetAttention {
 public:
  TargetAttention(const Scope& scope, const SliceNetConfig& config)
      : timed_(
            scope.Sub("targets_time"),
            config.Convolutions({{.height = 5}, {.height = 5, .dilation = 4}},
                                GridPadding::kLeft)),
        self_(scope, Named(config.attention, "self_attention")),
        memory_(scope, Named(config.attention, "encdec_attention")) {}

  at::Tensor operator()(const at::Tensor& x_BL1D, const at::Tensor& memory_BMD,
                        nn::Context& context) const {
    const at::Tensor x_BLD = timed_(AddTiming(x_BL1D)).squeeze(2);
    const at::Tensor own =
        self_.SelfAttention(x_BLD, BiasLowerTriangle(x_BLD.size(1)), context);
    return memory_.MemoryAttention(own, memory_BMD, {}, context).unsqueeze(2);
  }

 private:
  static AttentionOptions Named(AttentionOptions options,
                                const std::string& name) {
    options.name = name;
    return options;
  }

  ConvBlock timed_;
  MultiheadAttention self_, memory_;
};

// T2T's multi_conv_res: layers of two groups of convolutions each, and the
// decoder's with attention.
class ConvolutionLayers {
 public:
  ConvolutionLayers(const Scope& scope, const SliceNetConfig& config,
                    int64_t layers, bool is_decoder)
      : dropout_(config.dropout) {
    const GridPadding padding =
        is_decoder ? GridPadding::kLeft : GridPadding::kSame;
    for (int64_t i = 0; i < layers; ++i) {
      const Scope own = scope.Sub("layer_" + std::to_string(i));
      Layer layer{ConvBlock(own.Sub("residual1"),
                            config.Convolutions(config.first, padding)),
                  ConvBlock(own.Sub("residual2"),
                            config.Convolutions(config.second, padding)),
                  std::nullopt};
      if (is_decoder && config.has_attention) {
        layer.attention.emplace(own, config);
      }
      layers_.push_back(std::move(layer));
    }
  }

  // mask [B, M, 1, 1]: an encoder's, 0 on padding. memory_BMD: a decoder's.
  at::Tensor operator()(at::Tensor x_BL1D, const at::Tensor& mask,
                        const at::Tensor& memory_BMD,
                        nn::Context& context) const {
    for (const Layer& layer : layers_) {
      const at::Tensor y = layer.first(x_BL1D, mask);
      x_BL1D = x_BL1D + layer.second(x_BL1D + y, mask) + y;
      if (layer.attention) {
        x_BL1D = x_BL1D + (*layer.attention)(x_BL1D, memory_BMD, context);
      }
      if (mask.defined()) x_BL1D = x_BL1D * mask;
    }
    return context.training ? Dropout(x_BL1D, dropout_, context.rng) : x_BL1D;
  }

 private:
  struct Layer {
    ConvBlock first, second;
    std::optional<TargetAttention> attention;
  };

  double dropout_;
  std::vector<Layer> layers_;
};

// Between encoder and decoder: each target, and what it finds in the inputs.
class Middle {
 public:
  Middle(const Scope& scope, const SliceNetConfig& config)
      : merge_(scope.Sub("targets_merge"), MergeOptions(config)) {
    if (config.has_attention) attention_.emplace(scope, config);
  }

  at::Tensor operator()(const at::Tensor& shifted_BL1D,
                        const at::Tensor& memory_BMD,
                        nn::Context& context) const {
    const at::Tensor found =
        attention_ ? (*attention_)(shifted_BL1D, memory_BMD, context)
                   : at::zeros_like(shifted_BL1D);
    return merge_(at::cat({found, shifted_BL1D}, 3));
  }

 private:
  static nn::ConvBlockOptions MergeOptions(const SliceNetConfig& config) {
    nn::ConvBlockOptions options =
        config.Convolutions({config.merge}, GridPadding::kLeft);
    options.in = 2 * config.size;
    options.separabilities = {4};
    return options;
  }

  ConvBlock merge_;
  std::optional<TargetAttention> attention_;
};

class SliceNet : public Model {
 public:
  SliceNet(HParams hparams, ProblemInfo info, const ParamOptions& params)
      : Model(std::move(hparams), std::move(info), params) {
    RequireInputs(info_, "slice_net");
    RefuseScheduledSampling(hparams_);
    const SliceNetConfig config = SliceNetConfig::FromHParams(hparams_);
    const Scope root(&params_, "slice_net", DefaultInitializer(hparams_));
    RefuseSplitModel(root);
    const Scope body = root.Sub("body").Sub("slicenet");
    if (TraitsOfModality(info_.features.at("inputs").modality).is_image) {
      nn::ConvBlockOptions options{.in = ImageChannels(info_, "slice_net"),
                                   .out = config.size,
                                   .windows = {{.height = 3, .width = 3}},
                                   .first_relu = false};
      images_.emplace(body.Sub("conv_block"), options);
    }
    target_space_ = body.Sub("target_space_embedding")
                        .Param("kernel", {kTargetSpaces, config.size});
    encoder_.emplace(body.Sub("encoder"), config, config.layers * 3 / 2, false);
    // A class of the inputs needs no decoder.
    if (!TraitsOfModality(info_.features.at("targets").modality)
             .is_class_label) {
      middle_.emplace(body, config);
      decoder_.emplace(body.Sub("decoder"), config, config.layers, true);
    }
    MakeEnds(root);
  }

 protected:
  at::Tensor Body(const Features& features, nn::Context& context) override {
    at::Tensor inputs = EmbedInputs(features, context);
    if (images_) inputs = (*images_)(inputs);
    const at::Tensor inputs_BM1D = AsSequence(inputs).unsqueeze(2);
    const at::Tensor mask =
        inputs_BM1D.detach().ne(0).any(3, true).to(at::kFloat);
    const at::Tensor encoded =
        (*encoder_)(AddTiming(inputs_BM1D), mask, {}, context).squeeze(2);
    if (!decoder_) return encoded;

    const at::Tensor targets_BLD =
        AsSequence(EmbedTargets(RequiredFeature(features, "targets"), context));
    const at::Tensor start = target_space_.select(0, info_.target_space_id)
                                 .expand({targets_BLD.size(0), 1, -1});
    const at::Tensor shifted =
        at::cat({start, targets_BLD}, 1).narrow(1, 0, targets_BLD.size(1));
    const at::Tensor joined =
        (*middle_)(shifted.unsqueeze(2), encoded, context);
    return (*decoder_)(joined, {}, encoded, context).squeeze(2);
  }

 private:
  std::optional<ConvBlock> images_;
  at::Tensor target_space_;
  std::optional<ConvolutionLayers> encoder_;
  std::optional<Middle> middle_;
  std::optional<ConvolutionLayers> decoder_;
};

}  // namespace

void RegisterSliceNet(ModelRegistry& models) {
  AddModel<SliceNet>(models, "slice_net");
}

}  // namespace t2t
