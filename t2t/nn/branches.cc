#include "t2t/nn/branches.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "t2t/ops/dropout.h"

namespace t2t::nn {
namespace {

template <class Convolution>
at::Tensor Convolve(const Convolution& convolution, const at::Tensor& x_BLD,
                    Pass& pass) {
  TORCH_CHECK(pass.ragged() == nullptr, "a convolution over ragged sequences");
  if (!pass.causal()) return convolution.Convolve(x_BLD, ConvPadding::kSame);
  const int64_t width = convolution.width();
  return RunCausally(x_BLD, width - 1, pass, [&](const at::Tensor& seen_BLD) {
    if (pass.step() == nullptr) {
      return convolution.Convolve(seen_BLD, ConvPadding::kLeft);
    }
    // What is kept may be shorter at the start; one output is wanted.
    return convolution.Convolve(
        at::constant_pad_nd(seen_BLD, {0, 0, width - seen_BLD.size(1), 0}),
        ConvPadding::kValid);
  });
}

}  // namespace

at::Tensor DropOut(const at::Tensor& x, double rate, const Pass& pass) {
  return pass.training() ? Dropout(x, rate, pass.context().rng) : x;
}

at::Tensor Widen(const at::Tensor& x_BLW, int64_t width) {
  return at::constant_pad_nd(x_BLW, {0, width - x_BLW.size(-1)});
}

at::Tensor ZeroPadding(const at::Tensor& x_BLD, const Pass& pass) {
  if (pass.whole() == nullptr || !pass.whole()->nonpadding_BL.defined()) {
    return x_BLD;
  }
  return x_BLD * pass.whole()->nonpadding_BL.unsqueeze(2);
}

at::Tensor Run(const Dense& layer, const at::Tensor& x_BLD, Pass&) {
  return layer(x_BLD);
}

at::Tensor Run(const Conv1d& layer, const at::Tensor& x_BLD, Pass& pass) {
  return Convolve(layer, x_BLD, pass);
}

at::Tensor Run(const SeparableConv1d& layer, const at::Tensor& x_BLD,
               Pass& pass) {
  return Convolve(layer, x_BLD, pass);
}

at::Tensor GatedLinearUnit::operator()(const at::Tensor& x_BLD, Pass&) const {
  return values_(x_BLD) * at::sigmoid(gates_(x_BLD));
}

at::Tensor SumOfBranches::operator()(const at::Tensor& x_BLD,
                                     Pass& pass) const {
  at::Tensor sum;
  for (const SublayerPtr& branch : branches_) {
    const at::Tensor y = DropOut((*branch)(x_BLD, pass), dropout_, pass);
    sum = sum.defined() ? sum + y : y;
  }
  return sum;
}

bool SumOfBranches::CanBeRagged() const {
  return std::all_of(branches_.begin(), branches_.end(),
                     [](const SublayerPtr& b) { return b->CanBeRagged(); });
}

bool SumOfBranches::CanStep() const {
  return std::all_of(branches_.begin(), branches_.end(),
                     [](const SublayerPtr& b) { return b->CanStep(); });
}

}  // namespace t2t::nn
