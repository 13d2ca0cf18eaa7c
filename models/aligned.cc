// One stack of layers without a mask, whose output stands where its input does:
// for targets that are aligned with the inputs. The layers are named in hparam
// layers: attention, full or of a window, convolutions, feed-forward layers.
// T2T has it without a paper.
// Shapes: B batch, L length, D hidden_size, H heads.

#include <ATen/ATen.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/all_models.h"
#include "models/encoder_only.h"
#include "models/transformer_layers.h"
#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/model/scheduled_sampling.h"
#include "t2t/model/stacked_model.h"
#include "t2t/nn/attention.h"
#include "t2t/nn/attention_bias.h"
#include "t2t/nn/convolution.h"
#include "t2t/nn/grid_convolution.h"
#include "t2t/nn/norm.h"
#include "t2t/nn/positional.h"
#include "t2t/ops/device.h"
#include "t2t/ops/dropout.h"

namespace t2t {
namespace {

constexpr char kName[] = "aligned";

// [1, 1, L, L]: 0 where a query may look at a key so far behind it, else -1e9.
at::Tensor BiasWhere(
    int64_t length,
    const std::function<at::Tensor(const at::Tensor& query,
                                   const at::Tensor& key)>& sees) {
  const at::Tensor places = at::arange(length, OnDevice(at::kLong));
  return sees(places.unsqueeze(1), places.unsqueeze(0))
             .logical_not()
             .to(at::kFloat)
             .view({1, 1, length, length}) *
         -1e9;
}

// T2T's ffn_expert_fn: no bias, and hidden layers of other sizes are scaled.
class ScaledFeedForward {
 public:
  ScaledFeedForward(const Scope& scope, int64_t size,
                    const std::vector<int64_t>& hidden_sizes)
      : size_(size) {
    int64_t in = size;
    for (size_t i = 0; i <= hidden_sizes.size(); ++i) {
      const int64_t out = i < hidden_sizes.size() ? hidden_sizes[i] : size;
      kernels_.push_back(scope.Param("w_" + std::to_string(i), {in, out}));
      in = out;
    }
  }

  at::Tensor operator()(at::Tensor x) const {
    for (size_t i = 0; i < kernels_.size(); ++i) {
      const int64_t in = kernels_[i].size(0);
      x = at::matmul(x, kernels_[i]);
      if (i + 1 < kernels_.size()) x = at::relu(x);
      if (in != size_) {
        x = x * std::pow(static_cast<double>(in) / static_cast<double>(size_),
                         -0.5);
      }
    }
    return x;
  }

 private:
  int64_t size_;
  std::vector<at::Tensor> kernels_;
};

// T2T's multihead_self_attention_memory_efficient, whose heads' kernels stand
// together and which normalises by itself. (What it spares T2T in memory,
// attention here spares anyway.)
class NormalisedAttention {
 public:
  NormalisedAttention(const Scope& scope, int64_t size, int64_t heads)
      : own_(scope.Sub("multihead_attention")),
        norm_(own_, size),
        all_(own_.Param("wqkv", {heads, 1, size, 3 * (size / heads)},
                        NormalInit(0.0, std::pow(size, -0.5)))),
        out_(own_.Param("wo", {heads, 1, size / heads, size},
                        NormalInit(0.0, std::pow(size, -0.5)))) {
    if (size % heads != 0) {
      throw UsageError("num_heads=" + std::to_string(heads) +
                           " with hidden_size=" + std::to_string(size),
                       "heads of equal sizes", "change them in --hparams");
    }
  }

  at::Tensor operator()(const at::Tensor& x_BLD, const at::Tensor& bias) const {
    const at::Tensor n_B1LD = norm_(x_BLD).unsqueeze(1);
    const auto parts = at::matmul(n_B1LD, all_.squeeze(1)).chunk(3, -1);
    const at::Tensor y_BHLK = at::scaled_dot_product_attention(
        parts[0], parts[1], parts[2],
        bias.defined() ? std::optional<at::Tensor>(bias) : std::nullopt);
    return at::matmul(y_BHLK, out_.squeeze(1)).sum(1);
  }

 private:
  Scope own_;
  nn::NamedLayerNorm norm_;
  at::Tensor all_, out_;
};

struct AlignedConfig {
  static AlignedConfig From(const HParams& hparams);

