#include "t2t/nn/expert_attention.h"

#include <ATen/ATen.h>

#include <string>

#include "t2t/base/error.h"
#include "t2t/nn/attention_bias.h"
#include "t2t/nn/moe.h"

namespace t2t::nn {

ExpertSelfAttention::ExpertSelfAttention(const Scope& scope,
                                         const ExpertAttentionOptions& options)
    : options_(options) {
  const int64_t experts = options.experts;
  if (experts < 1 || options.experts_per_token < 1 ||
      options.experts_per_token > experts) {
    throw UsageError("attention_num_experts=" + std::to_string(experts) +
                         " with attention_moe_k=" +
                         std::to_string(options.experts_per_token),
                     "at least one expert a token, and at most all of them",
                     "change them in --hparams");
  }
  const int64_t factor = options.expansion;
  const bool expands = factor > 0;
  const int64_t depth = expands ? options.expanded_size : options.hidden_size;
  if (expands) {
    const Scope own = scope.Sub("deconv_elems_1d").Sub("conv2d_transpose");
    expand_kernel_ =
        own.Param("kernel", {1, factor, depth, options.hidden_size});
    expand_bias_ = own.Param("bias", {depth}, ZerosInit());
  }
  const Scope own = scope.Sub("local_expert_attention").Sub("local_moe");
  const Scope gating = own.Sub("noisy_top_k_gating");
  gate_ = gating.Param("w_gate", {depth, experts}, ZerosInit());
  noise_ = gating.Param("w_noise", {depth, experts}, ZerosInit());
  AttentionOptions attention;
  attention.input_size = depth;
  attention.output_size = depth;
  attention.heads = options.heads;
  attention.key_channels =
      options.key_channels != 0 ? options.key_channels : depth;
  attention.value_channels =
      options.value_channels != 0 ? options.value_channels : depth;
  for (int64_t i = 0; i < experts; ++i) {
    experts_.emplace_back(own.Sub("parallel_" + std::to_string(i)), attention);
  }
  if (expands) {
    const Scope last = scope.Sub("conv_elems_1d").Sub("conv2d");
    compress_kernel_ =
        last.Param("kernel", {1, factor, depth, options.hidden_size});
    compress_bias_ = last.Param("bias", {options.hidden_size}, ZerosInit());
  }
}

at::Tensor ExpertSelfAttention::Attend(const at::Tensor& tokens,
                                       const at::Tensor& row, bool causal,
                                       Context& context) const {
  at::Tensor noise;
  if (context.training) {
    noise = at::randn({tokens.size(0), options_.experts}, context.rng)
                .to(tokens.device());
  }
  const ExpertGates gating =
      GateTokens(tokens, gate_, noise_, noise, options_.experts_per_token);
  context.losses.Add("extra",
                     ImbalanceOf(gating.gates.sum(0), gating.load.sum(0)) *
                         options_.loss_weight);
  const Dispatched sent(gating.gates);
  const at::Tensor arrived = tokens.index_select(0, sent.token);
  const at::Tensor of_row = row.index_select(0, sent.token);
  std::vector<at::Tensor> outputs;
  int64_t begin = 0;
  for (size_t i = 0; i < experts_.size(); ++i) {
    const int64_t count = sent.counts[i];
    if (count == 0) continue;
    // Rows of a batch stay apart.
    const at::Tensor here = of_row.narrow(0, begin, count);
    at::Tensor hidden = here.unsqueeze(0).ne(here.unsqueeze(1));
    at::Tensor bias =
        hidden.to(at::kFloat).mul(-1e9).view({1, 1, count, count});
    if (causal) bias = bias + BiasLowerTriangle(count);
    outputs.push_back(
        experts_[i]
            .SelfAttention(arrived.narrow(0, begin, count).unsqueeze(0), bias,
                           context)
            .squeeze(0));
    begin += count;
  }
  return at::zeros_like(tokens).index_add(
      0, sent.token,
      (at::cat(outputs) * sent.weight.unsqueeze(1)).to(tokens.scalar_type()));
}

at::Tensor ExpertSelfAttention::operator()(const at::Tensor& x_BLD,
                                           Pass& pass) const {
  TORCH_CHECK(pass.whole() != nullptr, "experts of attention see whole rows");
  const int64_t length = x_BLD.size(1);
  const at::Tensor all = x_BLD.flatten(0, 1);
  const at::Tensor& nonpadding = pass.whole()->own_nonpadding_BL;
  const at::Tensor kept =
      nonpadding.defined()
          ? nonpadding.flatten().nonzero().squeeze(1)
          : at::arange(all.size(0), all.options().dtype(at::kLong));
  if (kept.numel() == 0) return at::zeros_like(x_BLD);
  at::Tensor tokens = all.index_select(0, kept);
  at::Tensor row = kept.div(length, "floor");
  const int64_t factor = options_.expansion;
  if (factor > 0) {
    const int64_t depth = options_.expanded_size;
    const at::Tensor kernel =
        expand_kernel_.view({factor * depth, options_.hidden_size});
    tokens = at::linear(tokens, kernel).view({-1, depth}) + expand_bias_;
    row = row.repeat_interleave(factor);
  }
  at::Tensor y = Attend(tokens, row, pass.causal(), pass.context());
  if (factor > 0) {
    const at::Tensor kernel = compress_kernel_.view(
        {factor * options_.expanded_size, options_.hidden_size});
    y = at::linear(y.view({kept.numel(), -1}), kernel.t(), compress_bias_);
  }
  return at::zeros_like(all)
      .index_add(0, kept, y.to(all.scalar_type()))
      .view(x_BLD.sizes());
}

}  // namespace t2t::nn
