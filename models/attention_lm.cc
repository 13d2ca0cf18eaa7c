// T2T's first language model of attention alone, which its transformer has
// replaced: the decoder of Vaswani et al. 2017, "Attention Is All You Need",
// arXiv:1706.03762.
// Shapes: B batch, L length, D hidden_size, F filter_size.

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <utility>

#include "models/all_models.h"
#include "models/transformer_config.h"
#include "models/transformer_layers.h"
#include "t2t/base/error.h"
#include "t2t/model/stacked_model.h"
#include "t2t/nn/block.h"
#include "t2t/nn/grid_convolution.h"
#include "t2t/ops/dropout.h"

namespace t2t {
namespace {

using nn::Pass;

// The feed-forward layer, as T2T's convolutions of one position.
class ConvHiddenRelu : public nn::Sublayer {
 public:
  ConvHiddenRelu(const Scope& scope, const FfnOptions& options)
      : dropout_(options.dropout),
        first_(scope.Sub("conv_hidden_relu").Sub("conv1_single"),
               {options.hidden_size, options.filter_size}),
        second_(scope.Sub("conv_hidden_relu").Sub("conv2_single"),
                {options.filter_size, options.hidden_size}) {}

  at::Tensor operator()(const at::Tensor& x_BLD, Pass& pass) const override {
    const at::Tensor x_BLF = first_(x_BLD);
    return second_(ReluDropout(x_BLF, pass.training() ? dropout_ : 0.0,
                               pass.context().rng));
  }
  bool CanBeRagged() const override { return true; }

 private:
  double dropout_;
  nn::GridConv first_, second_;
};

TransformerConfig ConfigOf(const HParams& hparams) {
  TransformerConfig config = TransformerConfig::FromHParams(hparams);
  config.self_attention.type = "dot_product";
  return config;
}

MakeStack Layers(const TransformerConfig& config) {
  return [config](const Scope& scope, StackSide) {
    RefuseSplitModel(scope);
    return StackOf(
        scope, config, config.decoder_layers, [&](const Scope& layer) {
          return nn::Block(layer, {ResidualOf<nn::SelfAttention>(
                                       layer.Sub("self_attention"), config,
                                       config.self_attention),
                                   ResidualOf<ConvHiddenRelu>(
                                       layer.Sub("ffn"), config, config.ffn)});
        });
  };
}

// What it reads are targets: inputs stand before them, by prepend_mode.
ProblemInfo TargetsAlone(ProblemInfo info, const HParams& hparams) {
  if (info.has_inputs() && hparams.GetString("prepend_mode") == "none") {
    throw UsageError("problem '" + info.name + "' has inputs",
                     "one without, for the model attention_lm; or inputs that "
                     "stand before the targets",
                     "set --hparams=prepend_mode=prepend_inputs_full_attention "
                     "(or ..masked_attention), or choose another --problem");
  }
  info.features.erase("inputs");
  return info;
}

class AttentionLm : public StackedModel {
 public:
  AttentionLm(const HParams& hparams, const ProblemInfo& info,
              const ParamOptions& params)
      : StackedModel("attention_lm", ConfigOf(hparams).sequence,
                     Layers(ConfigOf(hparams)), hparams,
                     TargetsAlone(info, hparams), params) {}
};

}  // namespace

void RegisterAttentionLm(ModelRegistry& models) {
  AddModel<AttentionLm>(models, "attention_lm");
}

}  // namespace t2t
