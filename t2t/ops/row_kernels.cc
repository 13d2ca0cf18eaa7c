#include "t2t/ops/row_kernels.h"

#include <cmath>
#include <limits>

#include "t2t/base/simd_target.h"
#include "t2t/ops/fast_exp.h"
#include "t2t/ops/vectors.h"

#define T2T_SIMD_SOURCE "t2t/ops/row_kernels.inc"
#include "t2t/base/for_each_simd_target.inc"

namespace t2t {

RowSums RowExpSums(float* values, int64_t count) {
  return T2T_SIMD_VARIANT(RowExpSumsKernel)(values, count);
}

RowSums RowExpSums(double* values, int64_t count) {
  double max = -std::numeric_limits<double>::infinity();
  double sum = 0.0;
  for (int64_t i = 0; i < count; ++i) {
    max = values[i] > max ? values[i] : max;
    sum += values[i];
  }
  double exp_sum = 0.0;
  for (int64_t i = 0; i < count; ++i) {
    values[i] = std::exp(values[i] - max);
    exp_sum += values[i];
  }
  return {max, sum, exp_sum};
}

void ScaleRow(float* values, int64_t count, float scale, float shift) {
  T2T_SIMD_VARIANT(ScaleRowKernel)(values, count, scale, shift);
}

void ScaleRow(double* values, int64_t count, double scale, double shift) {
  for (int64_t i = 0; i < count; ++i) values[i] = values[i] * scale - shift;
}

float RowMax(const float* values, int64_t count) {
  return T2T_SIMD_VARIANT(RowMaxKernel)(values, count);
}

float RowLogSumExp(const float* values, int64_t count) {
  const float max = RowMax(values, count);
  return max + std::log(T2T_SIMD_VARIANT(RowExpSumKernel)(values, count, max));
}

float RowLargest(const float* values, int64_t count) {
  return T2T_SIMD_VARIANT(RowLargestKernel)(values, count);
}

void ScaledRow(const float* from, int64_t count, float factor, float* to) {
  T2T_SIMD_VARIANT(ScaledRowKernel)(from, count, factor, to);
}

void ScaleRowAndAdd(float* values, int64_t count, float factor,
                    const float* bias) {
  T2T_SIMD_VARIANT(ScaleRowAndAddKernel)(values, count, factor, bias);
}

}  // namespace t2t