  std::vector<std::string> layers;
  PrePostOptions preprocess, postprocess;
  AttentionOptions attention;
  int64_t size = 0;
  int64_t max_length = 0;
  int64_t window = 0;
  int64_t kernel_height = 3;
  bool mask_right = false;
  double dropout = 0.0;
  std::vector<int64_t> ffn_sizes;
};

AlignedConfig AlignedConfig::From(const HParams& hparams) {
  RefuseScheduledSampling(hparams);
  AlignedConfig config;
  const std::string& layers = hparams.GetString("layers");
  for (const std::string& name : Split(layers, ',')) {
    if (!name.empty()) config.layers.push_back(name);
  }
  config.size = hparams.GetInt("hidden_size");
  config.max_length = hparams.GetInt("max_length");
  config.window = hparams.GetInt("local_attention_window");
  config.kernel_height = hparams.GetInt("kernel_height");
  config.mask_right = hparams.GetBool("mask_right");
  config.dropout = hparams.GetDouble("layer_prepostprocess_dropout");
  if (config.size < 1 || config.window < 1 || config.kernel_height < 1) {
    throw UsageError(
        "hidden_size, local_attention_window or kernel_height "
        "below 1",
        "1 or more", "change them in --hparams");
  }
  for (const std::string& part :
       Split(hparams.GetString("ffn_hidden_sizes"), ',')) {
    int64_t size = 0;
    if (!ParseInt(part, &size) || size < 1) {
      throw UsageError(
          "ffn_hidden_sizes=" + hparams.GetString("ffn_hidden_sizes"),
          "whole numbers with commas between", "change it in --hparams");
    }
    config.ffn_sizes.push_back(size);
  }
  config.preprocess.dropout = config.dropout;
  config.preprocess.norm_type = hparams.GetString("norm_type");
  config.preprocess.norm_epsilon = hparams.GetDouble("norm_epsilon");
  config.preprocess.depth = config.size;
  config.postprocess = config.preprocess;
  config.preprocess.sequence = hparams.GetString("layer_preprocess_sequence");
  config.postprocess.sequence = hparams.GetString("layer_postprocess_sequence");
  AttentionOptions& attention = config.attention;
  const auto or_size = [&](const char* name) {
    const int64_t channels = hparams.GetInt(name);
    return channels != 0 ? channels : config.size;
  };
  attention.input_size = config.size;
  attention.output_size = config.size;
  attention.key_channels = or_size("attention_key_channels");
  attention.value_channels = or_size("attention_value_channels");
  attention.heads = hparams.GetInt("num_heads");
  attention.dropout = hparams.GetDouble("attention_dropout");
  return config;
}

class Aligned : public EncoderOnlyModel {
 public:
  Aligned(HParams hparams, ProblemInfo info, const ParamOptions& params)
      : EncoderOnlyModel(kName, std::move(hparams), std::move(info), params),
        config_(AlignedConfig::From(hparams_)) {
    RefuseSplitModel(root());
    MakeEnds(root());
    const Scope body = root().Sub("body");
    for (const std::string& name : config_.layers) {
      const Scope scope = body.Sub(name + "_" + std::to_string(steps_.size()));
      Step step;
      // T2T's own parameters' order: what comes before a layer first.
      if (name != "timing" && name != "pos_emb" &&
          name != "att_memory_efficient") {
        step.before.emplace(scope, "layer_prepostprocess", config_.preprocess);
      }
      step.layer = Make(scope, name);
      if (name != "timing" && name != "pos_emb") {
        step.after.emplace(scope, "layer_postprocess", config_.postprocess);
      }
      steps_.push_back(std::move(step));
    }
    last_.emplace(body, "layer_prepostprocess", config_.preprocess);
  }

 protected:
  at::Tensor Body(const Features& features, nn::Context& context) override {
    at::Tensor x_BLD = AsSequence(EmbedInputs(features, context));
    if (context.training) {
      x_BLD = Dropout(x_BLD, config_.dropout, context.rng);
    }
    for (const Step& step : steps_) {
      if (step.before) x_BLD = (*step.before)({}, x_BLD, context);
      const at::Tensor y_BLD = step.layer(x_BLD, context);
      x_BLD = step.after ? (*step.after)(x_BLD, y_BLD, context) : y_BLD;
    }
    x_BLD = (*last_)({}, x_BLD, context);
    const auto targets = features.find("targets");
    return targets == features.end() ? x_BLD
                                     : ToLength(x_BLD, targets->second.size(1));
  }

