#ifndef T2T_NN_CONV_TRANSITION_H_
#define T2T_NN_CONV_TRANSITION_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "t2t/nn/block.h"
#include "t2t/nn/convolution.h"
#include "t2t/nn/grid_convolution.h"
#include "t2t/nn/moe.h"
#include "t2t/nn/params.h"

// Feed-forward layers of T2T's models that do not have its
// transformer_ffn_layer (which is Transition, in t2t/nn/block.h).
namespace t2t::nn {

struct ConvTransitionOptions {
  int64_t hidden_size = 0;
  int64_t filter_size = 0;
  double dropout = 0.0;  // relu_dropout
};

// T2T's conv_hidden_relu with kernels of one position: parameters under
// "<scope>/conv_hidden_relu".
class ConvTransition : public Sublayer {
 public:
  ConvTransition(const Scope& scope, const ConvTransitionOptions& options);

  at::Tensor operator()(const at::Tensor& x, Pass& pass) const override;
  bool CanBeRagged() const override { return true; }

 private:
  double dropout_;
  GridConv first_, second_;
};

// The same with separable convolutions over 3 and 31 positions, which look to
// both sides or backwards alone.
class SeparableTransition : public Sublayer {
 public:
  SeparableTransition(const Scope& scope, const ConvTransitionOptions& options,
                      bool causal);

  at::Tensor operator()(const at::Tensor& x_BLD, Pass& pass) const override;
  bool CanStep() const override { return causal_; }

 private:
  double dropout_;
  bool causal_;
  SeparableConv1d first_, second_;
};

// T2T's conv_hidden_relu_memory_efficient, with its own layer norm before it:
// parameters under "<scope>/ffn2". (As NormedSelfAttention it owes its name to
// TensorFlow's backward pass.)
class NormedTransition : public Sublayer {
 public:
  NormedTransition(const Scope& scope, int64_t hidden_size,
                   int64_t filter_size);

  at::Tensor operator()(const at::Tensor& x, Pass& pass) const override;
  bool CanBeRagged() const override { return true; }

 private:
  at::Tensor in_, out_;
  NamedLayerNorm norm_;
};

// Each token goes through a few of many feed-forward layers: t2t/nn/moe.h.
class ExpertTransition : public Sublayer {
 public:
  ExpertTransition(const Scope& scope, const MixtureOptions& options)
      : experts_(scope, options) {}

  at::Tensor operator()(const at::Tensor& x_BLD, Pass& pass) const override {
    return experts_(x_BLD, pass.context());
  }

 private:
  MixtureOfExperts experts_;
};

}  // namespace t2t::nn

#endif  // T2T_NN_CONV_TRANSITION_H_
