#include "t2t/optim/kernels.h"

#include <cmath>

#include "t2t/optim/device_kernels.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define T2T_VECTOR_WIDTHS \
  __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define T2T_VECTOR_WIDTHS
#endif

namespace t2t {
namespace {

// Enough sums side by side for the widest vectors.
constexpr int kLanes = 16;
// Adafactor's epsilon1.
constexpr float kTiny = 1e-30F;

}  // namespace

T2T_VECTOR_WIDTHS
double SumOfSquares(const float* __restrict p, GradientTerms gradient,
                    int64_t size) {
  if (const DeviceKernels* device = CurrentDeviceKernels()) {
    return device->sum_of_squares(p, gradient, size);
  }
  const float* __restrict g = gradient.g;
  const float decay = gradient.decay;
  double sums[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) {
      const double value = g[i + lane] + decay * p[i + lane];
      sums[lane] += value * value;
    }
  }
  double sum = 0;
  for (; i < size; ++i) {
    const double value = g[i] + decay * p[i];
    sum += value * value;
  }
  for (const double part : sums) sum += part;
  return sum;
}

T2T_VECTOR_WIDTHS
void AdamKernel(float* __restrict p, float* __restrict m, float* __restrict v,
                GradientTerms gradient, AdamTerms terms, int64_t size) {
  if (const DeviceKernels* device = CurrentDeviceKernels()) {
    device->adam(p, m, v, gradient, terms, size);
    return;
  }
  const float* __restrict grads = gradient.g;
  const float rest1 = 1.0F - terms.beta1;
  const float rest2 = 1.0F - terms.beta2;
  for (int64_t i = 0; i < size; ++i) {
    const float g = (grads[i] + gradient.decay * p[i]) * gradient.scale;
    const float new_m = m[i] + (g - m[i]) * rest1;
    const float new_v = v[i] + (g * g - v[i]) * rest2;
    m[i] = new_m;
    v[i] = new_v;
    p[i] =
        p[i] * terms.keep -
        terms.rate * new_m / (std::sqrt(new_v) * terms.v_scale + terms.epsilon);
  }
}

T2T_VECTOR_WIDTHS
void SgdKernel(float* __restrict p, GradientTerms gradient, float rate,
               int64_t size) {
  if (const DeviceKernels* device = CurrentDeviceKernels()) {
    device->sgd(p, gradient, rate, size);
    return;
  }
  const float* __restrict grads = gradient.g;
  for (int64_t i = 0; i < size; ++i) {
    const float g = (grads[i] + gradient.decay * p[i]) * gradient.scale;
    p[i] -= rate * g;
  }
}

T2T_VECTOR_WIDTHS
void MomentumKernel(float* __restrict p, float* __restrict accumulator,
                    GradientTerms gradient, float rate, float momentum,
                    bool nesterov, int64_t size) {
  if (const DeviceKernels* device = CurrentDeviceKernels()) {
    device->momentum(p, accumulator, gradient, rate, momentum, nesterov, size);
    return;
  }
  const float* __restrict grads = gradient.g;
  const float direct = nesterov ? rate : 0.0F;
  const float through = nesterov ? rate * momentum : rate;
  for (int64_t i = 0; i < size; ++i) {
    const float g = (grads[i] + gradient.decay * p[i]) * gradient.scale;
    const float sum = accumulator[i] * momentum + g;
    accumulator[i] = sum;
    p[i] -= direct * g + through * sum;
  }
}

T2T_VECTOR_WIDTHS
void AdagradKernel(float* __restrict p, float* __restrict accumulator,
                   GradientTerms gradient, float rate, int64_t size) {
  const float* __restrict grads = gradient.g;
  for (int64_t i = 0; i < size; ++i) {
    const float g = (grads[i] + gradient.decay * p[i]) * gradient.scale;
    const float sum = accumulator[i] + g * g;
    accumulator[i] = sum;
    p[i] -= rate * g / std::sqrt(sum);
  }
}

