#ifndef T2T_OPS_ROW_KERNELS_H_
#define T2T_OPS_ROW_KERNELS_H_

#include <cstdint>

namespace t2t {

struct RowSums {
  double max;
  double sum;      // of the values
  double exp_sum;  // of exp(value - max)
};

// Puts exp(value - max) in the place of each value. A NaN makes exp_sum NaN.
RowSums RowExpSums(float* values, int64_t count);
RowSums RowExpSums(double* values, int64_t count);

// value * scale - shift in the place of each value.
void ScaleRow(float* values, int64_t count, float scale, float shift);
void ScaleRow(double* values, int64_t count, double scale, double shift);

// The largest value; -infinity of none.
float RowMax(const float* values, int64_t count);

// log(sum of exp(value)); not a finite number where one of the values is none.
float RowLogSumExp(const float* values, int64_t count);

// The largest absolute value; 0 of none.
float RowLargest(const float* values, int64_t count);

// to[i] = from[i] * factor; they may be the same.
void ScaledRow(const float* from, int64_t count, float factor, float* to);

// values[i] * factor + bias[i] in the place of each value.
void ScaleRowAndAdd(float* values, int64_t count, float factor,
                    const float* bias);

}  // namespace t2t

#endif  // T2T_OPS_ROW_KERNELS_H_
