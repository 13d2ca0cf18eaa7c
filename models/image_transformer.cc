// The Image Transformer. Parmar et al. 2018, "Image Transformer",
// arXiv:1802.05751: a decoder over an image's numbers, row by row or block by
// block, with local attention in one dimension or two. Out of it come the
// logits of each number, or mixtures of logistics (Salimans et al. 2017,
// "PixelCNN++", arXiv:1701.05517).
// Shapes: B batch, H height, W width, C channels, S a row's numbers (or
// pixels), L H * S, D hidden_size, M mixtures.

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/all_models.h"
#include "models/image_layers.h"
#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/hparams/values_or.h"
#include "t2t/model/scheduled_sampling.h"
#include "t2t/model/stacked_model.h"
#include "t2t/nn/conv_transition.h"
#include "t2t/nn/dense.h"

namespace t2t {
namespace {

constexpr int64_t kRgb = 3;

struct Config {
  static Config FromHParams(const HParams &hparams, const std::string &model);

  ImageConfig image;
  bool mixture = false;  // of logistics; a pixel is one vector then
  int64_t mixtures = 0;
  bool conditional = true;  // on the inputs
};

Config Config::FromHParams(const HParams &hparams, const std::string &model) {
  Config config;
  config.image = ImageConfig::FromHParams(hparams, model);
  config.mixture = StringOr(hparams, "likelihood", "cat") == "dmol";
  config.mixtures = IntOr(hparams, "num_mixtures", 0);
  const bool compresses = StringOr(hparams, "bottom", "") ==
                          "targets:image_channel_compress_targets_bottom";
  if (config.mixture != compresses ||
      (compresses && config.image.channels != 1)) {
    RefuseImageHParam(hparams, model, "likelihood",
                      "cat, or dmol with num_channels=1 and "
                      "bottom=targets:image_channel_compress_targets_bottom");
  }
  config.conditional = !hparams.GetBool("unconditional");
  return config;
}

// The negative logarithm of an image's probability [B, H, W] under mixtures of
// logistics [B, H, W, 10 M]; each pixel's green depends on its red, its blue on
// both.
at::Tensor MixtureLoss(const at::Tensor &mixtures, const at::Tensor &ids) {
  const at::Tensor x =
      (ids.to(at::kFloat) / 127.5 - 1.0).unsqueeze(3);  // [B, H, W, 1, 3]
  const int64_t count = mixtures.size(-1) / 10;
  const std::vector<at::Tensor> parts = mixtures.split_with_sizes(
      {count, kRgb * count, kRgb * count, kRgb * count}, -1);
  const auto of_channels = [&](const at::Tensor &part) {
    return part.unflatten(-1, {count, kRgb});
  };
  const at::Tensor log_scale = of_channels(parts[2]).clamp_min(-7.0);
  const std::vector<at::Tensor> mean = of_channels(parts[1]).unbind(-1);
  const std::vector<at::Tensor> share =
      at::tanh(of_channels(parts[3])).unbind(-1);
  const at::Tensor red = x.select(-1, 0);
  const at::Tensor green = x.select(-1, 1);
  const at::Tensor means =
      at::stack({mean[0], mean[1] + share[0] * red,
                 mean[2] + share[1] * red + share[2] * green},
                -1);
  const at::Tensor centred = x - means;  // [B, H, W, M, 3]
  const at::Tensor sharpness = at::exp(-log_scale);
  const at::Tensor upper = sharpness * (centred + 1.0 / 255.0);
  const at::Tensor lower = sharpness * (centred - 1.0 / 255.0);
  const at::Tensor middle = sharpness * centred;
  const at::Tensor probability =
      (at::sigmoid(upper) - at::sigmoid(lower)).clamp_min(1e-12);
  // Where a level's probability is too small to tell, its density.
  const at::Tensor inner = at::where(
      probability.gt(1e-5), at::log(probability),
      middle - log_scale - 2.0 * at::softplus(middle) - std::log(127.5));
  const at::Tensor wide = x.expand_as(centred);
  const at::Tensor of_channel =
      at::where(wide.lt(-0.999), upper - at::softplus(upper),
                at::where(wide.gt(0.999), -at::softplus(lower), inner));
  return -at::logsumexp(of_channel.sum(-1) + at::log_softmax(parts[0], -1), -1);
}

class ImageTransformer : public Model {
 public:
  ImageTransformer(const HParams &hparams, const ProblemInfo &info,
                   const ParamOptions &params)
      : ImageTransformer("imagetransformer", hparams, info, params,
                         Config::FromHParams(hparams, "imagetransformer")) {}

