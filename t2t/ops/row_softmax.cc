#include "t2t/ops/row_softmax.h"

#include <cmath>
#include <limits>

#include "t2t/ops/fast_exp.h"
#include "t2t/ops/simd.h"

namespace t2t {
T2T_SIMD_CLONES
RowSums RowExpSums(float* values, int64_t count) {
  float max = -std::numeric_limits<float>::infinity();
  float sum = 0.0f;
#pragma omp simd reduction(max : max) reduction(+ : sum)
  for (int64_t i = 0; i < count; ++i) {
    max = values[i] > max ? values[i] : max;
    sum += values[i];
  }
  float exp_sum = 0.0f;
#pragma omp simd reduction(+ : exp_sum)
  for (int64_t i = 0; i < count; ++i) {
    const float e = FastExp(values[i] - max);
    values[i] = e;
    exp_sum += e;
  }
  return {max, sum, exp_sum};
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

T2T_SIMD_CLONES
void ScaleRow(float* values, int64_t count, float scale, float shift) {
  for (int64_t i = 0; i < count; ++i) values[i] = values[i] * scale - shift;
}

void ScaleRow(double* values, int64_t count, double scale, double shift) {
  for (int64_t i = 0; i < count; ++i) values[i] = values[i] * scale - shift;
}

}  // namespace t2t
