// A Transformer whose layers differ: each has its kind of attention and its
// kind of feed-forward layer, experts (Shazeer et al. 2017, "Outrageously Large
// Neural Networks", arXiv:1701.06538) and attention for long sequences (Liu et
// al. 2018, "Generating Wikipedia by Summarizing Long Sequences",
// arXiv:1801.10198) among them. hparam layer_types writes them down:
//   "a/a-moe#loc/a-sepm"   an encoder and a decoder, of two layers each
//   "a/a"                  both alike
//   "#a/a-a-fc"            a decoder alone; "self-memory-feed-forward"
// Attention: a (of all positions), loc and locm (local), red and redm
// (compressed), mem (a's numbers; in T2T it needs less memory). Feed-forward:
// fc, sep and sepm (separable convolutions), moe. An "m" at the end: a position
// does not see those after it.

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/all_models.h"
#include "models/transformer_config.h"
#include "models/transformer_layers.h"
#include "t2t/base/error.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/hparams/values_or.h"
#include "t2t/model/stacked_model.h"
#include "t2t/nn/block.h"
#include "t2t/nn/compressed_attention.h"
#include "t2t/nn/conv_transition.h"

namespace t2t {
namespace {

[[noreturn]] void RefuseLayerTypes(const std::string& what,
                                   const std::string& expected) {
  throw UsageError(what + " in layer_types, default_att or default_ff",
                   expected, "change them in --hparams");
}

struct LayerKinds {
  std::string self;
  std::string memory;
  std::string ffn;
};

struct MoeConfig {
  static MoeConfig FromHParams(const HParams& hparams);

