#ifndef T2T_OPTIM_YELLOW_FIN_H_
#define T2T_OPTIM_YELLOW_FIN_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "t2t/optim/optimizer.h"

namespace t2t {

// Momentum whose rate and momentum follow from the gradients' statistics. Zhang
// and Mitliagkas 2017, "YellowFin and the Art of Momentum Tuning",
// arXiv:1706.03471. The learning rate given counts at the first step alone, as
// in T2T.
class YellowFin : public Optimizer {
 public:
  YellowFin(const HParams& hparams, std::vector<NamedTensor> parameters);

 private:
  // Of one step's gradients, all parameters together.
  struct Statistics {
    double sparsity = 0;  // share of numbers that are not 0
    double norm2 = 0;
    double norm2_average = 0;
    double mean2 = 0;  // of the average gradient
  };

  void Update(double learning_rate, int64_t step) override;
  void Tune(double* scalars, int64_t own_step);
  Statistics Measure(double updates);

  const std::vector<at::Tensor> momentum_;
  const std::vector<at::Tensor> mean_;
  at::Tensor window_;
  at::Tensor norms_;
  at::Tensor scalars_;
};

}  // namespace t2t

#endif  // T2T_OPTIM_YELLOW_FIN_H_
