#ifndef T2T_OPS_DROPOUT_H_
#define T2T_OPS_DROPOUT_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "t2t/ops/dropout_bits.h"

namespace t2t {

// Dropout with a random number per element that is a hash of (seed, index): in
// parallel, the same for any number of threads, and never stored, since the
// backward pass computes it again. The seed is one draw from rng, a generator
// of the CPU, a call. On a GPU it is the same. All of them return their input's
// plain function at rate 0, and draw nothing. rate in [0, 1).

// Of the shard of `size` from `begin` on along a dimension of the whole that is
// `whole` long; inner: elements for each step along it.
inline DropoutShard ShardAlong(int64_t begin, int64_t size, int64_t whole,
                               int64_t inner) {
  if (size == whole) return {};
  return {size * inner, whole * inner, begin * inner};
}

// broadcast_dims: dimensions (negative from the end) along which one decision
// holds for all (then there is no shard).
at::Tensor Dropout(const at::Tensor& x, double rate, const at::Generator& rng,
                   const std::vector<int64_t>& broadcast_dims = {},
                   const DropoutShard& part = {});

// residual + Dropout(x).
at::Tensor DropoutAdd(const at::Tensor& x, const at::Tensor& residual,
                      double rate, const at::Generator& rng,
                      const DropoutShard& part = {});

// Dropout(relu(x)).
at::Tensor ReluDropout(const at::Tensor& x, double rate,
                       const at::Generator& rng, const DropoutShard& part = {});

// The seed of the next dropout.
uint64_t DrawSeed(const at::Generator& rng);

// Elements whose bits are below it are dropped.
inline uint32_t DropoutThreshold(double rate) {
  return static_cast<uint32_t>(rate * 4294967296.0);
}

}  // namespace t2t

#endif  // T2T_OPS_DROPOUT_H_
