#include "t2t/nn/attention_bias.h"

#include "t2t/ops/device.h"

namespace t2t {
namespace {

constexpr double kMasked = -1e9;

at::Tensor Masked(const at::Tensor& hidden) {
  return hidden.to(at::kFloat) * kMasked;
}

}  // namespace

at::Tensor EmbeddingToPadding(const at::Tensor& embedding) {
  return embedding.detach().ne(0).any(-1).logical_not().to(at::kFloat);
}

at::Tensor BiasIgnorePadding(const at::Tensor& padding) {
  return Masked(padding).unsqueeze(1).unsqueeze(1);
}

at::Tensor BiasLowerTriangle(int64_t length) {
  return at::full({1, 1, length, length}, kMasked, OnDevice(at::kFloat))
      .triu_(1);
}

at::Tensor BiasSameSegment(const at::Tensor& queries, const at::Tensor& keys) {
  return Masked(queries.unsqueeze(2).ne(keys.unsqueeze(1))).unsqueeze(1);
}

at::Tensor BiasPrependInputsFull(const at::Tensor& padding) {
  // 0 up to and with the separator, 1 and more after it.
  const at::Tensor in_target = padding.cumsum(1) - padding;
  const at::Tensor position = in_target.cumsum(1);
  return Masked(position.unsqueeze(1).gt(position.unsqueeze(2))).unsqueeze(1);
}

at::Tensor BiasProximal(int64_t length) {
  const at::Tensor range = at::arange(length, OnDevice(at::kFloat));
  return at::log1p((range.unsqueeze(0) - range.unsqueeze(1)).abs())
      .neg()
      .unsqueeze(0)
      .unsqueeze(0);
}

}  // namespace t2t
