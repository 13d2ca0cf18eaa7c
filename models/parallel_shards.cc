#include "models/parallel_shards.h"

#include <ATen/ATen.h>

#include <cmath>
#include <memory>
#include <optional>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/hparams/values_or.h"
#include "t2t/nn/attention.h"
#include "t2t/nn/attention_bias.h"
#include "t2t/nn/convolution.h"
#include "t2t/nn/dense.h"
#include "t2t/nn/ffn.h"
#include "t2t/nn/moe.h"
#include "t2t/nn/norm.h"
#include "t2t/nn/positional.h"
#include "t2t/ops/cross_entropy.h"
#include "t2t/ops/dropout.h"

namespace t2t {
namespace {

constexpr char kKnown[] =
    "n, d, a, m, att, enc-att, multihead-att, enc-multihead-att, ffn, conv or "
    "moe";

// As layers know it, for T2T's biases of three dimensions.
at::Tensor OneHead(const at::Tensor& q_BLD, const at::Tensor& memory_BMD,
                   const at::Tensor& bias) {
  const auto heads = [](const at::Tensor& x) { return x.unsqueeze(1); };
  return at::scaled_dot_product_attention(
             heads(q_BLD), heads(memory_BMD), heads(memory_BMD),
             bias.defined() ? std::optional<at::Tensor>(bias) : std::nullopt)
      .squeeze(1);
}

}  // namespace

ShardOptions ShardOptions::FromHParams(const HParams& hparams) {
  ShardOptions options;
  options.shards = hparams.GetInt("num_model_shards");
  options.hidden_size = hparams.GetInt("hidden_size");
  options.filter_size = hparams.GetInt("filter_size");
  if (options.shards < 1 || options.hidden_size < 1) {
    throw UsageError("num_model_shards=" + std::to_string(options.shards) +
                         ", hidden_size=" + std::to_string(options.hidden_size),
                     "1 or more", "change them in --hparams");
  }
  const double mixed = hparams.GetDouble("mix_fraction");
  if (mixed < 0.0 || mixed > 1.0) {
    throw UsageError("mix_fraction=" + std::to_string(mixed), "0 to 1",
                     "change it in --hparams");
  }
  options.mixed_channels =
      static_cast<int64_t>(mixed * static_cast<double>(options.hidden_size));
  options.norm_type = hparams.GetString("norm_type");
  options.norm_epsilon = hparams.GetDouble("norm_epsilon");
  options.dropout = hparams.GetDouble("layer_prepostprocess_dropout");
  options.relu_dropout = DoubleOr(hparams, "relu_dropout", 0.0);
  for (const std::string& part :
       Split(StringOr(hparams, "relu_dropout_broadcast_dims", ""), ',')) {
    int64_t dim = 0;
    if (ParseInt(part, &dim))
      options.relu_dropout_broadcast_dims.push_back(dim);
  }
  options.heads = hparams.GetInt("multihead_attention_num_heads");
  const auto or_hidden = [&](const char* name) {
    const int64_t channels = hparams.GetInt(name);
    return channels != 0 ? channels : options.hidden_size;
  };
  options.key_channels = or_hidden("multihead_attention_key_channels");
  options.value_channels = or_hidden("multihead_attention_value_channels");
  options.attention_dropout = hparams.GetDouble("attention_dropout");
  options.kernel_height = IntOr(hparams, "kernel_height", 3);
  options.experts = IntOr(hparams, "moe_num_experts", 0);
  options.experts_per_token = IntOr(hparams, "moe_k", 1);
  options.expert_loss = DoubleOr(hparams, "moe_loss_coef", 0.0);
  int64_t size = 0;
  const std::string sizes = StringOr(hparams, "moe_hidden_sizes", "");
  options.expert_size = ParseInt(sizes, &size) ? size : 0;
  return options;
}

ShardedStack::ShardedStack(const Scope& scope, const std::string& layers,
                           const ShardOptions& options)
    : options_(options) {
  std::string names = layers;
  while (!names.empty() && names.back() == ',') names.pop_back();
  for (const std::string& name : Split(names, ',')) {
    Step step{name, {}};
    const Scope own = scope.Sub(name + "_" + std::to_string(steps_.size()));
    if (name != "a" && name != "d" && name != "m") {
      for (size_t shard = 0; shard < static_cast<size_t>(options_.shards);
           ++shard) {
        step.layers.push_back(Make(ShardScope(own, shard), name));
      }
    }
    steps_.push_back(std::move(step));
  }
}

ShardedStack::Layer ShardedStack::Make(const Scope& scope,
                                       const std::string& name) const {
  const ShardOptions& o = options_;
  if (name == "n") {
    return [norm = Norm(scope, o.norm_type, o.hidden_size, o.norm_epsilon)](
               const at::Tensor& x, size_t, const ShardMasks&, nn::Context&) {
      return norm(x);
    };
  }
  if (name == "att" || name == "enc-att") {
    return MakeAttention(scope, name == "enc-att");
  }
  if (name == "multihead-att" || name == "enc-multihead-att") {
    return MakeMultihead(scope, name == "enc-multihead-att");
  }
  if (name == "ffn") {
    FfnOptions ffn;
    ffn.hidden_size = o.hidden_size;
    ffn.filter_size = o.filter_size;
    ffn.dropout = o.relu_dropout;
    ffn.dropout_broadcast_dims = o.relu_dropout_broadcast_dims;
    return [layer = std::shared_ptr<Ffn>(MakeFfn(scope, ffn))](
               const at::Tensor& x, size_t, const ShardMasks&,
               nn::Context& context) {
      return layer->Apply(x, {}, /*left=*/true, context);
    };
  }
  if (name == "conv") {
    ConvOptions conv;
    conv.in = o.hidden_size;
    conv.out = o.hidden_size;
    conv.width = o.kernel_height;
    conv.padding = ConvPadding::kLeft;
    conv.kernel_of_two_dimensions = true;
    return [layer = Conv1d(scope.Sub("conv2d"), conv)](
               const at::Tensor& x, size_t, const ShardMasks&, nn::Context&) {
      return at::relu(layer(x));
    };
  }
  if (name == "moe") return MakeExperts(scope);
  throw UsageError("layer '" + name +
                       "' in layers, encoder_layers or "
                       "decoder_layers",
                   kKnown, "change them in --hparams");
}

ShardedStack::Layer ShardedStack::MakeAttention(const Scope& scope,
                                                bool of_memory) const {
  const int64_t size = options_.hidden_size;
  const Dense query(scope.Sub("q_transform"), size, size, /*use_bias=*/false);
  const Dense output(scope.Sub("o_transform"), size, size, /*use_bias=*/false);
  return [query, output, of_memory](const at::Tensor& x, size_t shard,
                                    const ShardMasks& masks, nn::Context&) {
    const at::Tensor& seen = of_memory ? masks.memory.at(shard) : x;
    const at::Tensor& bias = of_memory ? masks.memory_bias : masks.self_bias;
    return output(OneHead(query(x), seen, bias));
  };
}

ShardedStack::Layer ShardedStack::MakeMultihead(const Scope& scope,
                                                bool of_memory) const {
  AttentionOptions options;
  options.input_size = options_.hidden_size;
  options.output_size = options_.hidden_size;
  options.key_channels = options_.key_channels;
  options.value_channels = options_.value_channels;
  options.heads = options_.heads;
  options.dropout = options_.attention_dropout;
  return [attention = MultiheadAttention(scope, options), of_memory](
             const at::Tensor& x, size_t shard, const ShardMasks& masks,
             nn::Context& context) {
    return of_memory ? attention.MemoryAttention(x, masks.memory.at(shard),
                                                 masks.memory_bias, context)
                     : attention.SelfAttention(x, masks.self_bias, context);
  };
}

ShardedStack::Layer ShardedStack::MakeExperts(const Scope& scope) const {
  if (options_.expert_size < 1) {
    throw UsageError("moe_hidden_sizes with layers of more than one size",
                     "one number", "change it in --hparams");
  }
  MixtureOptions options;
  options.hidden_size = options_.hidden_size;
  options.filter_size = options_.expert_size;
  options.experts = options_.experts;
  options.experts_per_token = options_.experts_per_token;
  options.loss_weight = options_.expert_loss;
  return [layer = std::make_shared<MixtureOfExperts>(scope, options)](
             const at::Tensor& x, size_t, const ShardMasks&,
             nn::Context& context) { return (*layer)(x, context); };
}

void ShardedStack::Mix(Shards* x) const {
  const int64_t mixed = options_.mixed_channels;
  if (mixed == 0) return;
  Shards parts;
  for (const at::Tensor& shard : *x) parts.push_back(shard.narrow(2, 0, mixed));
  const at::Tensor sum =
      SumOf(parts) * std::pow(static_cast<double>(x->size()), -0.5);
  for (at::Tensor& shard : *x) {
    shard =
        at::cat({sum, shard.narrow(2, mixed, options_.hidden_size - mixed)}, 2);
  }
}

Shards ShardedStack::operator()(const Shards& input, const ShardMasks& masks,
                                nn::Context& context) const {
  Shards x = input;
  Shards so_far = input;
  for (const Step& step : steps_) {
    if (step.name == "m") {
      Mix(&x);
      continue;
    }
    for (size_t shard = 0; shard < x.size(); ++shard) {
      if (step.name == "a") {
        so_far[shard] = so_far[shard] + x[shard];
        x[shard] = so_far[shard];
      } else if (step.name == "d") {
        if (context.training) {
          x[shard] = Dropout(x[shard], options_.dropout, context.rng);
        }
      } else {
        x[shard] = step.layers[shard](x[shard], shard, masks, context);
      }
    }
  }
  return x;
}

Shards EmbedInShards(const std::vector<at::Tensor>& tables_VD,
                     const at::Tensor& ids_BL, const Features& features,
                     const std::string& name, bool with_timing,
                     const ShardOptions& options, nn::Context& context) {
  const int64_t size = options.hidden_size;
  at::Tensor timing;
  if (with_timing) {
    const auto packed = features.find(name + "_position");
    timing = packed != features.end() ? TimingSignalAt(packed->second, size)
                                      : TimingSignal(ids_BL.size(1), size);
  }
  Shards x;
  for (const at::Tensor& table_VD : tables_VD) {
    at::Tensor vectors =
        at::embedding(table_VD, ids_BL) * std::sqrt(static_cast<double>(size));
    if (with_timing) vectors = vectors + timing;
    if (context.training) {
      vectors = Dropout(vectors, options.dropout, context.rng);
    }
    x.push_back(vectors);
  }
  return x;
}

at::Tensor CausalShardBias(const at::Tensor& ids_BL, const Features& features) {
  const at::Tensor causal = BiasLowerTriangle(ids_BL.size(1));
  const auto segments = features.find("targets_segmentation");
  if (segments == features.end()) return causal;
  return causal + BiasSameSegment(segments->second, segments->second);
}

at::Tensor ShiftIdsRight(const at::Tensor& ids_BL) {
  return at::constant_pad_nd(ids_BL, {1, 0}).narrow(1, 0, ids_BL.size(1));
}

LossParts SymbolLoss(const at::Tensor& x_BLH, const at::Tensor& softmax_VH,
                     const at::Tensor& ids_BL, double label_smoothing) {
  CheckTargets(ids_BL, softmax_VH.size(0));
  const at::Tensor ids = ids_BL.to(at::kLong).flatten();
  const at::Tensor weights = ids.ne(0).to(at::kFloat);
  LossParts parts;
  parts.numerator =
      FusedCrossEntropy(x_BLH.reshape({-1, x_BLH.size(-1)}), softmax_VH, ids,
                        weights, label_smoothing);
  parts.denominator = weights.sum();
  return parts;
}

Scope ShardScope(const Scope& scope, size_t shard) {
  return scope.Sub("parallel_" + std::to_string(shard));
}

at::Tensor SumOf(const Shards& x) {
  at::Tensor sum = x.front();
  for (size_t i = 1; i < x.size(); ++i) sum = sum + x[i];
  return sum;
}

}  // namespace t2t
