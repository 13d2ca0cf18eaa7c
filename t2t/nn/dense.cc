#include "t2t/nn/dense.h"

#include <ATen/ATen.h>

#include "t2t/nn/linear.h"

namespace t2t {

Dense::Dense(const Scope& scope, int64_t in, int64_t out, bool use_bias)
    : store_(scope.store()), kernel_(scope.Param("kernel", {in, out})) {
  if (use_bias) bias_ = scope.Param("bias", {out}, ZerosInit());
}

Dense::Dense(const Scope& scope, int64_t in, int64_t out,
             const Initializer& bias_init)
    : store_(scope.store()),
      kernel_(scope.Param("kernel", {in, out})),
      bias_(scope.Param("bias", {out}, bias_init)) {}

at::Tensor Dense::operator()(const at::Tensor& x) const {
  return Linear(x, kernel_, bias_, store_->int8());
}

}  // namespace t2t
