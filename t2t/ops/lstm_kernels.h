#ifndef T2T_OPS_LSTM_KERNELS_H_
#define T2T_OPS_LSTM_KERNELS_H_

#include <cstdint>

namespace t2t {

// One row of an LSTM cell of n units. gates: 4n (input, new, forget, output),
// replaced by their activated values.
void LstmForwardRow(float* gates, const float* c, int64_t n, float* new_c,
                    float* new_h);
void LstmForwardRow(double* gates, const double* c, int64_t n, double* new_c,
                    double* new_h);

// dh: of the row's h. dc: of the new c, replaced by that of the old one.
void LstmBackwardRow(const float* gates, const float* c, const float* new_c,
                     const float* dh, int64_t n, float* dc, float* dgates);
void LstmBackwardRow(const double* gates, const double* c, const double* new_c,
                     const double* dh, int64_t n, double* dc, double* dgates);

}  // namespace t2t

#endif  // T2T_OPS_LSTM_KERNELS_H_
