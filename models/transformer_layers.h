#ifndef MODELS_TRANSFORMER_LAYERS_H_
#define MODELS_TRANSFORMER_LAYERS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/transformer_config.h"
#include "t2t/nn/block.h"
#include "t2t/nn/params.h"

// The Transformer's blocks, for the families that are made of them.
namespace t2t {

// A sublayer of class S, made of (scope, arguments), between T2T's
// layer_preprocess and layer_postprocess, all in one scope
// (".../self_attention").
template <class S, class... Arguments>
nn::Residual ResidualOf(const Scope& scope, const TransformerConfig& config,
                        Arguments&&... arguments) {
  // Braces: parameters are made in this order.
  return nn::Residual{
      PrePost(scope, "layer_prepostprocess", config.preprocess),
      std::make_shared<S>(scope, std::forward<Arguments>(arguments)...),
      PrePost(scope, "layer_postprocess", config.postprocess)};
}

// "layer_3".
std::string LayerName(int64_t index);

// Blocks make(".../layer_0"), make(".../layer_1"), ..., then T2T's last
// layer_preprocess. scope: "<model>/body/encoder", say.
template <class Make>
nn::Stack StackOf(const Scope& scope, const TransformerConfig& config,
                  int64_t layers, const Make& make) {
  nn::Stack stack;
  for (int64_t i = 0; i < layers; ++i) {
    stack.blocks.push_back(make(scope.Sub(LayerName(i))));
  }
  stack.last.emplace(scope, "layer_prepostprocess", config.preprocess);
  return stack;
}

// Layer number `index` (area attention is the first layers' alone); scope: the
// layer's.
nn::Block EncoderBlock(const Scope& scope, int64_t index,
                       const TransformerConfig& config);
// With config.memory the block's self-attention is appended to `recurrent`.
using RecurrentLayers =
    std::vector<std::shared_ptr<const nn::RecurrentSelfAttention>>;
nn::Block DecoderBlock(const Scope& scope, int64_t index,
                       const TransformerConfig& config, bool has_memory,
                       RecurrentLayers* recurrent = nullptr);

// All layers; scope: "<model>/body/encoder" and "<model>/body/decoder".
nn::Stack EncoderStack(const Scope& scope, const TransformerConfig& config);
nn::Stack DecoderStack(const Scope& scope, const TransformerConfig& config,
                       bool has_memory, RecurrentLayers* recurrent = nullptr);

}  // namespace t2t

#endif  // MODELS_TRANSFORMER_LAYERS_H_
