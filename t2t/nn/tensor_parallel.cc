#include "t2t/nn/tensor_parallel.h"

#include "t2t/ops/dropout.h"

namespace t2t {

DropoutShard TensorParallel::PartBetween(const at::Tensor& x) const {
  if (length_ == 0) return {};
  const ShardRange own = Own(length_);
  return ShardAlong(own.begin, own.size(), length_, x.size(-1));
}

ColumnParallelDense::ColumnParallelDense(const Scope& scope, int64_t in,
                                         int64_t out, bool use_bias,
                                         TensorParallel* parallel,
                                         int64_t unit) {
  if (parallel == nullptr) {
    kernel_ = scope.Param("kernel", {in, out});
    if (use_bias) bias_ = scope.Param("bias", {out}, ZerosInit());
    return;
  }
  kernel_ =
      parallel->Param(scope, "kernel", {{in, out}, 1, unit}, scope.init());
  if (use_bias) {
    bias_ = parallel->Param(scope, "bias", {{out}, 0, unit}, ZerosInit());
  }
}

at::Tensor ColumnParallelDense::operator()(const at::Tensor& x) const {
  return at::linear(x, kernel_.t(), bias_);
}

RowParallelDense::RowParallelDense(const Scope& scope, int64_t in, int64_t out,
                                   bool use_bias, TensorParallel* parallel,
                                   int64_t unit)
    : parallel_(parallel) {
  kernel_ = parallel == nullptr
                ? scope.Param("kernel", {in, out})
                : parallel->Param(scope, "kernel", {{in, out}, 0, unit},
                                  scope.init());
  if (use_bias) bias_ = scope.Param("bias", {out}, ZerosInit());
}

at::Tensor RowParallelDense::operator()(const at::Tensor& x) const {
  if (parallel_ == nullptr) return at::linear(x, kernel_.t(), bias_);
  const at::Tensor y = parallel_->Leave(at::linear(x, kernel_.t()), true);
  return bias_.defined() ? y + parallel_->Between(bias_) : y;
}

}  // namespace t2t
