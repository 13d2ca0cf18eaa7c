#ifndef MODELS_LATENT_LAYERS_H_
#define MODELS_LATENT_LAYERS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "t2t/nn/context.h"
#include "t2t/nn/grid_convolution.h"
#include "t2t/nn/params.h"

// What the Transformers over latent codes are made of: transformer_nat and
// transformer_ae.
// Shapes: B batch, L length, D hidden_size.
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

// Each position is gold, or, with the probability `share`, made.
at::Tensor MixTargets(const at::Tensor& gold_BL1D, const at::Tensor& made_BL1D,
                      double share, const nn::Context& context);

// The least multiple of 2 to the power of `halvings` that is no less.
int64_t RoundedUpLength(int64_t length, int64_t halvings);

}  // namespace t2t

#endif  // MODELS_LATENT_LAYERS_H_
