#ifndef T2T_NN_CONVOLUTION_H_
#define T2T_NN_CONVOLUTION_H_

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "t2t/nn/params.h"

namespace t2t {

// What a convolution along the length sees beyond a sequence's ends.
enum class ConvPadding {
  kSame,   // zeros on both sides: as many outputs as inputs
  kLeft,   // zeros before the start: an output sees nothing that comes later
  kValid,  // nothing: width - 1 outputs fewer
};

struct ConvOptions {
  int64_t in = 0;
  int64_t out = 0;
  int64_t width = 1;
  ConvPadding padding = ConvPadding::kSame;
  // The kernel is stored with a second spatial dimension of 1, [width, 1, ...]:
  // T2T's own conv and separable_conv are of two dimensions, Keras' Conv1D and
  // SeparableConv1D, which some of its models use, of one.
  bool kernel_of_two_dimensions = false;
};

// A convolution along the length: x [batch, length, in] -> [batch, length,
// out]. Parameters "kernel" [width, in, out] and "bias" [out] in the scope.
class Conv1d {
 public:
  Conv1d(const Scope& scope, const ConvOptions& options);

  at::Tensor operator()(const at::Tensor& x_BLI) const {
    return Convolve(x_BLI, options_.padding);
  }
  // With another padding than the options say.
  at::Tensor Convolve(const at::Tensor& x_BLI, ConvPadding padding) const;

  int64_t width() const { return options_.width; }

 private:
  ConvOptions options_;
  at::Tensor kernel_;
  at::Tensor bias_;
};

// The same in two steps, each channel by itself along the length and then all
// channels of a position: Chollet 2016, "Xception", arXiv:1610.02357.
// Parameters "depthwise_kernel" [width, in, 1], "pointwise_kernel" [1, in, out]
// and "bias" [out] in the scope.
class SeparableConv1d {
 public:
  SeparableConv1d(const Scope& scope, const ConvOptions& options);

  at::Tensor operator()(const at::Tensor& x_BLI) const {
    return Convolve(x_BLI, options_.padding);
  }
  at::Tensor Convolve(const at::Tensor& x_BLI, ConvPadding padding) const;

  int64_t width() const { return options_.width; }

 private:
  ConvOptions options_;
  const ParamStore* store_;
  at::Tensor depthwise_;
  at::Tensor pointwise_;
  at::Tensor bias_;
};

}  // namespace t2t

#endif  // T2T_NN_CONVOLUTION_H_
