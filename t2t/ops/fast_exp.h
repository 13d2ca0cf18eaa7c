#ifndef T2T_OPS_FAST_EXP_H_
#define T2T_OPS_FAST_EXP_H_

#include <bit>
#include <cmath>
#include <cstdint>

namespace t2t {

// exp to about one unit in the last place, in a form that compilers vectorise:
// 2^n times a polynomial of the rest (Cephes' coefficients). What is beyond
// exp(-87) and exp(87) is taken for that; NaN stays NaN.
inline float FastExp(float x) {
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: the sum is rounded
  x = x < -87.0f ? -87.0f : x;
  x = x > 87.0f ? 87.0f : x;
  const float shifted = x * 1.44269504f + kRound;
  const float n = shifted - kRound;
  float r = x - n * 0.693359375f;
  r = r + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const uint32_t exponent =
      (std::bit_cast<uint32_t>(shifted) - 0x4B400000U + 127U) << 23;
  return p * std::bit_cast<float>(exponent);
}

inline float FastSigmoid(float x) { return 1.0f / (1.0f + FastExp(-x)); }
inline float FastTanh(float x) {
  return 1.0f - 2.0f / (FastExp(2.0f * x) + 1.0f);
}

// Exact, for fp64.
inline double FastSigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }
inline double FastTanh(double x) { return std::tanh(x); }

}  // namespace t2t

#endif  // T2T_OPS_FAST_EXP_H_