T2T_VECTOR_WIDTHS
void RmsPropKernel(float* __restrict p, float* __restrict mean_square,
                   float* __restrict momentum, GradientTerms gradient,
                   float rate, float decay, float momentum_decay, float epsilon,
                   int64_t size) {
  const float* __restrict grads = gradient.g;
  const float rest = 1.0F - decay;
  for (int64_t i = 0; i < size; ++i) {
    const float g = (grads[i] + gradient.decay * p[i]) * gradient.scale;
    const float square = mean_square[i] + (g * g - mean_square[i]) * rest;
    const float step =
        momentum[i] * momentum_decay + rate * g / std::sqrt(square + epsilon);
    mean_square[i] = square;
    momentum[i] = step;
    p[i] -= step;
  }
}

T2T_VECTOR_WIDTHS
void AdadeltaKernel(float* __restrict p, float* __restrict accumulator,
                    float* __restrict updates, GradientTerms gradient,
                    float rate, float rho, float epsilon, int64_t size) {
  const float* __restrict grads = gradient.g;
  const float rest = 1.0F - rho;
  for (int64_t i = 0; i < size; ++i) {
    const float g = (grads[i] + gradient.decay * p[i]) * gradient.scale;
    const float sum = accumulator[i] * rho + g * g * rest;
    const float update =
        std::sqrt(updates[i] + epsilon) / std::sqrt(sum + epsilon) * g;
    accumulator[i] = sum;
    updates[i] = updates[i] * rho + update * update * rest;
    p[i] -= rate * update;
  }
}

T2T_VECTOR_WIDTHS
void FtrlKernel(float* __restrict p, float* __restrict accumulator,
                float* __restrict linear, GradientTerms gradient, float rate,
                int64_t size) {
  const float* __restrict grads = gradient.g;
  for (int64_t i = 0; i < size; ++i) {
    const float g = (grads[i] + gradient.decay * p[i]) * gradient.scale;
    const float sum = accumulator[i] + g * g;
    const float root = std::sqrt(sum);
    const float line =
        linear[i] + (g - (root - std::sqrt(accumulator[i])) / rate * p[i]);
    accumulator[i] = sum;
    linear[i] = line;
    p[i] = -line / (root / rate);
  }
}

T2T_VECTOR_WIDTHS
void AdafactorSums(const float* __restrict p, RowsTerms terms,
                   float* __restrict row_sums, float* __restrict column_sums) {
  const float decay = terms.gradient.decay;
  const float scale = terms.gradient.scale;
  for (int64_t row = 0; row < terms.rows; ++row) {
    const float* __restrict grads = terms.gradient.g + row * terms.columns;
    const float* __restrict values = p + row * terms.columns;
    float sums[kLanes] = {};
    int64_t i = 0;
    for (; i + kLanes <= terms.columns; i += kLanes) {
      for (int lane = 0; lane < kLanes; ++lane) {
        const float g = (grads[i + lane] + decay * values[i + lane]) * scale;
        const float square = g * g + kTiny;
        column_sums[i + lane] += square;
        sums[lane] += square;
      }
    }
    float sum = 0;
    for (; i < terms.columns; ++i) {
      const float g = (grads[i] + decay * values[i]) * scale;
      const float square = g * g + kTiny;
      column_sums[i] += square;
      sum += square;
    }
    for (const float part : sums) sum += part;
    row_sums[row] = sum;
  }
}