  TransformerConfig layer;
  std::vector<LayerKinds> encoder;  // empty: there is none
  std::vector<LayerKinds> decoder;
  nn::CompressionOptions compression;
  MixtureOptions experts;
};

// "a-sepm/a": one side's layers.
std::vector<LayerKinds> ParseLayers(const std::string& text,
                                    const HParams& hparams) {
  std::vector<LayerKinds> layers;
  for (const std::string& layer : Split(text, '/')) {
    if (layer.empty()) continue;
    const std::vector<std::string> kinds = Split(layer, '-');
    if (kinds.size() > 3) {
      RefuseLayerTypes("the layer '" + layer + "'",
                       "at most attention, attention to the encoder and "
                       "feed-forward layer, with - between");
    }
    const std::string& attention = hparams.GetString("default_att");
    layers.push_back(
        {kinds[0].empty() ? attention : kinds[0],
         kinds.size() == 3 ? kinds[1] : attention,
         kinds.size() > 1 ? kinds.back() : hparams.GetString("default_ff")});
  }
  return layers;
}

int64_t ExpertSize(const HParams& hparams) {
  const std::string& text = hparams.GetString("moe_hidden_sizes");
  int64_t size = 0;
  if (ParseInt(text, &size) && size > 0) return size;
  throw UsageError("moe_hidden_sizes=" + text,
                   "one number: each expert has one hidden layer",
                   "change --hparams=moe_hidden_sizes=...");
}

// T2T's sets have such decoders, too (transformer_moe_8k).
void NoteWhatSeesTargets(const std::vector<LayerKinds>& decoder) {
  for (const LayerKinds& layer : decoder) {
    for (const std::string& kind : {layer.self, layer.ffn}) {
      if (kind != "loc" && kind != "red" && kind != "sep") continue;
      Log("the decoder has a layer '" + kind +
          "', in which a position sees the targets after it: its loss says "
          "nothing of how well it decodes; use " +
          kind + "m in layer_types, default_att or default_ff");
      return;
    }
  }
}

MoeConfig MoeConfig::FromHParams(const HParams& hparams) {
  MoeConfig config;
  config.layer = TransformerConfig::FromHParams(hparams);
  config.layer.sequence.no_body_scope = true;
  AttentionOptions& attention = config.layer.self_attention;
  attention.type = "dot_product";
  attention.local.block = hparams.GetInt("attention_loc_block_length");
  attention.local.width = hparams.GetInt("attention_loc_block_width");
  config.compression = {hparams.GetInt("attention_red_factor"),
                        hparams.GetString("attention_red_type"),
                        hparams.GetString("attention_red_nonlinearity")};
  config.experts = {config.layer.sequence.hidden_size, ExpertSize(hparams),
                    hparams.GetInt("moe_num_experts"), hparams.GetInt("moe_k"),
                    hparams.GetDouble("moe_loss_coef")};
  std::string types = hparams.GetString("layer_types");
  if (types.empty()) {
    const int64_t layers = hparams.GetInt("num_hidden_layers");
    types = Join(std::vector<std::string>(static_cast<size_t>(layers),
                                          hparams.GetString("default_att")),
                 "/");
  }
  std::vector<std::string> sides = Split(types, '#');
  if (sides.size() == 1) sides.push_back(sides[0]);
  if (sides.size() != 2) {
    RefuseLayerTypes("more than one #", "one, between encoder and decoder");
  }
  if (config.layer.sequence.prepends_inputs) sides[0].clear();
  config.encoder = ParseLayers(sides[0], hparams);
  config.decoder = ParseLayers(sides[1], hparams);
  NoteWhatSeesTargets(config.decoder);
  return config;
}

nn::SublayerPtr MakeSelfAttention(const Scope& scope, const std::string& kind,
                                  const MoeConfig& config) {
  AttentionOptions attention = config.layer.self_attention;
  if (kind == "loc") attention.type = "local_unmasked";
  if (kind == "locm") attention.type = "local_mask_right";
  if (kind == "red" || kind == "redm") {
    nn::CompressionOptions compression = config.compression;
    compression.causal = kind == "redm";
    return std::make_shared<nn::CompressedSelfAttention>(scope, attention,
                                                         compression);
  }
  if (kind == "a" || kind == "mem" || kind == "loc" || kind == "locm") {
    return std::make_shared<nn::SelfAttention>(scope, attention);
  }
  RefuseLayerTypes("the attention '" + kind + "'",
                   "a, mem, loc, locm, red or redm");
}

nn::SublayerPtr MakeMemoryAttention(const Scope& scope, const std::string& kind,
                                    const MoeConfig& config) {
  if (kind == "a" || kind == "mem") {
    return std::make_shared<nn::MemoryAttention>(scope,
                                                 config.layer.memory_attention);
  }
  RefuseLayerTypes("the attention to the encoder '" + kind + "'", "a or mem");
}

nn::SublayerPtr MakeTransition(const Scope& scope, const std::string& kind,
                               const MoeConfig& config) {
  const FfnOptions& ffn = config.layer.ffn;
  const nn::ConvTransitionOptions options = {ffn.hidden_size, ffn.filter_size,
                                             ffn.dropout};
  if (kind == "fc") return std::make_shared<nn::ConvTransition>(scope, options);
  if (kind == "sep" || kind == "sepm") {
    return std::make_shared<nn::SeparableTransition>(scope, options,
                                                     /*causal=*/kind == "sepm");
  }
  if (kind == "moe") {
    return std::make_shared<nn::ExpertTransition>(scope, config.experts);
  }
  RefuseLayerTypes("the feed-forward layer '" + kind + "'",
                   "fc, sep, sepm or moe");
}

nn::Block MakeLayer(const Scope& scope, const LayerKinds& kinds, StackSide side,
                    const MoeConfig& config) {
  std::vector<nn::Residual> residuals;
  const auto add = [&](const std::string& name, const std::string& kind,
                       const auto& make) {
    const Scope own = scope.Sub(name + "_" + kind);
    // Braces: parameters are made in this order.
    residuals.push_back(nn::Residual{
        PrePost(own, "layer_prepostprocess", config.layer.preprocess),
        make(own, kind, config),
        PrePost(own, "layer_postprocess", config.layer.postprocess)});
  };
  add(side.is_decoder ? "self_att" : "att", kinds.self, MakeSelfAttention);
  if (side.has_memory) add("att_ende", kinds.memory, MakeMemoryAttention);
  add("ff", kinds.ffn, MakeTransition);
  return nn::Block(scope, std::move(residuals));
}

MakeStack Layers(const MoeConfig& config) {
  return [config](const Scope& scope, StackSide side) {
    RefuseSplitModel(scope);
    const auto& kinds = side.is_decoder ? config.decoder : config.encoder;
    nn::Stack stack;
    for (size_t i = 0; i < kinds.size(); ++i) {
      stack.blocks.push_back(
          MakeLayer(scope.Sub(LayerName(static_cast<int64_t>(i))), kinds[i],
                    side, config));
    }
    stack.last.emplace(scope, "layer_prepostprocess", config.layer.preprocess);
    return stack;
  };
}

// Without an encoder what it reads are targets: inputs stand before them.
ProblemInfo InfoFor(ProblemInfo info, const MoeConfig& config) {
  if (!config.encoder.empty()) return info;
  if (info.has_inputs() && !config.layer.sequence.prepends_inputs) {
    throw UsageError(
        "layer_types without an encoder, and problem '" + info.name +
            "' has inputs",
        "a problem without; or inputs that stand before the targets",
        "set --hparams=prepend_mode=prepend_inputs_masked_attention, or give "
        "layer_types an encoder");
  }
  info.features.erase("inputs");
  return info;
}

class TransformerMoe : public StackedModel {
 public:
  TransformerMoe(const HParams& hparams, const ProblemInfo& info,
                 const ParamOptions& params)
      : TransformerMoe(MoeConfig::FromHParams(hparams), hparams, info, params) {
  }

 private:
  TransformerMoe(const MoeConfig& config, const HParams& hparams,
                 const ProblemInfo& info, const ParamOptions& params)
      : StackedModel("transformer_moe", config.layer.sequence, Layers(config),
                     hparams, InfoFor(info, config), params) {}
};

}  // namespace

void RegisterTransformerMoe(ModelRegistry& models) {
  AddModel<TransformerMoe>(models, "transformer_moe");
}

}  // namespace t2t
