// The parameters of MultiheadAttention, of each of its types.

#include <ATen/ATen.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/nn/attention.h"
#include "t2t/nn/relative_attention.h"

namespace t2t {

MultiheadAttention::MultiheadAttention(const Scope &scope,
                                       const AttentionOptions &options)
    : options_(options),
      store_(scope.store()),
      parallel_(scope.tensor_parallel()) {
  AttentionOptions &o = options_;
  if (o.memory_size == 0) o.memory_size = o.input_size;
  if (o.heads < 1 || o.key_channels % o.heads != 0 ||
      o.value_channels % o.heads != 0) {
    throw UsageError("num_heads=" + std::to_string(o.heads) + " with " +
                         std::to_string(o.key_channels) + " key and " +
                         std::to_string(o.value_channels) + " value channels",
                     "a number of heads that divides both",
                     "change num_heads, hidden_size, attention_key_channels or "
                     "attention_value_channels in --hparams");
  }
  const Scope own = scope.Sub(options.name);
  const AttentionOptions whole = o;
  TakeHeads();
  MakeKernels(own, whole);
  if (o.type == "dot_product") {
    MakeAreas(own);
    return;
  }
  if (const auto pattern = LocalPatternOf(o.type, o.local)) {
    MakeLocal(own, *pattern);
    return;
  }
  if (!IsRelative(o.type)) {
    throw UsageError("self_attention_type=" + o.type + " is not supported",
                     "dot_product, dot_product_relative, "
                     "dot_product_relative_v2, "
                     "dot_product_unmasked_relative_v2, local_mask_right, "
                     "local_relative_mask_right, "
                     "local_within_block_mask_right, local_unmasked, "
                     "masked_dilated_1d or unmasked_dilated_1d",
                     "change --hparams=self_attention_type=...");
  }
  MakeRelative(own, whole);
}

void MultiheadAttention::MakeKernels(const Scope &own,
                                     const AttentionOptions &whole) {
  const AttentionOptions &o = options_;
  const int64_t key_depth = whole.key_channels / whole.heads;
  const int64_t value_depth = whole.value_channels / whole.heads;
  if (o.variables_3d) {
    const auto make = [&](const char *name, int64_t in, int64_t depth,
                          double stddev) {
      return HeadsParam(own, name, {in, whole.heads, depth}, 1, 1,
                        NormalInit(0.0, stddev));
    };
    const double stddev = std::pow(o.input_size, -0.5);
    const double memory_stddev = std::pow(o.memory_size, -0.5);
    q_kernel_ =
        make("q", o.input_size, key_depth, stddev * std::pow(key_depth, -0.5));
    k_kernel_ = make("k", o.memory_size, key_depth, memory_stddev);
    v_kernel_ = make("v", o.memory_size, value_depth, memory_stddev);
    o_kernel_ = HeadsParam(own, "o", {whole.heads, value_depth, o.output_size},
                           0, 1, own.init());
  } else {
    const auto make = [&](const char *name, int64_t in, int64_t channels,
                          int64_t depth) {
      return HeadsParam(own.Sub(name), "kernel", {in, channels}, 1, depth,
                        own.init());
    };
    q_kernel_ = make("q", o.input_size, whole.key_channels, key_depth);
    k_kernel_ = make("k", o.memory_size, whole.key_channels, key_depth);
    v_kernel_ = make("v", o.memory_size, whole.value_channels, value_depth);
    o_kernel_ = HeadsParam(own.Sub("output_transform"), "kernel",
                           {whole.value_channels, o.output_size}, 0,
                           value_depth, own.init());
  }
}

void MultiheadAttention::MakeRelative(const Scope &own,
                                      const AttentionOptions &whole) {
  const AttentionOptions &o = options_;
  const int64_t key_depth = whole.key_channels / whole.heads;
  const int64_t value_depth = whole.value_channels / whole.heads;
  const int64_t reach = o.max_relative_position;
  if (reach < 1) {
    throw UsageError("max_relative_position=" + std::to_string(reach) +
                         " with self_attention_type=" + o.type,
                     "at least 1",
                     "set --hparams=max_relative_position=20, say");
  }
  if (o.type == "dot_product_relative") {
    if (key_depth != value_depth) {
      throw UsageError(
          "attention_key_channels and attention_value_channels differ with "
          "self_attention_type=dot_product_relative",
          "equal ones");
    }
    const Scope relative = own.Sub("dot_product_attention_relative");
    relative_keys_ = relative.Sub("relative_positions_keys")
                         .Param("embeddings", {2 * reach + 1, key_depth});
    relative_values_ = relative.Sub("relative_positions_values")
                           .Param("embeddings", {2 * reach + 1, key_depth});
    return;
  }
  const bool unmasked = o.type == "dot_product_unmasked_relative_v2";
  const Scope relative =
      own.Sub(unmasked ? "dot_product_unmasked_self_attention_relative_v2"
                       : "dot_product_self_attention_relative_v2");
  const auto table = [&](const char *name, int64_t depth) {
    std::vector<int64_t> shape = {unmasked ? 2 * reach - 1 : reach, depth};
    const Initializer init = NormalInit(0.0, std::pow(depth, -0.5));
    if (o.heads_share_relative_embedding) {
      return relative.Param(name, shape, init);
    }
    shape.insert(shape.begin(), whole.heads);
    return HeadsParam(relative, name, shape, 0, 1, init);
  };
  relative_keys_ = table("key_relative_embeddings", key_depth);
  if (o.add_relative_to_values) {
    relative_values_ = table("value_relative_embeddings", value_depth);
  }
}

void MultiheadAttention::MakeAreas(const Scope &own) {
  const AttentionOptions &o = options_;
  if (!o.area.enabled()) return;
  if (parallel_ != nullptr) {
    throw UsageError("area attention in a model that --mesh_shape splits",
                     "--layout without heads:model");
  }
  if (o.key_channels != o.value_channels) {
    throw UsageError(
        "area attention with " + std::to_string(o.key_channels) + " key and " +
            std::to_string(o.value_channels) + " value channels",
        "as many of the one as of the other",
        "change attention_key_channels or attention_value_channels in "
        "--hparams");
  }
  area_.emplace(
      own.Sub("dot_product_area_attention").Sub("combine_area_features"),
      o.key_channels / o.heads, o.area);
  options_.hard_attention_k = 0;  // as in T2T
}

void MultiheadAttention::MakeLocal(const Scope &own,
                                   const LocalPattern &pattern) {
  const AttentionOptions &o = options_;
  local_.emplace();
  local_->pattern = pattern;
  if (o.type != "local_relative_mask_right") return;
  if (o.add_relative_to_values) {
    throw UsageError(
        "add_relative_to_values with "
        "self_attention_type=local_relative_mask_right is not supported",
        "False", "set --hparams=add_relative_to_values=False");
  }
  const int64_t depth = o.key_channels / o.heads;
  // T2T's table reaches further than the two blocks that are seen.
  std::vector<int64_t> shape = {4 * pattern.block, depth};
  const Scope relative = own.Sub("masked_relative_local_attention_1d");
  const Initializer init = NormalInit(0.0, std::pow(depth, -0.5));
  if (o.heads_share_relative_embedding) {
    local_->relative_keys = relative.Param("relative_embeddings", shape, init);
    return;
  }
  shape.insert(shape.begin(), split() ? all_heads_ : o.heads);
  local_->relative_keys =
      HeadsParam(relative, "relative_embeddings", shape, 0, 1, init);
}

void MultiheadAttention::TakeHeads() {
  if (parallel_ == nullptr || !parallel_->layout().heads) return;
  AttentionOptions &o = options_;
  if (o.heads < parallel_->size()) {
    throw UsageError("num_heads=" + std::to_string(o.heads) + " split over " +
                         std::to_string(parallel_->size()) + " ranks",
                     "at least one head for each rank",
                     "make the axis model of --mesh_shape smaller, or leave "
                     "heads out of --layout");
  }
  if (o.hard_attention_k > 0 && o.gumbel_noise_weight > 0) {
    throw UsageError("gumbel_noise_weight with heads split over ranks", "0",
                     "leave heads out of --layout, or set "
                     "--hparams=gumbel_noise_weight=0");
  }
  const ShardRange own = parallel_->Own(o.heads);
  all_heads_ = o.heads;
  first_head_ = own.begin;
  o.key_channels = o.key_channels / o.heads * own.size();
  o.value_channels = o.value_channels / o.heads * own.size();
  o.heads = own.size();
}

at::Tensor MultiheadAttention::HeadsParam(const Scope &scope,
                                          const std::string &name,
                                          std::vector<int64_t> shape,
                                          int64_t dim, int64_t depth,
                                          const Initializer &init) const {
  return split() ? parallel_->Param(scope, name, {std::move(shape), dim, depth},
                                    init)
                 : scope.Param(name, shape, init);
}

}  // namespace t2t
