#ifndef T2T_OPS_DROPOUT_KERNELS_H_
#define T2T_OPS_DROPOUT_KERNELS_H_

#include <cstdint>

namespace t2t {

// What a run of elements is dropped out by: their indices follow on each other
// from `index` on and do not cross a multiple of 2^32.
struct DropoutRun {
  uint64_t index;
  uint64_t seed;
  uint32_t threshold;
  float scale;
};

// out[i] = dropout(x[i]), + residual[i] where that is not null.
void DropoutElements(const float* x, const float* residual, float* out,
                     int64_t count, const DropoutRun& run);

// out[i] = dropout(relu(x[i])).
void ReluDropoutElements(const float* x, float* out, int64_t count,
                         const DropoutRun& run);

// result[i] = grad[i] * scale where out[i] is above 0, else 0.
void ReluDropoutGradient(const float* grad, const float* out, float* result,
                         int64_t count, float scale);

}  // namespace t2t

#endif  // T2T_OPS_DROPOUT_KERNELS_H_
