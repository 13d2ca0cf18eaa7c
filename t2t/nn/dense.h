#ifndef T2T_NN_DENSE_H_
#define T2T_NN_DENSE_H_

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "t2t/nn/params.h"

namespace t2t {

// x [..., in] -> x kernel + bias [..., out]: parameters "kernel" [in, out] and
// "bias" [out] in the scope.
class Dense {
 public:
  Dense() = default;
  Dense(const Scope& scope, int64_t in, int64_t out, bool use_bias = true);
  // With a bias that begins as bias_init says (a gate's, say).
  Dense(const Scope& scope, int64_t in, int64_t out,
        const Initializer& bias_init);

  at::Tensor operator()(const at::Tensor& x) const;

  const at::Tensor& kernel() const { return kernel_; }

 private:
  const ParamStore* store_ = nullptr;
  at::Tensor kernel_;
  at::Tensor bias_;
};

}  // namespace t2t

#endif  // T2T_NN_DENSE_H_
