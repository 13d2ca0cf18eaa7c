#include "t2t/nn/convolution.h"

#include <ATen/ATen.h>

#include <vector>

#include "t2t/nn/linear.h"

namespace t2t {
namespace {

// x with zeros before and after its length.
at::Tensor Pad(const at::Tensor& x_BLI, int64_t width, ConvPadding padding) {
  if (padding == ConvPadding::kValid || width == 1) return x_BLI;
  const int64_t all = width - 1;
  // TensorFlow gives what an even width has left over to the end.
  const int64_t before = padding == ConvPadding::kLeft ? all : all / 2;
  return at::constant_pad_nd(x_BLI, {0, 0, before, all - before});
}

std::vector<int64_t> KernelShape(const ConvOptions& options, int64_t width,
                                 int64_t in, int64_t out) {
  if (options.kernel_of_two_dimensions) return {width, 1, in, out};
  return {width, in, out};
}

}  // namespace

Conv1d::Conv1d(const Scope& scope, const ConvOptions& options)
    : options_(options),
      kernel_(scope.Param("kernel", KernelShape(options, options.width,
                                                options.in, options.out))),
      bias_(scope.Param("bias", {options.out}, ZerosInit())) {}

at::Tensor Conv1d::Convolve(const at::Tensor& x_BLI,
                            ConvPadding padding) const {
  const at::Tensor kernel_WIO =
      kernel_.view({options_.width, options_.in, options_.out});
  return at::conv1d(Pad(x_BLI, options_.width, padding).transpose(1, 2),
                    kernel_WIO.permute({2, 1, 0}), bias_)
      .transpose(1, 2);
}

SeparableConv1d::SeparableConv1d(const Scope& scope, const ConvOptions& options)
    : options_(options),
      store_(scope.store()),
      depthwise_(
          scope.Param("depthwise_kernel",
                      KernelShape(options, options.width, options.in, 1))),
      pointwise_(scope.Param("pointwise_kernel",
                             KernelShape(options, 1, options.in, options.out))),
      bias_(scope.Param("bias", {options.out}, ZerosInit())) {}

at::Tensor SeparableConv1d::Convolve(const at::Tensor& x_BLI,
                                     ConvPadding padding) const {
  const int64_t in = options_.in;
  const at::Tensor kernel_I1W =
      depthwise_.view({options_.width, in}).t().unsqueeze(1);
  const at::Tensor mixed_BLI =
      at::conv1d(Pad(x_BLI, options_.width, padding).transpose(1, 2),
                 kernel_I1W,
                 /*bias=*/{}, /*stride=*/{1}, /*padding=*/at::IntArrayRef{0},
                 /*dilation=*/{1}, /*groups=*/in)
          .transpose(1, 2);
  return Linear(mixed_BLI, pointwise_.view({in, options_.out}), bias_,
                store_->int8());
}

}  // namespace t2t
