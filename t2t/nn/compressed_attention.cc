#include "t2t/nn/compressed_attention.h"

#include <ATen/ATen.h>

#include <cmath>
#include <optional>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/nn/key_value_cache.h"
#include "t2t/ops/device.h"

namespace t2t::nn {

class CompressedSelfAttention::Blocks {
 public:
  virtual ~Blocks() = default;
  // [batch, length, hidden] -> [batch, blocks, hidden].
  virtual at::Tensor operator()(const at::Tensor& x_BLD) const = 0;
};

// A dense layer over a block's positions. A last block that is not whole is
// left out: no position sees it.
class CompressedSelfAttention::ConvolvedBlocks : public Blocks {
 public:
  ConvolvedBlocks(const Scope& scope, int64_t size, int64_t factor)
      : factor_(factor) {
    const Scope own = scope.Sub("conv_elems_1d").Sub("conv2d");
    kernel_ = own.Param("kernel", {1, factor, size, size});
    bias_ = own.Param("bias", {size}, ZerosInit());
  }

  at::Tensor operator()(const at::Tensor& x_BLD) const override {
    const int64_t size = x_BLD.size(2);
    const int64_t blocks = x_BLD.size(1) / factor_;
    const at::Tensor whole =
        x_BLD.narrow(1, 0, blocks * factor_)
            .reshape({x_BLD.size(0), blocks, factor_ * size});
    return at::linear(whole, kernel_.view({factor_ * size, size}).t(), bias_);
  }

 private:
  int64_t factor_;
  at::Tensor kernel_, bias_;
};

// What a block's positions see of each other, all their weights together a
// probability.
class CompressedSelfAttention::AttendedBlocks : public Blocks {
 public:
  AttendedBlocks(const Scope& scope, const AttentionOptions& options,
                 int64_t factor)
      : factor_(factor), heads_(options.heads) {
    if (options.key_channels != options.value_channels) {
      throw UsageError(
          "keys and values of different sizes with attention_red_type or "
          "attention_reduction_type 'attention'",
          "attention_key_channels equal to attention_value_channels",
          "change them in --hparams");
    }
    const Scope own =
        scope.Sub("local_reduction_attention").Sub("multihead_attention");
    const int64_t size = options.input_size;
    const auto dense = [&](const char* name, int64_t in, int64_t out) {
      return Dense(own.Sub(name), in, out, /*use_bias=*/false);
    };
    query_ = dense("q", size, options.key_channels);
    key_ = dense("k", size, options.key_channels);
    value_ = dense("v", size, options.value_channels);
    output_ =
        dense("output_transform", options.value_channels, options.output_size);
    scale_ = std::pow(static_cast<double>(options.key_channels / heads_), -0.5);
  }

  at::Tensor operator()(const at::Tensor& x_BLD) const override {
    const int64_t length = x_BLD.size(1);
    const int64_t blocks = (length + factor_ - 1) / factor_;
    // [batch, blocks, heads, factor, depth], zeros beyond the end.
    const auto split = [&](const at::Tensor& x) {
      return at::constant_pad_nd(x, {0, 0, 0, blocks * factor_ - length})
          .view({x.size(0), blocks, factor_, heads_, -1})
          .transpose(2, 3);
    };
    const at::Tensor logits = at::matmul(split(query_(x_BLD) * scale_),
                                         split(key_(x_BLD)).transpose(-1, -2));
    const at::Tensor weights =
        at::softmax(logits.flatten(-2), -1).view(logits.sizes()).sum(-2, true);
    return output_(at::matmul(weights, split(value_(x_BLD))).flatten(2));
  }

