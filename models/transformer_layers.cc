#include "models/transformer_layers.h"

#include <ATen/ATen.h>

namespace t2t {
namespace {

// Area attention is the first layers' alone.
AttentionOptions WithAreas(AttentionOptions options, const AreaOptions& area,
                           int64_t layer, const TransformerConfig& config) {
  if (layer < config.area_layers) options.area = area;
  return options;
}

// Self-attention with recurrent memory, of which T2T makes the variables last.
struct RecurrentParts {
  RecurrentParts(const Scope& scope, const AttentionOptions& options,
                 const TransformerConfig& config)
      : before(scope, "layer_prepostprocess", config.preprocess),
        attention(scope, options),
        after(scope, "layer_postprocess", config.postprocess) {}

  PrePost before;
  MultiheadAttention attention;
  PrePost after;
};

}  // namespace

std::string LayerName(int64_t index) {
  return "layer_" + std::to_string(index);
}

nn::Block EncoderBlock(const Scope& scope, int64_t index,
                       const TransformerConfig& config) {
  const AttentionOptions attention =
      WithAreas(config.self_attention, config.encoder_area, index, config);
  return {scope,
          {ResidualOf<nn::SelfAttention>(scope.Sub("self_attention"), config,
                                         attention),
           ResidualOf<nn::Transition>(scope.Sub("ffn"), config, config.ffn,
                                      config.remove_padding)}};
}

nn::Block DecoderBlock(const Scope& scope, int64_t index,
                       const TransformerConfig& config, bool has_memory,
                       RecurrentLayers* recurrent) {
  const Scope self = scope.Sub("self_attention");
  const AttentionOptions options =
      WithAreas(config.self_attention, config.decoder_area, index, config);
  std::vector<nn::Residual> residuals;
  std::optional<RecurrentParts> parts;
  if (config.memory.enabled()) {
    parts.emplace(self, options, config);
  } else {
    residuals.push_back(ResidualOf<nn::SelfAttention>(self, config, options));
  }
  // Checkpoints have the layers' parameters in this order, not in that in which
  // they run.
  nn::Residual transition =
      ResidualOf<nn::Transition>(scope.Sub("ffn"), config, config.ffn);
  if (parts) {
    auto attention = std::make_shared<const nn::RecurrentSelfAttention>(
        parts->attention,
        RecurrentMemory(self.Sub("multihead_attention"), LayerName(index),
                        config.memory),
        recurrent->size());
    recurrent->push_back(attention);
    residuals.emplace_back(parts->before, std::move(attention), parts->after);
  }
  if (has_memory) {
    residuals.push_back(ResidualOf<nn::MemoryAttention>(
        scope.Sub("encdec_attention"), config,
        WithAreas(config.memory_attention, config.decoder_area, index,
                  config)));
  }
  residuals.push_back(std::move(transition));
  return {scope, std::move(residuals)};
}

nn::Stack EncoderStack(const Scope& scope, const TransformerConfig& config) {
  nn::Stack stack;
  for (int64_t i = 0; i < config.encoder_layers; ++i) {
    stack.blocks.push_back(EncoderBlock(scope.Sub(LayerName(i)), i, config));
  }
  stack.last.emplace(scope, "layer_prepostprocess", config.preprocess);
  return stack;
}

nn::Stack DecoderStack(const Scope& scope, const TransformerConfig& config,
                       bool has_memory, RecurrentLayers* recurrent) {
  nn::Stack stack;
  for (int64_t i = 0; i < config.decoder_layers; ++i) {
    stack.blocks.push_back(DecoderBlock(scope.Sub(LayerName(i)), i, config,
                                        has_memory, recurrent));
  }
  stack.last.emplace(scope, "layer_prepostprocess", config.preprocess);
  return stack;
}

}  // namespace t2t
