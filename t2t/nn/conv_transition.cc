#include "t2t/nn/conv_transition.h"

#include <ATen/ATen.h>

#include "t2t/ops/dropout.h"

namespace t2t::nn {
namespace {

constexpr int64_t kFirstWidth = 3;
constexpr int64_t kSecondWidth = 31;

ConvOptions Separable(int64_t in, int64_t out, int64_t width, bool causal) {
  return {in, out, width, causal ? ConvPadding::kLeft : ConvPadding::kSame,
          /*kernel_of_two_dimensions=*/true};
}

at::Tensor DropRelu(const at::Tensor& x, double rate, const Context& context) {
  return ReluDropout(x, context.training ? rate : 0.0, context.rng);
}

}  // namespace

ConvTransition::ConvTransition(const Scope& scope,
                               const ConvTransitionOptions& options)
    : dropout_(options.dropout),
      first_(scope.Sub("conv_hidden_relu").Sub("conv1_single"),
             {options.hidden_size, options.filter_size}),
      second_(scope.Sub("conv_hidden_relu").Sub("conv2_single"),
              {options.filter_size, options.hidden_size}) {}

at::Tensor ConvTransition::operator()(const at::Tensor& x, Pass& pass) const {
  return second_(DropRelu(first_(x), dropout_, pass.context()));
}

SeparableTransition::SeparableTransition(const Scope& scope,
                                         const ConvTransitionOptions& options,
                                         bool causal)
    : dropout_(options.dropout),
      causal_(causal),
      first_(scope.Sub("conv_hidden_relu").Sub("conv1_single"),
             Separable(options.hidden_size, options.filter_size, kFirstWidth,
                       causal)),
      second_(scope.Sub("conv_hidden_relu").Sub("conv2_single"),
              Separable(options.filter_size, options.hidden_size, kSecondWidth,
                        causal)) {}

at::Tensor SeparableTransition::operator()(const at::Tensor& x_BLD,
                                           Pass& pass) const {
  return RunCausally(
      x_BLD, kFirstWidth - 1 + kSecondWidth - 1, pass,
      [&](const at::Tensor& seen) {
        return second_(DropRelu(first_(seen), dropout_, pass.context()));
      });
}

NormedTransition::NormedTransition(const Scope& scope, int64_t hidden_size,
                                   int64_t filter_size)
    : in_(scope.Sub("ffn2").Param("f1", {1, hidden_size, filter_size})),
      out_(scope.Sub("ffn2").Param("f2", {1, filter_size, hidden_size})),
      norm_(scope.Sub("ffn2"), hidden_size) {}

at::Tensor NormedTransition::operator()(const at::Tensor& x, Pass&) const {
  return at::matmul(at::relu(at::matmul(norm_(x), in_.squeeze(0))),
                    out_.squeeze(0));
}

}  // namespace t2t::nn