 protected:
  ImageTransformer(const std::string &name, const HParams &hparams,
                   const ProblemInfo &info, const ParamOptions &params,
                   const Config &config,
                   const MakeImageTransition &make_transition = nullptr)
      : Model(hparams, info, params), config_(config) {
    RefuseScheduledSampling(hparams_);
    const Scope root(&params_, name, DefaultInitializer(hparams_));
    RefuseSplitModel(root);
    MakeBottoms(root);
    const Scope body = root.Sub("body");
    decoder_.emplace(body, config_.image, /*has_memory=*/false,
                     make_transition);
    top_ =
        Dense(body.Sub("output_conv"), config_.image.layer.sequence.hidden_size,
              config_.mixture ? 10 * config_.mixtures : kLevels,
              /*use_bias=*/!config_.mixture);
  }

  // [B, H, W, C, D], or [B, H, W, D] where a pixel is one vector. While it
  // decodes, the numbers so far are a sequence: [B, length, D].
  at::Tensor Body(const Features &features, nn::Context &context) override {
    const at::Tensor &targets = RequiredFeature(features, "targets");
    const bool sequence = targets.dim() == 2;
    if (sequence && config_.mixture) {
      throw UsageError("decoding with likelihood=dmol", "likelihood=cat",
                       "such a model can only be trained and evaluated");
    }
    const at::Tensor given =
        config_.conditional
            ? inputs_->Bottom(RequiredFeature(features, "inputs"), context)
            : at::Tensor();
    const at::Tensor y_BHSD =
        (*decoder_)(Embed(sequence ? decoder_->AsImage(targets) : targets),
                    given, /*memory_BMD=*/{}, context);
    if (sequence) return decoder_->InOrder(y_BHSD, targets.size(1));
    return config_.mixture ? y_BHSD
                           : y_BHSD.unflatten(2, {-1, config_.image.channels});
  }

  at::Tensor Top(const at::Tensor &body_output) const override {
    return top_(body_output);
  }

  LossParts TargetLoss(const Features &features,
                       nn::Context &context) override {
    const at::Tensor logits = Top(RunBody(features, context));
    const at::Tensor &targets = RequiredFeature(features, "targets");
    if (!config_.mixture) {
      return LevelLoss(
          logits, targets, info_,
          context.training ? hparams_.GetDouble("label_smoothing") : 0.0);
    }
    // Of each number, in nats: a third of a pixel's.
    const at::Tensor losses = MixtureLoss(logits, targets) / 3.0;
    LossParts parts;
    parts.numerator = losses.sum();
    parts.denominator =
        at::full({}, static_cast<double>(losses.numel()), losses.options());
    return parts;
  }

 private:
  void MakeBottoms(const Scope &root) {
    const int64_t size = config_.image.layer.sequence.hidden_size;
    if (config_.conditional && !info_.has_inputs()) {
      throw UsageError("problem '" + info_.name + "' has no inputs",
                       "one with inputs, or a model of images alone",
                       "set --hparams=unconditional=True");
    }
    // T2T makes the inputs' modality in either case.
    if (info_.has_inputs()) {
      inputs_ = MakeModality(root, info_.features.at("inputs"), hparams_,
                             Side::kInputs);
    }
    const Scope own =
        ImageModalityScope(root, info_.features.at("targets"), size);
    if (config_.mixture) {
      const Scope convolution = own.Sub("output_bottom").Sub("conv_input");
      compression_ = convolution.Param("kernel", {1, kRgb, 1, size});
      compression_bias_ = convolution.Param("bias", {size}, ZerosInit());
      return;
    }
    const bool named =
        StringOr(hparams_, "bottom", "") == "targets:targets_bottom";
    embedding_.emplace(named ? own.Sub("targets_bottom") : own,
                       config_.image.channels, size);
  }

