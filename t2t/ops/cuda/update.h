#ifndef T2T_OPS_CUDA_UPDATE_H_
#define T2T_OPS_CUDA_UPDATE_H_

#include <cmath>
#include <cstdint>
#include <cstring>

#include "t2t/ops/dropout_bits.h"
#include "t2t/ops/host_device.h"
#include "t2t/ops/optimizer_kernels.h"

namespace t2t {

// The updates of t2t/ops/optimizer_kernels.h, and dropout, for one element,
// which nvcc compiles for the GPU and a test for the CPU.

T2T_HOST_DEVICE inline float SeenGradient(const float* p,
                                          const GradientTerms& gradient,
                                          int64_t i) {
  return (gradient.g[i] + gradient.decay * p[i]) * gradient.scale;
}

struct AdamUpdate {
  float* p;
  float* m;
  float* v;
  GradientTerms gradient;
  AdamTerms terms;

  T2T_HOST_DEVICE void operator()(int64_t i) const {
    const float g = SeenGradient(p, gradient, i);
    const float new_m = m[i] + (g - m[i]) * (1.0F - terms.beta1);
    const float new_v = v[i] + (g * g - v[i]) * (1.0F - terms.beta2);
    m[i] = new_m;
    v[i] = new_v;
    p[i] = p[i] * terms.keep -
           terms.rate * new_m / (sqrtf(new_v) * terms.v_scale + terms.epsilon);
  }
};

struct SgdUpdate {
  float* p;
  GradientTerms gradient;
  float rate;

  T2T_HOST_DEVICE void operator()(int64_t i) const {
    p[i] -= rate * SeenGradient(p, gradient, i);
  }
};

struct MomentumUpdate {
  float* p;
  float* accumulator;
  GradientTerms gradient;
  float rate;
  float momentum;
  bool nesterov;

  T2T_HOST_DEVICE void operator()(int64_t i) const {
    const float g = SeenGradient(p, gradient, i);
    const float sum = accumulator[i] * momentum + g;
    accumulator[i] = sum;
    p[i] -= nesterov ? rate * g + rate * momentum * sum : rate * sum;
  }
};

struct AverageUpdate {
  float* a;
  const float* p;
  float decay;

  T2T_HOST_DEVICE void operator()(int64_t i) const {
    a[i] = a[i] - (a[i] - p[i]) * (1.0F - decay);
  }
};

T2T_HOST_DEVICE inline float ToFloat(float value) { return value; }
T2T_HOST_DEVICE inline void FromFloat(float value, float* to) { *to = value; }

// bf16 by its bits, rounded to the nearest, of two as near to the even one.
T2T_HOST_DEVICE inline float ToFloat(uint16_t bits) {
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value;
  memcpy(&value, &wide, sizeof(value));
  return value;
}
T2T_HOST_DEVICE inline void FromFloat(float value, uint16_t* to) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof(bits));
  *to = value != value
            ? uint16_t{0x7FC0}
            : static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

// T: float, or uint16_t for bf16.
template <typename T>
struct DropoutUpdate {
  const T* x;
  const T* residual;  // or null
  T* out;
  DropoutTerms terms;

  T2T_HOST_DEVICE void operator()(int64_t i) const {
    const DropoutShard& part = terms.part;
    const int64_t index =
        part.run == 0 ? i
                      : i / part.run * part.stride + part.start + i % part.run;
    const bool kept = DropoutBits(terms.seed, static_cast<uint64_t>(index)) >=
                      terms.threshold;
    const float value = kept ? ToFloat(x[i]) * terms.scale : 0.0F;
    FromFloat(residual == nullptr ? value : ToFloat(residual[i]) + value,
              out + i);
  }
};

// (g + decay * p)^2.
struct SquareOf {
  const float* p;
  GradientTerms gradient;

  T2T_HOST_DEVICE double operator()(int64_t i) const {
    const double value = gradient.g[i] + gradient.decay * p[i];
    return value * value;
  }
};

}  // namespace t2t

#endif  // T2T_OPS_CUDA_UPDATE_H_
