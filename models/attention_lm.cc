// T2T's first language model of attention alone, which its transformer has
// replaced: the decoder of Vaswani et al. 2017, "Attention Is All You Need",
// arXiv:1706.03762.

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
#include "t2t/nn/conv_transition.h"

namespace t2t {
namespace {

TransformerConfig ConfigOf(const HParams& hparams) {
  TransformerConfig config = TransformerConfig::FromHParams(hparams);
  config.self_attention.type = "dot_product";
  return config;
}

MakeStack Layers(const TransformerConfig& config) {
  return [config](const Scope& scope, StackSide) {
    RefuseSplitModel(scope);
    const nn::ConvTransitionOptions ffn = {
        config.ffn.hidden_size, config.ffn.filter_size, config.ffn.dropout};
    return StackOf(
        scope, config, config.decoder_layers, [&](const Scope& layer) {
          return nn::Block(
              layer,
              {ResidualOf<nn::SelfAttention>(layer.Sub("self_attention"),
                                             config, config.self_attention),
               ResidualOf<nn::ConvTransition>(layer.Sub("ffn"), config, ffn)});
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
