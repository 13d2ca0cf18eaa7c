#ifndef T2T_NN_MOE_H_
#define T2T_NN_MOE_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "t2t/nn/context.h"
#include "t2t/nn/params.h"
#include "t2t/nn/tensor_parallel.h"

namespace t2t {

struct MixtureOptions {
  int64_t hidden_size = 0;
  int64_t filter_size = 0;  // of each expert
  int64_t experts = 0;
  int64_t experts_per_token = 1;  // moe_k
  double loss_weight = 1e-2;      // T2T's local_moe has no hparam for it
};

// T2T's local_moe with noisy top-k gating: each token goes through the
// feed-forward layers of a few experts, whose outputs its gates weigh. The
// experts' kernels stand together in one parameter, [experts, in, out].
//
// With expert parallelism (t2t/nn/tensor_parallel.h) each rank gates a shard
// of the tokens and sends them to the ranks that have their experts.
class MixtureOfExperts {
 public:
  // scope: the layer's ".../ffn".
  MixtureOfExperts(const Scope& scope, const MixtureOptions& options);

  // [batch, length, hidden] -> the same. Adds the loss that keeps the experts
  // equally busy to the context's, as "extra". (T2T's gates are noisy when
  // evaluating, too; these are not.)
  at::Tensor operator()(const at::Tensor& x, nn::Context& context) const;

 private:
  struct Gating {
    at::Tensor gates;  // [tokens, experts], 0 but for a few
    at::Tensor load;   // [tokens, experts]: how sure each is among the few
  };
  Gating Gate(const at::Tensor& tokens, const at::Tensor& noise) const;
  // The experts' outputs for rows sorted by expert, so many for each: of this
  // rank's experts, or of all, wherever they are.
  at::Tensor Local(const at::Tensor& rows,
                   const std::vector<int64_t>& counts) const;
  at::Tensor Anywhere(const at::Tensor& rows,
                      const std::vector<int64_t>& counts) const;
  bool split() const { return parallel_ != nullptr; }

  MixtureOptions options_;
  TensorParallel* any_parallel_;        // null: the model is whole
  TensorParallel* parallel_ = nullptr;  // null: the experts are
  at::Tensor gate_;
  at::Tensor noise_;
  at::Tensor in_;   // [experts here, hidden, filter]
  at::Tensor out_;  // [experts here, filter, hidden]
};

}  // namespace t2t

#endif  // T2T_NN_MOE_H_