  // ids [B, H, W, C] -> [B, H, S, D].
  at::Tensor Embed(const at::Tensor &ids) const {
    if (embedding_) return (*embedding_)(ids);
    const at::Tensor pixels = ids.to(at::kFloat) / 127.5 - 1.0;
    return at::relu(
        at::linear(pixels, compression_.view({kRgb, compression_.size(3)}).t(),
                   compression_bias_));
  }

  Config config_;
  std::unique_ptr<Modality> inputs_;
  std::optional<ChannelEmbedding> embedding_;  // one of these two
  at::Tensor compression_, compression_bias_;
  std::optional<ImageDecoder> decoder_;
  Dense top_;
};

class ImageTransformer2d : public ImageTransformer {
 public:
  ImageTransformer2d(const HParams &hparams, const ProblemInfo &info,
                     const ParamOptions &params)
      : ImageTransformer("imagetransformer2d", hparams, info, params,
                         Config::FromHParams(hparams, "imagetransformer2d")) {}
};

// Layers of moe_layers_decoder have experts in place of one feed-forward layer:
// Shazeer et al. 2017, arXiv:1701.06538. T2T 1.15's own calls functions that
// its common_image_attention has lost; this is what they did, under the names
// that experts have here.
class ImageTransformerMoe : public ImageTransformer {
 public:
  ImageTransformerMoe(const HParams &hparams, const ProblemInfo &info,
                      const ParamOptions &params)
      : ImageTransformer("imagetransformer_moe", hparams, info, params,
                         ConfigOf(hparams), Experts(hparams)) {}

 private:
  static Config ConfigOf(const HParams &hparams) {
    Config config = Config::FromHParams(hparams, "imagetransformer_moe");
    config.image.layer.decoder_layers = hparams.GetInt("num_hidden_layers");
    return config;
  }

  static MakeImageTransition Experts(const HParams &hparams) {
    std::vector<int64_t> layers;
    for (const std::string &text :
         Split(StringOr(hparams, "moe_layers_decoder", ""), ',')) {
      int64_t layer = 0;
      if (text.empty()) continue;
      if (!ParseInt(text, &layer)) {
        RefuseImageHParam(hparams, "imagetransformer_moe", "moe_layers_decoder",
                          "layers by number, with commas between");
      }
      layers.push_back(layer);
    }
    int64_t size = 0;
    if (!ParseInt(hparams.GetString("moe_hidden_sizes"), &size) || size < 1) {
      RefuseImageHParam(hparams, "imagetransformer_moe", "moe_hidden_sizes",
                        "one number: each expert has one hidden layer");
    }
    const MixtureOptions experts = {
        hparams.GetInt("hidden_size"), size, hparams.GetInt("moe_num_experts"),
        hparams.GetInt("moe_k"), hparams.GetDouble("moe_loss_coef")};
    return [=](const Scope &scope, int64_t layer) -> nn::SublayerPtr {
      if (std::find(layers.begin(), layers.end(), layer) == layers.end()) {
        return nullptr;
      }
      return std::make_shared<nn::ExpertTransition>(scope, experts);
    };
  }
};

}  // namespace

void RegisterImageTransformer(ModelRegistry &models) {
  AddModel<ImageTransformer>(models, "imagetransformer");
  AddModel<ImageTransformer2d>(models, "imagetransformer2d");
  AddModel<ImageTransformerMoe>(models, "imagetransformer_moe");
}

}  // namespace t2t
