#ifndef T2T_NN_EXPERT_ATTENTION_H_
#define T2T_NN_EXPERT_ATTENTION_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "t2t/nn/attention.h"
#include "t2t/nn/block.h"
#include "t2t/nn/dense.h"
#include "t2t/nn/params.h"

namespace t2t::nn {

struct ExpertAttentionOptions {
  int64_t hidden_size = 0;
  int64_t heads = 1;         // of each expert: attention_num_head
  int64_t key_channels = 0;  // attention_kq_size; 0: the tokens' size
  int64_t value_channels = 0;
  int64_t experts = 0;
  int64_t experts_per_token = 1;
  double loss_weight = 1e-2;  // attention_load_balance
  // Each token becomes so many smaller ones, which experts see in its place;
  // 0: it does not.
  int64_t expansion = 0;
  int64_t expanded_size = 0;
};

// T2T's local_expert_attention: the experts of a mixture (t2t/nn/moe.h) are
// self-attention, so that a token sees those of its sequence that went to the
// same experts. Where the pass knows the padding of its rows
// (WholeRows::own_nonpadding_BL), no expert sees it, and it becomes 0.
//
// T2T 1.15's own fails where it asks for a hparam that it was not given; this
// is what it is written to do, with the names that its variables would have.
class ExpertSelfAttention : public Sublayer {
 public:
  // scope: the layer's.
  ExpertSelfAttention(const Scope& scope,
                      const ExpertAttentionOptions& options);

  at::Tensor operator()(const at::Tensor& x_BLD, Pass& pass) const override;
  // What a token sees depends on where all before it went.
  bool CanStep() const override { return false; }

 private:
  // tokens [tokens, depth], row by row; row [tokens]: which one each is of.
  at::Tensor Attend(const at::Tensor& tokens, const at::Tensor& row,
                    bool causal, Context& context) const;

  ExpertAttentionOptions options_;
  at::Tensor expand_kernel_, expand_bias_;  // undefined without expansion
  at::Tensor gate_, noise_;
  std::vector<MultiheadAttention> experts_;
  at::Tensor compress_kernel_, compress_bias_;
};

}  // namespace t2t::nn

#endif  // T2T_NN_EXPERT_ATTENTION_H_
