#ifndef T2T_OPS_DROPOUT_BITS_H_
#define T2T_OPS_DROPOUT_BITS_H_

#include <cstdint>

#include "t2t/ops/host_device.h"

namespace t2t {

// Where a tensor lies in a larger one of which it is a part, so that it drops
// out what the whole would: its element i is the whole's element
// i / run * stride + start + i % run. run 0: it is the whole.
struct DropoutShard {
  int64_t run = 0;
  int64_t stride = 0;
  int64_t start = 0;
};

// DropoutBits() of its index and seed in the form that kernels want:
// DropoutLow() counts up with the index, DropoutHigh() is the same for 2^32 of
// them.
T2T_HOST_DEVICE inline uint32_t DropoutLow(uint64_t seed, uint64_t index) {
  return static_cast<uint32_t>(index) + static_cast<uint32_t>(seed);
}
T2T_HOST_DEVICE inline uint32_t DropoutHigh(uint64_t seed, uint64_t index) {
  return static_cast<uint32_t>(seed >> 32) +
         static_cast<uint32_t>(index >> 32) * 0x9E3779B9U;
}
T2T_HOST_DEVICE inline uint32_t MixDropoutBits(uint32_t low, uint32_t high) {
  uint32_t x = low;
  x ^= x >> 16;
  x *= 0x7FEB352DU;
  x ^= high;
  x ^= x >> 15;
  x *= 0x846CA68BU;
  x ^= x >> 16;
  return x;
}

// What decides on element `index`: 32 uniform bits.
T2T_HOST_DEVICE inline uint32_t DropoutBits(uint64_t seed, uint64_t index) {
  return MixDropoutBits(DropoutLow(seed, index), DropoutHigh(seed, index));
}

// An element is dropped where its bits are below the threshold, else
// multiplied by the scale.
struct DropoutTerms {
  uint64_t seed;
  uint32_t threshold;
  float scale;
  DropoutShard part;
};

}  // namespace t2t

#endif  // T2T_OPS_DROPOUT_BITS_H_