T2T_VECTOR_WIDTHS
double AdafactorScaledSquares(const float* __restrict p, RowsTerms terms,
                              const float* __restrict row_factors,
                              const float* __restrict column_factors) {
  const float decay = terms.gradient.decay;
  const float scale = terms.gradient.scale;
  double total = 0;
  for (int64_t row = 0; row < terms.rows; ++row) {
    const float* __restrict grads = terms.gradient.g + row * terms.columns;
    const float* __restrict values = p + row * terms.columns;
    float sums[kLanes] = {};
    int64_t i = 0;
    for (; i + kLanes <= terms.columns; i += kLanes) {
      for (int lane = 0; lane < kLanes; ++lane) {
        const float g = (grads[i + lane] + decay * values[i + lane]) * scale;
        const float x = g * row_factors[row] * column_factors[i + lane];
        sums[lane] += x * x;
      }
    }
    for (; i < terms.columns; ++i) {
      const float g = (grads[i] + decay * values[i]) * scale;
      const float x = g * row_factors[row] * column_factors[i];
      sums[0] += x * x;
    }
    for (const float part : sums) total += part;
  }
  return total;
}

T2T_VECTOR_WIDTHS
void AdafactorUpdate(float* __restrict p, float* __restrict m, RowsTerms terms,
                     const float* __restrict row_factors,
                     const float* __restrict column_factors, float rate,
                     float beta1) {
  const float decay = terms.gradient.decay;
  const float scale = terms.gradient.scale;
  const float rest = 1.0F - beta1;
  for (int64_t row = 0; row < terms.rows; ++row) {
    const float* __restrict grads = terms.gradient.g + row * terms.columns;
    float* __restrict values = p + row * terms.columns;
    if (m == nullptr) {
      for (int64_t i = 0; i < terms.columns; ++i) {
        const float g = (grads[i] + decay * values[i]) * scale;
        values[i] -= g * row_factors[row] * column_factors[i] * rate;
      }
      continue;
    }
    float* __restrict moments = m + row * terms.columns;
    for (int64_t i = 0; i < terms.columns; ++i) {
      const float g = (grads[i] + decay * values[i]) * scale;
      const float x = g * row_factors[row] * column_factors[i] * rate;
      moments[i] = moments[i] * beta1 + x * rest;
      values[i] -= moments[i];
    }
  }
}

T2T_VECTOR_WIDTHS
double AdafactorUnfactoredSums(const float* __restrict p, float* __restrict v,
                               GradientTerms gradient, float decay,
                               int64_t size) {
  const float* __restrict grads = gradient.g;
  const float rest = 1.0F - decay;
  for (int64_t i = 0; i < size; ++i) {
    const float g = (grads[i] + gradient.decay * p[i]) * gradient.scale;
    v[i] = v[i] * decay + (g * g + kTiny) * rest;
  }
  double sum = 0;
  for (int64_t i = 0; i < size; ++i) {
    const float g = (grads[i] + gradient.decay * p[i]) * gradient.scale;
    sum += static_cast<double>(g) * g / v[i];
  }
  return sum;
}

T2T_VECTOR_WIDTHS
void AdafactorUnfactoredUpdate(float* __restrict p, float* __restrict m,
                               const float* __restrict v,
                               GradientTerms gradient, float rate, float beta1,
                               int64_t size) {
  const float* __restrict grads = gradient.g;
  const float rest = 1.0F - beta1;
  if (m == nullptr) {
    for (int64_t i = 0; i < size; ++i) {
      const float g = (grads[i] + gradient.decay * p[i]) * gradient.scale;
      p[i] -= g / std::sqrt(v[i]) * rate;
    }
    return;
  }
  for (int64_t i = 0; i < size; ++i) {
    const float g = (grads[i] + gradient.decay * p[i]) * gradient.scale;
    m[i] = m[i] * beta1 + g / std::sqrt(v[i]) * rate * rest;
    p[i] -= m[i];
  }
}

T2T_VECTOR_WIDTHS
void AverageKernel(float* __restrict a, const float* __restrict p, float decay,
                   int64_t size) {
  if (const DeviceKernels* device = CurrentDeviceKernels()) {
    device->average(a, p, decay, size);
    return;
  }
  const float rest = 1.0F - decay;
  for (int64_t i = 0; i < size; ++i) a[i] = a[i] - (a[i] - p[i]) * rest;
}

}  // namespace t2t
