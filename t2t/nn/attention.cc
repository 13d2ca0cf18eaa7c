#include "t2t/nn/attention.h"

#include <ATen/ATen.h>

#include <cmath>

#include "t2t/nn/linear.h"
#include "t2t/nn/relative_attention.h"
#include "t2t/ops/device.h"
#include "t2t/ops/dropout.h"
#include "t2t/ops/ragged_attention.h"

namespace t2t {
namespace {

// T2T's attention with all weight on the k greatest, the rest relative to the
// k-th.
at::Tensor Harden(at::Tensor weights, int64_t k, double gumbel_noise_weight,
                  const at::Generator &rng) {
  if (gumbel_noise_weight > 0.0) {
    const at::Tensor uniform =
        at::empty_like(weights, weights.options().device(at::kCPU))
            .uniform_(1e-5, 1.0 - 1e-5, rng)
            .to(weights.device());
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

at::Tensor MultiheadAttention::SharedByHeads(
    const at::Tensor &parameter) const {
  return split() && parameter.dim() == 2 ? parallel_->CopyIn(parameter)
                                         : parameter;
}

at::Tensor MultiheadAttention::Enter(const at::Tensor &x) const {
  return parallel_ == nullptr ? x : parallel_->Enter(x, split());
}

at::Tensor MultiheadAttention::EnterMemory(const at::Tensor &memory) const {
  return split() ? parallel_->CopyIn(memory) : memory;
}

at::Tensor MultiheadAttention::DropWeights(
    const at::Tensor &weights, double dropout,
    const std::vector<int64_t> &broadcast_dims,
    const at::Generator &rng) const {
  if (!split()) return Dropout(weights, dropout, rng, broadcast_dims);
  const int64_t heads = weights.size(1);
  if (broadcast_dims.empty()) {
    return Dropout(weights, dropout, rng, {},
                   ShardAlong(first_head_, heads, all_heads_,
                              weights.size(2) * weights.size(3)));
  }
  // What the whole drops out, and of it these heads.
  std::vector<int64_t> shape = weights.sizes().vec();
  shape[1] = all_heads_;
  const at::Tensor ones = at::ones(1, weights.options().dtype(at::kFloat));
  return weights * Dropout(ones.expand(shape), dropout, rng, broadcast_dims)
                       .narrow(1, first_head_, heads);
}

at::Tensor MultiheadAttention::SelfKernel() const {
  return store_->Join(
      {QueryKernel(), k_kernel_.view({-1, options_.key_channels}),
       v_kernel_.view({-1, options_.value_channels})},
      1);
}

at::Tensor MultiheadAttention::MemoryKernel() const {
  return store_->Join({k_kernel_.view({-1, options_.key_channels}),
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

at::Tensor MultiheadAttention::Output(const at::Tensor &attended) const {
  const at::Tensor y = Linear(
      attended, o_kernel_.view({options_.value_channels, options_.output_size}),
      {}, store_->int8());
  return parallel_ == nullptr ? y : parallel_->Leave(y, split());
}

at::Tensor MultiheadAttention::SplitHeads(const at::Tensor &x) const {
  return x.view({x.size(0), x.size(1), options_.heads, -1}).transpose(1, 2);
}

at::Tensor MultiheadAttention::SelfAttention(const at::Tensor &input,
                                             const at::Tensor &bias,
                                             const nn::Context &context) const {
  const at::Tensor x = Enter(input);
  if (store_->int8() != nullptr) {
    return Attend(Query(x), Areas(Project(x), context), MemoryBias(bias),
                  /*self=*/true, context);
  }
  const int64_t keys = options_.key_channels;
  const auto parts =
      at::linear(x, SelfKernel().t())
          .split_with_sizes({keys, keys, options_.value_channels}, -1);
  return Attend(SplitHeads(parts[0]),
                Areas({SplitHeads(parts[1]), SplitHeads(parts[2])}, context),
                MemoryBias(bias), /*self=*/true, context);
}

at::Tensor MultiheadAttention::SelfAttentionOver(
    const at::Tensor &x, const at::Tensor &all, const at::Tensor &bias,
    const nn::Context &context) const {
  return Attend(Query(x), Areas(Project(all), context), MemoryBias(bias),
                /*self=*/true, context);
}

KeysValues MultiheadAttention::Areas(KeysValues memory,
                                     const nn::Context &context) const {
  if (!area_) return memory;
  return {area_->Keys(memory.keys, context), area_->Values(memory.values)};
}

at::Tensor MultiheadAttention::MemoryBias(const at::Tensor &bias) const {
  return area_ && bias.defined() ? area_->Bias(bias) : bias;
}

KeysValues MultiheadAttention::ProjectMemory(const at::Tensor &memory,
                                             const nn::Context &context) const {
  return Areas(Project(memory), context);
}

KeysValues MultiheadAttention::Project(const at::Tensor &memory) const {
  if (store_->int8() != nullptr) {
    return {
        SplitHeads(Linear(memory, k_kernel_.view({-1, options_.key_channels}),
                          {}, store_->int8())),
        SplitHeads(Linear(memory, v_kernel_.view({-1, options_.value_channels}),
                          {}, store_->int8()))};
  }
  const auto parts =
      at::linear(EnterMemory(memory), MemoryKernel().t())
          .split_with_sizes({options_.key_channels, options_.value_channels},
                            -1);
  return {SplitHeads(parts[0]), SplitHeads(parts[1])};
}

at::Tensor MultiheadAttention::Query(const at::Tensor &x) const {
  return SplitHeads(Linear(x, QueryKernel(), {}, store_->int8()));
}

RaggedAttentionOptions MultiheadAttention::RaggedOptions(
    const nn::Context &context) const {
  RaggedAttentionOptions ragged;
  ragged.heads = options_.heads;
  ragged.key_channels = options_.key_channels;
  ragged.value_channels = options_.value_channels;
  ragged.scale = Scale();
  ragged.dropout = context.training ? options_.dropout : 0.0;
  if (ragged.dropout > 0.0) ragged.seed = DrawSeed(context.rng);
  ragged.all_heads = all_heads_;
  ragged.first_head = first_head_;
  return ragged;
}

bool MultiheadAttention::CanBeRagged() const {
  return options_.type == "dot_product" && !area_ &&
         options_.hard_attention_k == 0 &&
         options_.dropout_broadcast_dims.empty();
}

at::Tensor MultiheadAttention::RaggedSelf(const at::Tensor &x,
                                          const std::vector<int64_t> &offsets,
                                          bool causal,
                                          const nn::Context &context) const {
  RaggedAttentionOptions ragged = RaggedOptions(context);
  ragged.query_offsets = offsets;
  ragged.key_offsets = offsets;
  ragged.causal = causal;
  const at::Tensor all = at::mm(Enter(x).squeeze(0), SelfKernel());
  return Output(RaggedSelfAttention(all, ragged).unsqueeze(0));
}

at::Tensor MultiheadAttention::RaggedMemory(
    const at::Tensor &x, const std::vector<int64_t> &offsets,
    const at::Tensor &memory, const std::vector<int64_t> &memory_offsets,
    const nn::Context &context) const {
  RaggedAttentionOptions ragged = RaggedOptions(context);
  ragged.query_offsets = offsets;
  ragged.key_offsets = memory_offsets;
  const at::Tensor queries = at::mm(Enter(x).squeeze(0), QueryKernel());
  const at::Tensor seen =
      at::mm(EnterMemory(memory).squeeze(0), MemoryKernel());
  return Output(RaggedMemoryAttention(queries, seen, ragged).unsqueeze(0));
}

at::Tensor MultiheadAttention::MemoryAttention(const at::Tensor &x,
                                               const at::Tensor &memory,
                                               const at::Tensor &bias,
                                               nn::Context &context) const {
  const at::Tensor query = Query(Enter(x));
  const KeysValues seen = Areas(Project(memory), context);
  const at::Tensor area_bias = MemoryBias(bias);
  if (context.recorder != nullptr && !area_) {
    at::Tensor logits =
        at::matmul(query * Scale(), seen.keys.transpose(-1, -2));
    if (bias.defined()) logits = logits + bias;
    context.recorder->Add(at::softmax(logits, -1));
  }
  return Attend(query, seen, area_bias, /*self=*/false, context);
}

at::Tensor MultiheadAttention::SelfAttentionStep(
    const at::Tensor &x, const at::Tensor &bias, KeyValueCache *cache,
    const nn::Context &context) const {
  // Few rows: reading the kernels is what costs, so they are not joined.
  const at::Tensor keys = Linear(x, k_kernel_.view({-1, options_.key_channels}),
                                 {}, store_->int8());
  const at::Tensor values = Linear(
      x, v_kernel_.view({-1, options_.value_channels}), {}, store_->int8());
  const KeysValues latest = {SplitHeads(keys), SplitHeads(values)};
  if (area_) {
    const KeysValues &recent =
        cache->AppendRecent(latest, area_->options().max_width);
    cache->Append(area_->LastKeys(recent.keys),
                  area_->LastValues(recent.values));
    at::Tensor area_bias;
    if (bias.defined()) {
      area_bias = area_->Bias(bias).index_select(
          -1, area_->OrderOfEnds(bias.size(-1)).to(bias.device()));
    }
    return Attend(Query(x), cache->View(), area_bias, /*self=*/true, context);
  }
  cache->Append(latest.keys, latest.values);
  return Attend(Query(x), cache->View(), bias, /*self=*/true, context);
}

at::Tensor MultiheadAttention::MemoryAttentionStep(
    const at::Tensor &x, const KeysValues &memory, const at::Tensor &bias,
    const nn::Context &context) const {
  return Attend(Query(x), memory, bias, /*self=*/false, context);
}

at::Tensor MultiheadAttention::Attend(const at::Tensor &q,
                                      const KeysValues &memory,
                                      const at::Tensor &bias, bool self,
                                      const nn::Context &context) const {
  const AttentionOptions &o = options_;
  const double scale = Scale();
  const double dropout = context.training ? o.dropout : 0.0;
  const bool relative = self && o.type != "dot_product";
  at::Tensor attended;
  if (self && local_) {
    LocalAttentionOptions local = *local_;
    local.all_heads = all_heads_;
    local.first_head = first_head_;
    if (local.relative_keys.defined()) {
      local.relative_keys = SharedByHeads(local.relative_keys);
    }
    // T2T drops nothing out in the others.
    if (local.relative_keys.defined()) local.dropout = dropout;
    local.rng = context.rng;
    const at::Tensor scaled = o.variables_3d ? q : q * scale;
    const bool step = q.size(2) != memory.keys.size(2);
    attended =
        step ? LocalAttentionStep(scaled, memory.keys, memory.values, local)
             : LocalAttention(scaled, memory.keys, memory.values, local);
  } else if (!relative && dropout == 0.0 && o.hard_attention_k == 0) {
    attended = at::scaled_dot_product_attention(
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
      weights = Harden(weights, o.hard_attention_k, o.gumbel_noise_weight,
                       context.rng);
    }
    const bool broadcast = !self || o.type != "dot_product_relative";
    weights = DropWeights(
        weights, dropout,
        broadcast ? o.dropout_broadcast_dims : std::vector<int64_t>(),
        context.rng);
    attended = at::matmul(weights, memory.values);
    if (relative && relative_values_.defined()) {
      attended = attended +
                 RelativeValues(RelativeKindOf(o.type), o.max_relative_position,
                                SharedByHeads(relative_values_), weights);
    }
  }
  return Output(attended.transpose(1, 2).reshape(
      {q.size(0), q.size(2), o.value_channels}));
}

}  // namespace t2t
