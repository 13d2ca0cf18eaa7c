#ifndef MODELS_SCOPED_STACKS_H_
#define MODELS_SCOPED_STACKS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

#include "models/transformer_layers.h"
#include "t2t/model/sequence_decoder.h"
#include "t2t/model/sequence_encoder.h"

// A Transformer's encoder and decoder as parts of models that have several of
// them, or that put something between.
// Shapes: B batch, L length, D hidden_size, V codes.
namespace t2t {

// A Transformer's encoder, its parameters under the scope alone; dropout: of
// what goes into its layers.
class ScopedEncoder {
 public:
  ScopedEncoder(const Scope& scope, const TransformerConfig& config,
                double dropout);

  Encoded operator()(const at::Tensor& inputs_BLD, int64_t target_space_id,
                     nn::Context& context) const;

 private:
  SequenceEncoder encoder_;
  nn::Stack layers_;
};

// A Transformer's decoder, likewise. It is causal, over targets that may be all
// there at once.
class ScopedDecoder {
 public:
  ScopedDecoder(const Scope& scope, const TransformerConfig& config,
                bool has_memory);

  at::Tensor operator()(const at::Tensor& targets_BLD, const Encoded& encoded,
                        nn::Context& context) const;

  // The `length` codes that are each the likeliest after those before it,
  // [B, length]. embed: ids [B] -> [B, D]; logits: [B, D] -> [B, V].
  using Embed = std::function<at::Tensor(const at::Tensor& ids_B)>;
  using Predict = std::function<at::Tensor(const at::Tensor& x_BD)>;
  at::Tensor Greedy(int64_t rows, int64_t length, const Encoded& encoded,
                    const Embed& embed, const Predict& logits,
                    nn::Context& context) const;

 private:
  Layers AllLayers() const;

  int64_t size_;
  SequenceDecoder decoder_;
  nn::Stack layers_;
};

}  // namespace t2t

#endif  // MODELS_SCOPED_STACKS_H_
