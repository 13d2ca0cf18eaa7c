#ifndef T2T_OPS_OPTIMIZER_KERNELS_H_
#define T2T_OPS_OPTIMIZER_KERNELS_H_

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

// Adafactor over rows of a matrix that stand one after the other, of the
// gradient g seen (without 1e-30 of its square nothing is divided by 0).
struct RowsTerms {
  GradientTerms gradient;
  int64_t rows;
  int64_t columns;
};
// The sums of g^2 of each row; of each column, added to column_sums.
void AdafactorSums(const float* p, RowsTerms terms, float* row_sums,
                   float* column_sums);
// Sum of (g * row_factors[row] * column_factors[column])^2.
double AdafactorScaledSquares(const float* p, RowsTerms terms,
                              const float* row_factors,
                              const float* column_factors);
// p -= rate * g * row factor * column factor; where m is not null, by way of
// m = m * beta1 + that * (1 - beta1).
void AdafactorUpdate(float* p, float* m, RowsTerms terms,
                     const float* row_factors, const float* column_factors,
                     float rate, float beta1);
// The same without factors: v takes g^2 in; returns the sum of g^2 / v.
double AdafactorUnfactoredSums(const float* p, float* v, GradientTerms gradient,
                               float decay, int64_t size);
void AdafactorUnfactoredUpdate(float* p, float* m, const float* v,
                               GradientTerms gradient, float rate, float beta1,
                               int64_t size);

// a = a * decay + p * (1 - decay).
void AverageKernel(float* a, const float* p, float decay, int64_t size);

}  // namespace t2t

#endif  // T2T_OPS_OPTIMIZER_KERNELS_H_
