#ifndef T2T_OPTIM_KERNELS_H_
#define T2T_OPTIM_KERNELS_H_

#include <cstdint>

namespace t2t {

// The optimizers' loops over one run of memory: compiled for several vector
// widths, chosen when the program starts; the same bits from each of them.

// The gradient an update sees is (g[i] + decay * p[i]) * scale.
struct GradientTerms {
  const float* g;
  float decay;
  float scale;
};

// Sum of (g + decay * p)^2.
double SumOfSquares(const float* p, GradientTerms gradient, int64_t size);

// m += (g - m)(1 - beta1); v += (g^2 - v)(1 - beta2);
// p = p * keep - rate * m / (sqrt(v) * v_scale + epsilon).
struct AdamTerms {
  float beta1;
  float beta2;
  float rate;
  float epsilon;
  float v_scale;
  float keep;
};
void AdamKernel(float* p, float* m, float* v, GradientTerms gradient,
                AdamTerms terms, int64_t size);

void SgdKernel(float* p, GradientTerms gradient, float rate, int64_t size);
void MomentumKernel(float* p, float* accumulator, GradientTerms gradient,
                    float rate, float momentum, bool nesterov, int64_t size);
void AdagradKernel(float* p, float* accumulator, GradientTerms gradient,
                   float rate, int64_t size);
void RmsPropKernel(float* p, float* mean_square, float* momentum,
                   GradientTerms gradient, float rate, float decay,
                   float momentum_decay, float epsilon, int64_t size);
void AdadeltaKernel(float* p, float* accumulator, float* updates,
                    GradientTerms gradient, float rate, float rho,
                    float epsilon, int64_t size);
void FtrlKernel(float* p, float* accumulator, float* linear,
                GradientTerms gradient, float rate, int64_t size);

// a = a * decay + p * (1 - decay).
void AverageKernel(float* a, const float* p, float decay, int64_t size);

}  // namespace t2t

#endif  // T2T_OPTIM_KERNELS_H_