 private:
  using Layer =
      std::function<at::Tensor(const at::Tensor& x_BLD, nn::Context& context)>;
  // Undefined: all positions are seen.
  using Bias = std::function<at::Tensor(int64_t length)>;
  struct Step {
    std::optional<PrePost> before;
    Layer layer;
    std::optional<PrePost> after;
  };

  Layer Make(const Scope& scope, const std::string& name) const {
    if (name == "timing") {
      return [](const at::Tensor& x, nn::Context&) {
        return x + TimingSignal(x.size(1), x.size(2));
      };
    }
    if (name == "pos_emb") return MakePositions(scope);
    if (name == "conv") {
      ConvOptions conv;
      conv.in = config_.size;
      conv.out = config_.size;
      conv.width = config_.kernel_height;
      conv.kernel_of_two_dimensions = true;
      return
          [layer = Conv1d(scope.Sub("conv2d"), conv)](
              const at::Tensor& x, nn::Context&) { return at::relu(layer(x)); };
    }
    if (name == "ffn") {
      return
          [layer = ScaledFeedForward(scope, config_.size, config_.ffn_sizes)](
              const at::Tensor& x, nn::Context&) { return layer(x); };
    }
    if (name == "att_memory_efficient") {
      return [layer = NormalisedAttention(scope, config_.size,
                                          config_.attention.heads),
              bias = FullBias()](const at::Tensor& x, nn::Context&) {
        return layer(x, bias(x.size(1)));
      };
    }
    if (name == "att") return MakeAttention(scope, FullBias());
    if (name == "att_local") return MakeAttention(scope, BlockBias());
    if (name == "att_pseudolocal") return MakeAttention(scope, WindowBias());
    throw UsageError("layer '" + name + "' in layers with the model " + kName,
                     "timing, pos_emb, conv, ffn, att, att_local, "
                     "att_pseudolocal or att_memory_efficient",
                     "change --hparams=layers=...");
  }

  Layer MakePositions(const Scope& scope) const {
    if (config_.max_length < 1) {
      throw UsageError(
          "layer pos_emb with max_length=" + std::to_string(config_.max_length),
          "the number of positions to learn", "set --hparams=max_length=1024");
    }
    const double scale = std::sqrt(static_cast<double>(config_.size));
    const at::Tensor table =
        scope.Param("pos_emb_0", {1, config_.max_length, config_.size},
                    NormalInit(0.0, 1.0 / scale));
    return [table, scale](const at::Tensor& x, nn::Context&) {
      return x + PositionalEmbedding(table.squeeze(0), x.size(1)) * scale;
    };
  }

  Layer MakeAttention(const Scope& scope, const Bias& bias) const {
    return [attention =
                std::make_shared<MultiheadAttention>(scope, config_.attention),
            bias](const at::Tensor& x, nn::Context& context) {
      return attention->SelfAttention(x, bias(x.size(1)), context);
    };
  }

  Bias FullBias() const {
    return [masked = config_.mask_right](int64_t length) {
      return masked ? BiasLowerTriangle(length) : at::Tensor();
    };
  }

  // What T2T's local attention sees: its own block and the ones beside it, of
  // so many positions each; or, masked, what came before in its own block and
  // the one before.
  Bias BlockBias() const {
    return [w = config_.window, masked = config_.mask_right](int64_t length) {
      return BiasWhere(
          length, [&](const at::Tensor& query, const at::Tensor& key) {
            const at::Tensor blocks =
                at::div(query, w, "floor") - at::div(key, w, "floor");
            return masked ? blocks.le(1).logical_and(key.le(query))
                          : blocks.abs().le(1);
          });
    };
  }

  // So many positions before and, unmasked, after it.
  Bias WindowBias() const {
    return [w = config_.window, masked = config_.mask_right](int64_t length) {
      return BiasWhere(
          length, [&](const at::Tensor& query, const at::Tensor& key) {
            const at::Tensor behind = query - key;
            return behind.le(w).logical_and(behind.ge(masked ? 0 : -w));
          });
    };
  }

  const AlignedConfig config_;
  std::vector<Step> steps_;
  std::optional<PrePost> last_;
};

}  // namespace

void RegisterAligned(ModelRegistry& models) {
  AddModel<Aligned>(models, kName);
}

}  // namespace t2t
