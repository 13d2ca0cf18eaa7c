#ifndef T2T_OPS_DEVICE_KERNELS_H_
#define T2T_OPS_DEVICE_KERNELS_H_

#include <cstdint>

#include "t2t/ops/dropout_bits.h"
#include "t2t/ops/optimizer_kernels.h"

namespace t2t {

// kernels.h's loops, and dropout's, on a device that is not the CPU: the same
// arguments, whose pointers are the device's. Set by what opens the device; one
// device a process.
struct DeviceKernels {
  double (*sum_of_squares)(const float* p, GradientTerms gradient,
                           int64_t size);
  void (*adam)(float* p, float* m, float* v, GradientTerms gradient,
               AdamTerms terms, int64_t size);
  void (*sgd)(float* p, GradientTerms gradient, float rate, int64_t size);
  void (*momentum)(float* p, float* accumulator, GradientTerms gradient,
                   float rate, float momentum, bool nesterov, int64_t size);
  void (*average)(float* a, const float* p, float decay, int64_t size);
  // out = dropout(x) + residual; that may be null.
  void (*dropout)(const float* x, const float* residual, float* out,
                  DropoutTerms terms, int64_t size);
  void (*dropout_bf16)(const uint16_t* x, const uint16_t* residual,
                       uint16_t* out, DropoutTerms terms, int64_t size);
};

// null: the CPU.
const DeviceKernels* CurrentDeviceKernels();
void SetDeviceKernels(const DeviceKernels* kernels);

}  // namespace t2t

#endif  // T2T_OPS_DEVICE_KERNELS_H_
