#ifndef T2T_NN_CAPACITY_MOE_H_
#define T2T_NN_CAPACITY_MOE_H_

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "t2t/nn/context.h"
#include "t2t/nn/dense.h"
#include "t2t/nn/params.h"

namespace t2t {

struct CapacityMixtureOptions {
  int64_t hidden_size = 0;
  int64_t filter_size = 0;  // of each expert
  int64_t experts = 0;
  // How much room experts have above an even share: moe_overhead_train, _eval.
  double overhead_train = 1.0;
  double overhead_eval = 2.0;
  double loss_weight = 1e-3;  // moe_loss_coef
};

// T2T's local_moe_tpu: each position goes through the feed-forward layers of
// the two experts that its gates choose, as far as these have room for another
// one of its sequence; where neither has, it becomes 0. (Shazeer et al. 2017,
// arXiv:1701.06538, with batches of one size for each expert; compare
// MixtureOfExperts, whose experts take what comes.)
class CapacityMixture {
 public:
  // scope: the layer's ".../ffn".
  CapacityMixture(const Scope& scope, const CapacityMixtureOptions& options);

  // [batch, length, hidden] -> the same. Adds the loss that keeps the experts
  // of each sequence equally busy to the context's, as "extra".
  at::Tensor operator()(const at::Tensor& x_BLD, nn::Context& context) const;

 private:
  CapacityMixtureOptions options_;
  Dense gate_;
  at::Tensor in_, out_;  // [experts, in, out]
};

}  // namespace t2t

#endif  // T2T_NN_CAPACITY_MOE_H_
