#ifndef MODELS_PARALLEL_SHARDS_H_
#define MODELS_PARALLEL_SHARDS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "t2t/hparams/hparams.h"
#include "t2t/modality/loss_parts.h"
#include "t2t/model/model.h"
#include "t2t/nn/context.h"
#include "t2t/nn/params.h"

// One model that is there several times, side by side, with weights of its own
// each: T2T's "model shards", which were to be one a device, and add up some of
// their channels between layers.
// Shapes: B batch, L length, M memory's length, D hidden_size.
namespace t2t {

// [B, L, D] of each shard.
using Shards = std::vector<at::Tensor>;

struct ShardOptions {
  // Throws a usage error on values that are not supported.
  static ShardOptions FromHParams(const HParams& hparams);

  int64_t shards = 1;  // num_model_shards
  int64_t hidden_size = 0;
  int64_t filter_size = 0;
  int64_t mixed_channels = 0;  // that layer m adds up
  std::string norm_type;
  double norm_epsilon = 1e-6;
  double dropout = 0.0;  // of layer d
  // Of layers ffn, multihead-att, conv and moe.
  double relu_dropout = 0.0;
  std::vector<int64_t> relu_dropout_broadcast_dims;
  int64_t heads = 1;
  int64_t key_channels = 0;
  int64_t value_channels = 0;
  double attention_dropout = 0.0;
  int64_t kernel_height = 1;
  int64_t experts = 0;
  int64_t experts_per_token = 1;
  int64_t expert_size = 0;
  double expert_loss = 0.0;
};

// What attention sees, the same in all shards.
struct ShardMasks {
  at::Tensor self_bias;    // [.., 1, L, L]
  at::Tensor memory_bias;  // [B, 1, 1 or L, M]
  Shards memory;           // empty: there is none
};

// Layers one after the other, by T2T's names of them with commas between:
//   n normalise, d drop out, a add up the layers so far, m mix the shards,
//   att and enc-att attention of one head, multihead-att and
//   enc-multihead-att, ffn, conv, moe.
class ShardedStack {
 public:
  // parameters come under "<scope>/<layer>_<number>/parallel_<shard>".
  ShardedStack(const Scope& scope, const std::string& layers,
               const ShardOptions& options);

  Shards operator()(const Shards& x, const ShardMasks& masks,
                    nn::Context& context) const;

 private:
  // One shard's part of a layer that looks at no other shard.
  using Layer =
      std::function<at::Tensor(const at::Tensor& x_BLD, size_t shard,
                               const ShardMasks& masks, nn::Context& context)>;
  struct Step {
    std::string name;
    std::vector<Layer> layers;  // of each shard; none for a, d and m
  };

  Layer Make(const Scope& scope, const std::string& name) const;
  Layer MakeAttention(const Scope& scope, bool of_memory) const;
  Layer MakeMultihead(const Scope& scope, bool of_memory) const;
  Layer MakeExperts(const Scope& scope) const;
  void Mix(Shards* x) const;

  ShardOptions options_;
  std::vector<Step> steps_;
};

// The symbols' vectors in each shard's table [V, D], times the square root of
// D, with the timing signal of their positions (of packed examples: the feature
// "<name>_position"), and dropout.
Shards EmbedInShards(const std::vector<at::Tensor>& tables_VD,
                     const at::Tensor& ids_BL, const Features& features,
                     const std::string& name, bool with_timing,
                     const ShardOptions& options, nn::Context& context);

// What causal attention over `name` sees: what came before, and in a packed
// batch no other example.
at::Tensor CausalShardBias(const at::Tensor& ids_BL, const Features& features);

// ids one position later, padding at the first.
at::Tensor ShiftIdsRight(const at::Tensor& ids_BL);

// The cross entropy of symbols whose logits are x times rows of softmax, and
// counts for nothing on padding: x [B, L, H], softmax [V, H].
LossParts SymbolLoss(const at::Tensor& x_BLH, const at::Tensor& softmax_VH,
                     const at::Tensor& ids_BL, double label_smoothing);

// "<scope>/parallel_3".
Scope ShardScope(const Scope& scope, size_t shard);

at::Tensor SumOf(const Shards& x);

}  // namespace t2t

#endif  // MODELS_PARALLEL_SHARDS_H_
