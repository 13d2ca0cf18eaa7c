#include "t2t/ops/lstm_kernels.h"

#include "t2t/base/simd_target.h"
#include "t2t/ops/fast_exp.h"

#define T2T_SIMD_SOURCE "t2t/ops/lstm_kernels.inc"
#include "t2t/base/for_each_simd_target.inc"

namespace t2t {

void LstmForwardRow(float* gates, const float* c, int64_t n, float* new_c,
                    float* new_h) {
  T2T_SIMD_VARIANT(LstmForwardKernel)(gates, c, n, new_c, new_h);
}

void LstmForwardRow(double* gates, const double* c, int64_t n, double* new_c,
                    double* new_h) {
  baseline::ForwardRow(gates, c, n, new_c, new_h);
}

void LstmBackwardRow(const float* gates, const float* c, const float* new_c,
                     const float* dh, int64_t n, float* dc, float* dgates) {
  T2T_SIMD_VARIANT(LstmBackwardKernel)(gates, c, new_c, dh, n, dc, dgates);
}

void LstmBackwardRow(const double* gates, const double* c, const double* new_c,
                     const double* dh, int64_t n, double* dc, double* dgates) {
  baseline::BackwardRow(gates, c, new_c, dh, n, dc, dgates);
}

}  // namespace t2t
