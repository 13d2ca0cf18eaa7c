#include "t2t/nn/attention.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/nn/linear.h"
#include "t2t/nn/parameter_units.h"
#include "t2t/nn/relative_attention.h"
#include "t2t/ops/device.h"
#include "t2t/ops/dropout.h"
#include "t2t/ops/ragged_attention.h"

namespace t2t {
namespace {

// T2T's attention with all weight on the k greatest, the rest relative to the
// k-th.
at::Tensor Harden(at::Tensor weights, int64_t k, double gumbel_noise_weight) {
  if (gumbel_noise_weight > 0.0) {
    const at::Tensor uniform =
        at::empty_like(weights).uniform_(1e-5, 1.0 - 1e-5);
    weights = weights - uniform.log().neg().log() * gumbel_noise_weight;
  }
  at::Tensor rest = weights.detach();
  for (int64_t i = 1; i < k; ++i) {
    rest = rest * rest.lt(rest.amax(-1, /*keepdim=*/true));
  }
  weights = at::relu(weights - rest.amax(-1, /*keepdim=*/true));
  return weights / weights.sum(-1, /*keepdim=*/true).clamp_min(1e-6);
}

}  // namespace

MultiheadAttention::MultiheadAttention(const Scope& scope,
                                       const AttentionOptions& options)
    : options_(options), parallel_(ModelParallel::Current()) {
  AttentionOptions& o = options_;
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
  const Scope own = scope.Sub("multihead_attention");
  const AttentionOptions whole = o;
  TakeHeads();
  MakeKernels(own, whole);
  if (o.type == "dot_product") {
    MakeAreas(own);
    return;
  }
  if (const auto pattern = LocalPatternOf(o.type)) {
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

void MultiheadAttention::MakeKernels(const Scope& own,
                                     const AttentionOptions& whole) {
  const AttentionOptions& o = options_;
  const int64_t key_depth = whole.key_channels / whole.heads;
  const int64_t value_depth = whole.value_channels / whole.heads;
  if (o.variables_3d) {
    const auto make = [&](const char* name, int64_t in, int64_t depth,
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
    const auto make = [&](const char* name, int64_t in, int64_t channels,
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

void MultiheadAttention::MakeRelative(const Scope& own,
                                      const AttentionOptions& whole) {
  const AttentionOptions& o = options_;
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
  const auto table = [&](const char* name, int64_t depth) {
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

void MultiheadAttention::MakeAreas(const Scope& own) {
  const AttentionOptions& o = options_;
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

void MultiheadAttention::MakeLocal(const Scope& own,
                                   const LocalPattern& pattern) {
  const AttentionOptions& o = options_;
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
  AttentionOptions& o = options_;
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
  const PartRange own = PartOf(o.heads, parallel_->size(), parallel_->rank());
  all_heads_ = o.heads;
  first_head_ = own.begin;
  o.key_channels = o.key_channels / o.heads * own.size();
  o.value_channels = o.value_channels / o.heads * own.size();
  o.heads = own.size();
}

at::Tensor MultiheadAttention::HeadsParam(const Scope& scope,
                                          const std::string& name,
                                          std::vector<int64_t> shape,
                                          int64_t dim, int64_t depth,
                                          const Initializer& init) const {
  return split() ? parallel_->Param(scope, name, {std::move(shape), dim, depth},
                                    init)
                 : scope.Param(name, shape, init);
}

at::Tensor MultiheadAttention::SharedByHeads(
    const at::Tensor& parameter) const {
  return split() && parameter.dim() == 2 ? parallel_->CopyIn(parameter)
                                         : parameter;
}

at::Tensor MultiheadAttention::Enter(const at::Tensor& x) const {
  return parallel_ == nullptr ? x : parallel_->Enter(x, split());
}

at::Tensor MultiheadAttention::EnterMemory(const at::Tensor& memory) const {
  return split() ? parallel_->CopyIn(memory) : memory;
}

at::Tensor MultiheadAttention::DropWeights(
    const at::Tensor& weights, double dropout,
    const std::vector<int64_t>& broadcast_dims) const {
  if (!split()) return Dropout(weights, dropout, broadcast_dims);
  const int64_t heads = weights.size(1);
  if (broadcast_dims.empty()) {
    return Dropout(weights, dropout, {},
                   PartAlong(first_head_, heads, all_heads_,
                             weights.size(2) * weights.size(3)));
  }
  // What the whole drops out, and of it these heads.
  std::vector<int64_t> shape = weights.sizes().vec();
  shape[1] = all_heads_;
  const at::Tensor ones = at::ones(1, weights.options().dtype(at::kFloat));
  return weights * Dropout(ones.expand(shape), dropout, broadcast_dims)
                       .narrow(1, first_head_, heads);
}

at::Tensor MultiheadAttention::SelfKernel() const {
  return JoinParameters(
      {QueryKernel(), k_kernel_.view({-1, options_.key_channels}),
       v_kernel_.view({-1, options_.value_channels})},
      1);
}

at::Tensor MultiheadAttention::MemoryKernel() const {
  return JoinParameters({k_kernel_.view({-1, options_.key_channels}),
                         v_kernel_.view({-1, options_.value_channels})},
                        1);
}

at::Tensor MultiheadAttention::QueryKernel() const {
  return q_kernel_.view({-1, options_.key_channels});
}

double MultiheadAttention::Scale() const {
  return options_.variables_3d
             ? 1.0
             : std::pow(
                   static_cast<double>(options_.key_channels / options_.heads),
                   -0.5);
}

at::Tensor MultiheadAttention::Output(const at::Tensor& context) const {
  const at::Tensor y = Linear(
      context, o_kernel_.view({options_.value_channels, options_.output_size}));
  return parallel_ == nullptr ? y : parallel_->Leave(y, split());
}

at::Tensor MultiheadAttention::SplitHeads(const at::Tensor& x) const {
  return x.view({x.size(0), x.size(1), options_.heads, -1}).transpose(1, 2);
}

at::Tensor MultiheadAttention::SelfAttention(const at::Tensor& input,
                                             const at::Tensor& bias,
                                             const nn::Context& context) const {
  const bool training = context.training;
  const at::Tensor x = Enter(input);
  if (Int8Weights::Current() != nullptr) {
    return Attend(Query(x), Areas(Project(x), training), MemoryBias(bias),
                  /*self=*/true, training);
  }
  const int64_t keys = options_.key_channels;
  const auto parts =
      at::linear(x, SelfKernel().t())
          .split_with_sizes({keys, keys, options_.value_channels}, -1);
  return Attend(SplitHeads(parts[0]),
                Areas({SplitHeads(parts[1]), SplitHeads(parts[2])}, training),
                MemoryBias(bias), /*self=*/true, training);
}

at::Tensor MultiheadAttention::SelfAttentionOver(
    const at::Tensor& x, const at::Tensor& all, const at::Tensor& bias,
    const nn::Context& context) const {
  return Attend(Query(x), Areas(Project(all), context.training),
                MemoryBias(bias),
                /*self=*/true, context.training);
}

KeysValues MultiheadAttention::Areas(KeysValues memory, bool training) const {
  if (!area_) return memory;
  return {area_->Keys(memory.keys, training), area_->Values(memory.values)};
}

at::Tensor MultiheadAttention::MemoryBias(const at::Tensor& bias) const {
  return area_ && bias.defined() ? area_->Bias(bias) : bias;
}

KeysValues MultiheadAttention::ProjectMemory(const at::Tensor& memory) const {
  return Areas(Project(memory), /*training=*/false);
}

KeysValues MultiheadAttention::Project(const at::Tensor& memory) const {
  if (Int8Weights::Current() != nullptr) {
    return {
        SplitHeads(Linear(memory, k_kernel_.view({-1, options_.key_channels}))),
        SplitHeads(
            Linear(memory, v_kernel_.view({-1, options_.value_channels})))};
  }
  const auto parts =
      at::linear(EnterMemory(memory), MemoryKernel().t())
          .split_with_sizes({options_.key_channels, options_.value_channels},
                            -1);
  return {SplitHeads(parts[0]), SplitHeads(parts[1])};
}

at::Tensor MultiheadAttention::Query(const at::Tensor& x) const {
  return SplitHeads(Linear(x, QueryKernel()));
}

RaggedAttentionOptions MultiheadAttention::RaggedOptions(bool training) const {
  RaggedAttentionOptions ragged;
  ragged.heads = options_.heads;
  ragged.key_channels = options_.key_channels;
  ragged.value_channels = options_.value_channels;
  ragged.scale = Scale();
  ragged.dropout = training ? options_.dropout : 0.0;
  ragged.all_heads = all_heads_;
  ragged.first_head = first_head_;
  return ragged;
}

bool MultiheadAttention::CanBeRagged() const {
  return options_.type == "dot_product" && !area_ &&
         options_.hard_attention_k == 0 &&
         options_.dropout_broadcast_dims.empty();
}

at::Tensor MultiheadAttention::RaggedSelf(const at::Tensor& x,
                                          const std::vector<int64_t>& offsets,
                                          bool causal,
                                          const nn::Context& context) const {
  RaggedAttentionOptions ragged = RaggedOptions(context.training);
  ragged.query_offsets = offsets;
  ragged.key_offsets = offsets;
  ragged.causal = causal;
  const at::Tensor all = at::mm(Enter(x).squeeze(0), SelfKernel());
  return Output(RaggedSelfAttention(all, ragged).unsqueeze(0));
}

at::Tensor MultiheadAttention::RaggedMemory(
    const at::Tensor& x, const std::vector<int64_t>& offsets,
    const at::Tensor& memory, const std::vector<int64_t>& memory_offsets,
    const nn::Context& context) const {
  RaggedAttentionOptions ragged = RaggedOptions(context.training);
  ragged.query_offsets = offsets;
  ragged.key_offsets = memory_offsets;
  const at::Tensor queries = at::mm(Enter(x).squeeze(0), QueryKernel());
  const at::Tensor seen =
      at::mm(EnterMemory(memory).squeeze(0), MemoryKernel());
  return Output(RaggedMemoryAttention(queries, seen, ragged).unsqueeze(0));
}

at::Tensor MultiheadAttention::MemoryAttention(const at::Tensor& x,
                                               const at::Tensor& memory,
                                               const at::Tensor& bias,
                                               nn::Context& context) const {
  const bool training = context.training;
  const at::Tensor query = Query(Enter(x));
  const KeysValues seen = Areas(Project(memory), training);
  const at::Tensor area_bias = MemoryBias(bias);
  if (context.recorder != nullptr && !area_) {
    at::Tensor logits =
        at::matmul(query * Scale(), seen.keys.transpose(-1, -2));
    if (bias.defined()) logits = logits + bias;
    context.recorder->Add(at::softmax(logits, -1));
  }
  return Attend(query, seen, area_bias, /*self=*/false, training);
}

at::Tensor MultiheadAttention::SelfAttentionStep(const at::Tensor& x,
                                                 const at::Tensor& bias,
                                                 KeyValueCache* cache) const {
  // Few rows: reading the kernels is what costs, so they are not joined.
  const at::Tensor keys =
      Linear(x, k_kernel_.view({-1, options_.key_channels}));
  const at::Tensor values =
      Linear(x, v_kernel_.view({-1, options_.value_channels}));
  const KeysValues latest = {SplitHeads(keys), SplitHeads(values)};
  if (area_) {
    const KeysValues& recent =
        cache->AppendRecent(latest, area_->options().max_width);
    cache->Append(area_->LastKeys(recent.keys),
                  area_->LastValues(recent.values));
    at::Tensor area_bias;
    if (bias.defined()) {
      area_bias = area_->Bias(bias).index_select(
          -1, area_->OrderOfEnds(bias.size(-1)).to(bias.device()));
    }
    return Attend(Query(x), cache->View(), area_bias, /*self=*/true,
                  /*training=*/false);
  }
  cache->Append(latest.keys, latest.values);
  return Attend(Query(x), cache->View(), bias, /*self=*/true,
                /*training=*/false);
}

at::Tensor MultiheadAttention::MemoryAttentionStep(
    const at::Tensor& x, const KeysValues& memory,
    const at::Tensor& bias) const {
  return Attend(Query(x), memory, bias, /*self=*/false, /*training=*/false);
}

at::Tensor MultiheadAttention::Attend(const at::Tensor& q,
                                      const KeysValues& memory,
                                      const at::Tensor& bias, bool self,
                                      bool training) const {
  const AttentionOptions& o = options_;
  const double scale = Scale();
  const double dropout = training ? o.dropout : 0.0;
  const bool relative = self && o.type != "dot_product";
  at::Tensor context;
  if (self && local_) {
    LocalAttentionOptions local = *local_;
    local.all_heads = all_heads_;
    local.first_head = first_head_;
    if (local.relative_keys.defined()) {
      local.relative_keys = SharedByHeads(local.relative_keys);
    }
    // T2T drops nothing out in the others.
    if (local.relative_keys.defined()) local.dropout = dropout;
    const at::Tensor scaled = o.variables_3d ? q : q * scale;
    const bool step = q.size(2) != memory.keys.size(2);
    context =
        step ? LocalAttentionStep(scaled, memory.keys, memory.values, local)
             : LocalAttention(scaled, memory.keys, memory.values, local);
  } else if (!relative && dropout == 0.0 && o.hard_attention_k == 0) {
    context = at::scaled_dot_product_attention(
        q, memory.keys, memory.values,
        bias.defined() ? std::optional<at::Tensor>(bias) : std::nullopt, 0.0,
        /*is_causal=*/false, scale);
  } else {
    const at::Tensor scaled = o.variables_3d ? q : q * scale;
    at::Tensor logits = at::matmul(scaled, memory.keys.transpose(-1, -2));
    if (relative) {
      logits = logits + RelativeLogits(RelativeKindOf(o.type),
                                       o.max_relative_position,
                                       SharedByHeads(relative_keys_), scaled,
                                       logits.size(-1));
    }
    if (bias.defined()) logits = logits + bias;
    at::Tensor weights = at::softmax(logits, -1);
    if (o.hard_attention_k > 0 && !(self && IsRelativeV2(o.type))) {
      weights = Harden(weights, o.hard_attention_k, o.gumbel_noise_weight);
    }
    const bool broadcast = !self || o.type != "dot_product_relative";
    weights = DropWeights(
        weights, dropout,
        broadcast ? o.dropout_broadcast_dims : std::vector<int64_t>());
    context = at::matmul(weights, memory.values);
    if (relative && relative_values_.defined()) {
      context = context +
                RelativeValues(RelativeKindOf(o.type), o.max_relative_position,
                               SharedByHeads(relative_values_), weights);
    }
  }
  return Output(context.transpose(1, 2).reshape(
      {q.size(0), q.size(2), o.value_channels}));
}

}  // namespace t2t
