#ifndef T2T_NN_ATTENTION_H_
#define T2T_NN_ATTENTION_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "t2t/nn/area_attention.h"
#include "t2t/nn/context.h"
#include "t2t/nn/key_value_cache.h"
#include "t2t/nn/local_attention.h"
#include "t2t/nn/params.h"
#include "t2t/nn/tensor_parallel.h"
#include "t2t/ops/ragged_attention.h"

namespace t2t {

struct AttentionOptions {
  // The scope of its parameters, under the layer's.
  std::string name = "multihead_attention";
  int64_t input_size = 0;
  int64_t memory_size = 0;  // 0: input_size
  int64_t key_channels = 0;
  int64_t value_channels = 0;
  int64_t output_size = 0;
  int64_t heads = 1;
  double dropout = 0.0;
  std::vector<int64_t> dropout_broadcast_dims;
  // dot_product, dot_product_relative, dot_product_relative_v2,
  // dot_product_unmasked_relative_v2 or one of LocalPatternOf().
  std::string type = "dot_product";
  LocalSizes local;  // of local and dilated attention
  int64_t max_relative_position = 0;
  bool heads_share_relative_embedding = false;
  bool add_relative_to_values = false;
  bool variables_3d = false;
  int64_t hard_attention_k = 0;
  double gumbel_noise_weight = 0.0;
  AreaOptions area;  // of plain dot_product, as in T2T
};

// T2T's multihead_attention: parameters under "<scope>/multihead_attention".
class MultiheadAttention {
 public:
  MultiheadAttention(const Scope& scope, const AttentionOptions& options);

  // Self-attention over input [batch, length, input]; bias may be undefined,
  // and counts for nothing where attention is local, as in T2T.
  at::Tensor SelfAttention(const at::Tensor& input, const at::Tensor& bias,
                           const nn::Context& context) const;
  // The same where keys and values are of `all` [batch, length + n, input], of
  // which x is the end.
  at::Tensor SelfAttentionOver(const at::Tensor& x, const at::Tensor& all,
                               const at::Tensor& bias,
                               const nn::Context& context) const;
  // x looks at memory [batch, memory length, memory size]. What it looks at
  // goes to the context's recorder, but for area attention.
  at::Tensor MemoryAttention(const at::Tensor& x, const at::Tensor& memory,
                             const at::Tensor& bias,
                             nn::Context& context) const;

  // The same over sequences without padding, one after the other: x is [1,
  // rows, input], sequence i its rows from offsets[i] on (t2t/ops/
  // ragged_attention.h). Only where CanBeRagged().
  bool CanBeRagged() const;
  at::Tensor RaggedSelf(const at::Tensor& x,
                        const std::vector<int64_t>& offsets, bool causal,
                        const nn::Context& context) const;
  at::Tensor RaggedMemory(const at::Tensor& x,
                          const std::vector<int64_t>& offsets,
                          const at::Tensor& memory,
                          const std::vector<int64_t>& memory_offsets,
                          const nn::Context& context) const;

  // Whether a position is computed out of those before it alone, whatever the
  // bias says to those after it, and whatever comes after.
  bool CanDecode() const {
    return (!local_ || local_->pattern.causal) &&
           (!area_ || area_->options().max_height == 1);
  }

  // Decoding. One new position x [rows, 1, input], after those in the cache,
  // which it joins; bias [.., 1, positions] may be undefined.
  at::Tensor SelfAttentionStep(const at::Tensor& x, const at::Tensor& bias,
                               KeyValueCache* cache,
                               const nn::Context& context) const;
  KeysValues ProjectMemory(const at::Tensor& memory,
                           const nn::Context& context) const;
  // The bias for what ProjectMemory() gives, of one for the memory.
  at::Tensor MemoryBias(const at::Tensor& bias) const;
  bool sees_areas() const { return area_.has_value(); }
  at::Tensor MemoryAttentionStep(const at::Tensor& x, const KeysValues& memory,
                                 const at::Tensor& bias,
                                 const nn::Context& context) const;

 private:
  // whole: the options of all ranks' heads.
  void MakeKernels(const Scope& own, const AttentionOptions& whole);
  void MakeRelative(const Scope& own, const AttentionOptions& whole);
  void MakeAreas(const Scope& own);
  void MakeLocal(const Scope& own, const LocalPattern& pattern);
  // Takes this rank's shard of the heads, where they are split.
  void TakeHeads();
  // A parameter that has a dimension of heads, of `depth` numbers each.
  at::Tensor HeadsParam(const Scope& scope, const std::string& name,
                        std::vector<int64_t> shape, int64_t dim, int64_t depth,
                        const Initializer& init) const;
  // One that all heads share.
  at::Tensor SharedByHeads(const at::Tensor& parameter) const;
  bool split() const { return all_heads_ != 0; }
  at::Tensor Enter(const at::Tensor& x) const;
  at::Tensor EnterMemory(const at::Tensor& memory) const;
  at::Tensor DropWeights(const at::Tensor& weights, double dropout,
                         const std::vector<int64_t>& broadcast_dims,
                         const at::Generator& rng) const;
  at::Tensor SelfKernel() const;    // queries, keys and values side by side
  at::Tensor MemoryKernel() const;  // keys and values
  at::Tensor QueryKernel() const;
  double Scale() const;
  RaggedAttentionOptions RaggedOptions(const nn::Context& context) const;
  at::Tensor Output(const at::Tensor& attended) const;
  at::Tensor SplitHeads(const at::Tensor& x) const;
  at::Tensor Query(const at::Tensor& x) const;
  // Where there is area attention, what it sees in place of these.
  KeysValues Areas(KeysValues memory, const nn::Context& context) const;
  KeysValues Project(const at::Tensor& memory) const;
  // From split heads to the layer's output. self: relative terms apply.
  at::Tensor Attend(const at::Tensor& q, const KeysValues& memory,
                    const at::Tensor& bias, bool self,
                    const nn::Context& context) const;

  AttentionOptions options_;  // of this rank's heads
  const ParamStore* store_;
  TensorParallel* parallel_;  // null: the model is whole
  int64_t all_heads_ = 0;     // where they are split over the ranks
  int64_t first_head_ = 0;
  std::optional<LocalAttentionOptions> local_;
  std::optional<AreaFeatures> area_;
  // [input, channels] each, whatever their stored shape.
  at::Tensor q_kernel_, k_kernel_, v_kernel_, o_kernel_;
  at::Tensor relative_keys_;
  at::Tensor relative_values_;
};

}  // namespace t2t

#endif  // T2T_NN_ATTENTION_H_
