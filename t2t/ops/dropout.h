#ifndef T2T_OPS_DROPOUT_H_
#define T2T_OPS_DROPOUT_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

namespace t2t {

// Dropout with a random number per element that is a hash of (seed, index): in
// parallel, the same for any number of threads, and never stored, since the
// backward pass computes it again. The seed is one draw from ATen's default
// CPU generator a call. All of them return their input's plain function at
// rate 0. rate in [0, 1).

// Where a tensor lies in a larger one of which it is a part, so that it drops
// out what the whole would: its element i is the whole's element
// i / run * stride + start + i % run. run 0: it is the whole.
struct DropoutPart {
  int64_t run = 0;
  int64_t stride = 0;
  int64_t start = 0;
};
// Of the part of `size` from `begin` on along a dimension of the whole that is
// `whole` long; inner: elements for each step along it.
inline DropoutPart PartAlong(int64_t begin, int64_t size, int64_t whole,
                             int64_t inner) {
  if (size == whole) return {};
  return {size * inner, whole * inner, begin * inner};
}

// broadcast_dims: dimensions (negative from the end) along which one decision
// holds for all (then there is no part).
at::Tensor Dropout(const at::Tensor& x, double rate,
                   const std::vector<int64_t>& broadcast_dims = {},
                   const DropoutPart& part = {});

// residual + Dropout(x).
at::Tensor DropoutAdd(const at::Tensor& x, const at::Tensor& residual,
                      double rate, const DropoutPart& part = {});

// Dropout(relu(x)).
at::Tensor ReluDropout(const at::Tensor& x, double rate,
                       const DropoutPart& part = {});

// The seed of the next dropout.
uint64_t DrawSeed();

// What decides on element `index`: 32 uniform bits.
inline uint32_t DropoutBits(uint64_t seed, uint64_t index) {
  uint32_t x = static_cast<uint32_t>(index) + static_cast<uint32_t>(seed);
  x ^= x >> 16;
  x *= 0x7FEB352DU;
  x ^= static_cast<uint32_t>(seed >> 32) +
       static_cast<uint32_t>(index >> 32) * 0x9E3779B9U;
  x ^= x >> 15;
  x *= 0x846CA68BU;
  x ^= x >> 16;
  return x;
}

// Elements whose bits are below it are dropped.
inline uint32_t DropoutThreshold(double rate) {
  return static_cast<uint32_t>(rate * 4294967296.0);
}

}  // namespace t2t

#endif  // T2T_OPS_DROPOUT_H_