 private:
  int64_t factor_, heads_;
  double scale_ = 1.0;
  Dense query_, key_, value_, output_;
};

std::unique_ptr<const CompressedSelfAttention::Blocks>
CompressedSelfAttention::MakeBlocks(const Scope& scope,
                                    const AttentionOptions& attention,
                                    const CompressionOptions& options) {
  if (options.factor < 1) {
    throw UsageError("attention_red_factor=" + std::to_string(options.factor),
                     "at least 1", "change --hparams=attention_red_factor=...");
  }
  if (options.nonlinearity != "none" && options.nonlinearity != "silu") {
    throw UsageError("compressed attention with '" + options.nonlinearity +
                         "' after the compression",
                     "none or silu",
                     "change attention_red_nonlinearity or "
                     "attention_nonlinearity in --hparams");
  }
  if (options.reduction == "conv") {
    return std::make_unique<ConvolvedBlocks>(scope, attention.input_size,
                                             options.factor);
  }
  if (options.reduction == "attention") {
    return std::make_unique<AttendedBlocks>(scope, attention, options.factor);
  }
  throw UsageError(
      "compressed attention by '" + options.reduction + "'",
      "conv or attention",
      "change attention_red_type or attention_reduction_type in --hparams");
}

CompressedSelfAttention::CompressedSelfAttention(
    const Scope& scope, const AttentionOptions& attention,
    const CompressionOptions& options)
    : options_(options),
      blocks_(MakeBlocks(scope.Sub("multihead_self_attention_reduced"),
                         attention, options)),
      attention_(scope.Sub("multihead_self_attention_reduced"), attention) {}

at::Tensor CompressedSelfAttention::operator()(const at::Tensor& input,
                                               Pass& pass) const {
  return RunCausally(input, /*reach=*/-1, pass, [&](const at::Tensor& x_BLD) {
    at::Tensor blocks = (*blocks_)(x_BLD);
    if (options_.nonlinearity == "silu") blocks = at::silu(blocks);
    // Without the first position those of the first block would see nothing.
    const at::Tensor seen = at::cat({x_BLD.narrow(1, 0, 1), blocks}, 1);
    at::Tensor bias;
    if (options_.causal) {
      const auto range = [](int64_t size) {
        return at::arange(size, OnDevice(at::kLong));
      };
      bias = (range(seen.size(1)) * options_.factor)
                 .gt(range(x_BLD.size(1)).unsqueeze(1))
                 .to(at::kFloat)
                 .mul(-1e9)
                 .view({1, 1, x_BLD.size(1), seen.size(1)});
    }
    return attention_.SelfAttentionOver(x_BLD, seen, bias, pass.context());
  });
}

namespace {

int64_t HeadSize(int64_t hidden_size, int64_t heads, int64_t head_size) {
  if (head_size > 0) return head_size;
  if (heads >= 1 && hidden_size % heads == 0) return hidden_size / heads;
  throw UsageError("num_heads=" + std::to_string(heads) +
                       " with hidden_size=" + std::to_string(hidden_size),
                   "a number of heads that divides it",
                   "change num_heads or hidden_size in --hparams");
}

struct CachedState : State {
  void Select(const at::Tensor& rows) override { keys_values.Select(rows); }

  KeyValueCache keys_values;
};

}  // namespace

NormedSelfAttention::NormedSelfAttention(const Scope& scope,
                                         int64_t hidden_size, int64_t heads,
                                         int64_t head_size)
    : head_size_(HeadSize(hidden_size, heads, head_size)),
      in_(scope.Param("wqkv", {heads, 1, hidden_size, 3 * head_size_},
                      NormalInit(0.0, std::pow(hidden_size, -0.5)))),
      out_(scope.Param("wo", {heads, 1, head_size_, hidden_size},
                       NormalInit(0.0, std::pow(heads * head_size_, -0.5)))),
      norm_(scope, hidden_size) {}

at::Tensor NormedSelfAttention::Project(const at::Tensor& x_BLD) const {
  return at::matmul(norm_(x_BLD).unsqueeze(1), in_.squeeze(1));
}

at::Tensor NormedSelfAttention::Attend(const at::Tensor& query,
                                       const at::Tensor& keys,
                                       const at::Tensor& values,
                                       const at::Tensor& bias) const {
  const at::Tensor attended = at::scaled_dot_product_attention(
      query, keys, values,
      bias.defined() ? std::optional<at::Tensor>(bias) : std::nullopt);
  return at::matmul(attended.transpose(1, 2).flatten(2),
                    out_.view({-1, out_.size(3)}));
}

at::Tensor NormedSelfAttention::Whole(const at::Tensor& x_BLD,
                                      Pass& pass) const {
  const std::vector<at::Tensor> parts = Project(x_BLD).chunk(3, -1);
  return Attend(parts[0], parts[1], parts[2], pass.whole()->bias);
}

at::Tensor NormedSelfAttention::Step(const at::Tensor& x_R1D,
                                     Pass& pass) const {
  KeyValueCache& cache =
      pass.Kept([] { return std::make_unique<CachedState>(); }).keys_values;
  const std::vector<at::Tensor> parts = Project(x_R1D).chunk(3, -1);
  cache.Append(parts[1].contiguous(), parts[2].contiguous());
  const KeysValues seen = cache.View();
  return Attend(parts[0], seen.keys, seen.values, pass.bias());
}

}  // namespace t2t::nn
