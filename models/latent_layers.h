#ifndef MODELS_LATENT_LAYERS_H_
#define MODELS_LATENT_LAYERS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "models/transformer_layers.h"
#include "t2t/model/sequence_decoder.h"
#include "t2t/model/sequence_encoder.h"
#include "t2t/nn/grid_convolution.h"

// What the Transformers over latent codes are made of: transformer_nat and
// transformer_ae.
// Shapes: B batch, L length, D hidden_size, C codes' number, V codes.
namespace t2t {

// x + convolutions of it, `repeats` times: "repeat_0", "repeat_1", ...
class ResidualConvolutions {
 public:
  ResidualConvolutions(const Scope& scope, int64_t size, int64_t repeats,
                       double dropout);

  at::Tensor operator()(const at::Tensor& x_BL1D,
                        const nn::Context& context) const;

 private:
  struct Step {
    nn::NamedLayerNorm norm;
    nn::ConvBlock convolutions;
  };
  double dropout_;
  std::vector<Step> steps_;
};

// One vector for every two.
nn::ConvBlock HalvingConvolution(const Scope& scope, int64_t size);

// Two vectors for each one.
class DoublingConvolution {
 public:
  DoublingConvolution(const Scope& scope, int64_t size, bool first_relu);

  at::Tensor operator()(const at::Tensor& x_BL1D) const;

 private:
  nn::ConvBlock convolution_;
};

// A Transformer's encoder, its parameters under the scope alone; what comes
// before its layers is dropped out by hparam dropout.
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

// Each position is gold, or, with the probability `share`, made.
at::Tensor MixTargets(const at::Tensor& gold_BL1D, const at::Tensor& made_BL1D,
                      double share, const nn::Context& context);

// The least multiple of 2 to the power of `halvings` that is no less.
int64_t RoundedUpLength(int64_t length, int64_t halvings);

}  // namespace t2t

#endif  // MODELS_LATENT_LAYERS_H_
