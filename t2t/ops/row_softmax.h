#ifndef T2T_OPS_ROW_SOFTMAX_H_
#define T2T_OPS_ROW_SOFTMAX_H_

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

}  // namespace t2t

#endif  // T2T_OPS_ROW_SOFTMAX_H_
