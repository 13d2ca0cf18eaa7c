#ifndef T2T_CUDA_UPDATE_H_
#define T2T_CUDA_UPDATE_H_

#include <cmath>
#include <cstdint>

#include "t2t/optim/kernels.h"

#ifdef __CUDACC__
#define T2T_HOST_DEVICE __host__ __device__
#else
#define T2T_HOST_DEVICE
#endif

namespace t2t {

// The updates of t2t/optim/kernels.h for one element, which nvcc compiles for
// the GPU and a test for the CPU.

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

#endif  // T2T_CUDA_UPDATE_H_
