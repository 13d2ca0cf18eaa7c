#include "t2t/nn/filtered_attention.h"

#include <ATen/ATen.h>

#include <cmath>
#include <string>

#include "t2t/base/error.h"
#include "t2t/nn/convolution.h"

namespace t2t::nn {

FilteredSelfAttention::Projection FilteredSelfAttention::MakeProjection(
    const Scope& scope, const char* name, int64_t in, int64_t channels,
    int64_t width) {
  if (width == 1) {
    return Dense(scope.Sub(name), in, channels, /*use_bias=*/false);
  }
  return Conv1d(scope.Sub(std::string(name) + "_single"),
                {in, channels, width, ConvPadding::kLeft,
                 /*kernel_of_two_dimensions=*/true});
}

FilteredSelfAttention::FilteredSelfAttention(const Scope& scope,
                                             const AttentionOptions& options,
                                             const AttentionFilters& filters)
    : options_(options), local_(LocalPatternOf(options.type, options.local)) {
  if (filters.query < 1 || filters.memory < 1 ||
      (!local_ && options.type != "dot_product") ||
      options.type == "local_relative_mask_right") {
    throw UsageError(
        "q_filter_width=" + std::to_string(filters.query) +
            " and kv_filter_width=" + std::to_string(filters.memory) +
            " with attention of the type " + options.type,
        "widths from 1 up, and attention without relative "
        "positions",
        "change them in --hparams");
  }
  if (options.heads < 1 || options.key_channels % options.heads != 0 ||
      options.value_channels % options.heads != 0) {
    throw UsageError("num_heads=" + std::to_string(options.heads),
                     "a number of heads that divides key and value channels",
                     "change --hparams=num_heads=...");
  }
  const Scope own = scope.Sub(options.name);
  query_ = MakeProjection(own, "q", options.input_size, options.key_channels,
                          filters.query);
  key_ = MakeProjection(own, "k", options.input_size, options.key_channels,
                        filters.memory);
  value_ = MakeProjection(own, "v", options.input_size, options.value_channels,
                          filters.memory);
  output_ = Dense(own.Sub("output_transform"), options.value_channels,
                  options.output_size, /*use_bias=*/false);
}

at::Tensor FilteredSelfAttention::operator()(const at::Tensor& x_BLD,
                                             Pass& pass) const {
  const auto split = [&](const at::Tensor& x) {
    return x.unflatten(-1, {options_.heads, -1}).transpose(1, 2);
  };
  const double scale = std::pow(
      static_cast<double>(options_.key_channels / options_.heads), -0.5);
  const at::Tensor q = split(query_(x_BLD)) * scale;
  const at::Tensor k = split(key_(x_BLD));
  const at::Tensor v = split(value_(x_BLD));
  at::Tensor attended;
  if (local_) {
    // As in T2T nothing is dropped out.
    LocalAttentionOptions local;
    local.pattern = *local_;
    attended = LocalAttention(q, k, v, local);
  } else {
    const at::Tensor& bias = pass.whole()->bias;
    attended = at::scaled_dot_product_attention(
        q, k, v,
        bias.defined() ? std::optional<at::Tensor>(bias) : std::nullopt,
        pass.training() ? options_.dropout : 0.0, /*is_causal=*/false,
        /*scale=*/1.0);
  }
  return output_(attended.transpose(1, 2).flatten(2));
}

}  // namespace t2t::nn
