#include "t2t/ops/dropout_kernels.h"

#include <algorithm>

#include "t2t/base/simd_target.h"
#include "t2t/ops/dropout_bits.h"

namespace t2t {
namespace {

// Elements that a kernel takes at once, so that it counts them in 32 bits.
constexpr int64_t kMostElements = int64_t{1} << 20;

struct DropoutBlock {
  uint32_t low;  // of the first element
  uint32_t high;
  uint32_t threshold;
  float scale;
};

// body(begin, count, block) for blocks of [0, count).
template <typename F>
void ForBlocks(int64_t count, const DropoutRun& run, const F& body) {
  for (int64_t begin = 0; begin < count; begin += kMostElements) {
    const uint64_t index = run.index + static_cast<uint64_t>(begin);
    body(begin, static_cast<int32_t>(std::min(kMostElements, count - begin)),
         DropoutBlock{DropoutLow(run.seed, index), DropoutHigh(run.seed, index),
                      run.threshold, run.scale});
  }
}

}  // namespace
}  // namespace t2t

#define T2T_SIMD_SOURCE "t2t/ops/dropout_kernels.inc"
#include "t2t/base/for_each_simd_target.inc"

namespace t2t {

void DropoutElements(const float* x, const float* residual, float* out,
                     int64_t count, const DropoutRun& run) {
  ForBlocks(count, run,
            [&](int64_t begin, int32_t size, const DropoutBlock& block) {
              if (residual == nullptr) {
                T2T_SIMD_VARIANT(DropoutKernel)
                (x + begin, out + begin, size, block);
              } else {
                T2T_SIMD_VARIANT(DropoutAddKernel)
                (x + begin, residual + begin, out + begin, size, block);
              }
            });
}

void ReluDropoutElements(const float* x, float* out, int64_t count,
                         const DropoutRun& run) {
  ForBlocks(count, run,
            [&](int64_t begin, int32_t size, const DropoutBlock& block) {
              T2T_SIMD_VARIANT(ReluDropoutKernel)
              (x + begin, out + begin, size, block);
            });
}

void ReluDropoutGradient(const float* grad, const float* out, float* result,
                         int64_t count, float scale) {
  T2T_SIMD_VARIANT(ReluDropoutGradientKernel)(grad, out, result, count, scale);
}

}  // namespace t2t
