#include "t2t/ops/optimizer_kernels.h"

#include <cmath>

#include "t2t/base/simd_target.h"
#include "t2t/ops/device_kernels.h"

namespace t2t {
namespace {

// Sums side by side, on every machine: enough for the widest vectors.
constexpr int kLanes = 16;
// Adafactor's epsilon1.
constexpr float kTiny = 1e-30F;

}  // namespace
}  // namespace t2t

#define T2T_SIMD_SOURCE "t2t/ops/optimizer_kernels.inc"
#include "t2t/base/for_each_simd_target.inc"

namespace t2t {

double SumOfSquares(const float* p, GradientTerms gradient, int64_t size) {
  if (const DeviceKernels* device = CurrentDeviceKernels()) {
    return device->sum_of_squares(p, gradient, size);
  }
  return T2T_SIMD_VARIANT(SumOfSquares)(p, gradient, size);
}

void AdamKernel(float* p, float* m, float* v, GradientTerms gradient,
                AdamTerms terms, int64_t size) {
  if (const DeviceKernels* device = CurrentDeviceKernels()) {
    device->adam(p, m, v, gradient, terms, size);
    return;
  }
  T2T_SIMD_VARIANT(AdamKernel)(p, m, v, gradient, terms, size);
}

void SgdKernel(float* p, GradientTerms gradient, float rate, int64_t size) {
  if (const DeviceKernels* device = CurrentDeviceKernels()) {
    device->sgd(p, gradient, rate, size);
    return;
  }
  T2T_SIMD_VARIANT(SgdKernel)(p, gradient, rate, size);
}

void MomentumKernel(float* p, float* accumulator, GradientTerms gradient,
                    float rate, float momentum, bool nesterov, int64_t size) {
  if (const DeviceKernels* device = CurrentDeviceKernels()) {
    device->momentum(p, accumulator, gradient, rate, momentum, nesterov, size);
    return;
  }
  T2T_SIMD_VARIANT(MomentumKernel)
  (p, accumulator, gradient, rate, momentum, nesterov, size);
}

void AdagradKernel(float* p, float* accumulator, GradientTerms gradient,
                   float rate, int64_t size) {
  T2T_SIMD_VARIANT(AdagradKernel)(p, accumulator, gradient, rate, size);
}

void RmsPropKernel(float* p, float* mean_square, float* momentum,
                   GradientTerms gradient, float rate, float decay,
                   float momentum_decay, float epsilon, int64_t size) {
  T2T_SIMD_VARIANT(RmsPropKernel)
  (p, mean_square, momentum, gradient, rate, decay, momentum_decay, epsilon,
   size);
}

void AdadeltaKernel(float* p, float* accumulator, float* updates,
                    GradientTerms gradient, float rate, float rho,
                    float epsilon, int64_t size) {
  T2T_SIMD_VARIANT(AdadeltaKernel)
  (p, accumulator, updates, gradient, rate, rho, epsilon, size);
}

void FtrlKernel(float* p, float* accumulator, float* linear,
                GradientTerms gradient, float rate, int64_t size) {
  T2T_SIMD_VARIANT(FtrlKernel)(p, accumulator, linear, gradient, rate, size);
}

void AdafactorSums(const float* p, RowsTerms terms, float* row_sums,
                   float* column_sums) {
  T2T_SIMD_VARIANT(AdafactorSums)(p, terms, row_sums, column_sums);
}

double AdafactorScaledSquares(const float* p, RowsTerms terms,
                              const float* row_factors,
                              const float* column_factors) {
  return T2T_SIMD_VARIANT(AdafactorScaledSquares)(p, terms, row_factors,
                                                  column_factors);
}

void AdafactorUpdate(float* p, float* m, RowsTerms terms,
                     const float* row_factors, const float* column_factors,
                     float rate, float beta1) {
  T2T_SIMD_VARIANT(AdafactorUpdate)
  (p, m, terms, row_factors, column_factors, rate, beta1);
}

double AdafactorUnfactoredSums(const float* p, float* v, GradientTerms gradient,
                               float decay, int64_t size) {
  return T2T_SIMD_VARIANT(AdafactorUnfactoredSums)(p, v, gradient, decay, size);
}

void AdafactorUnfactoredUpdate(float* p, float* m, const float* v,
                               GradientTerms gradient, float rate, float beta1,
                               int64_t size) {
  T2T_SIMD_VARIANT(AdafactorUnfactoredUpdate)
  (p, m, v, gradient, rate, beta1, size);
}

void AverageKernel(float* a, const float* p, float decay, int64_t size) {
  if (const DeviceKernels* device = CurrentDeviceKernels()) {
    device->average(a, p, decay, size);
    return;
  }
  T2T_SIMD_VARIANT(AverageKernel)(a, p, decay, size);
}

}  // namespace t2t
