// The Image Transformer. Parmar et al. 2018, "Image Transformer",
// arXiv:1802.05751: a decoder over an image's numbers, row by row, with local
// attention in one dimension. Out of it come the logits of each number, or
// mixtures of logistics (Salimans et al. 2017, "PixelCNN++",
// arXiv:1701.05517).
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
#include "models/transformer_config.h"
#include "models/transformer_layers.h"
#include "t2t/base/error.h"
#include "t2t/hparams/values_or.h"
#include "t2t/model/scheduled_sampling.h"
#include "t2t/model/stacked_model.h"
#include "t2t/nn/dense.h"
#include "t2t/nn/positional.h"
#include "t2t/ops/cross_entropy.h"
#include "t2t/ops/dropout.h"
#include "t2t/problem/modality_traits.h"

namespace t2t {
namespace {

constexpr int64_t kLevels = 256;
constexpr int64_t kRgb = 3;

[[noreturn]] void Refuse(const HParams& hparams, const std::string& name,
                         const std::string& expected) {
  throw UsageError(name + "=" + HParams::ValueToString(hparams.Get(name)) +
                       " in the model imagetransformer",
                   expected, "change --hparams=" + name + "=...");
}

struct ImageConfig {
  static ImageConfig FromHParams(const HParams& hparams);

  TransformerConfig layer;
  int64_t layers = 0;
  int64_t width = 0;     // of an image, in pixels
  int64_t channels = 0;  // numbers of a pixel that have positions of their own
  bool mixture = false;  // of logistics
  int64_t mixtures = 0;
  bool compresses = false;     // a pixel is one vector
  bool conditional = true;     // on the inputs
  int64_t position_table = 0;  // its length; 0: sines and cosines
};

ImageConfig ImageConfig::FromHParams(const HParams& hparams) {
  ImageConfig config;
  HParams layer = hparams;
  layer.Set("pos", std::string("none"));  // of two dimensions here
  config.layer = TransformerConfig::FromHParams(layer);
  config.layers = config.layer.decoder_layers;
  AttentionOptions& attention = config.layer.self_attention;
  const std::string type = hparams.GetString("dec_attention_type");
  if (type != "local_1d" && type != "rel_local_1d") {
    Refuse(hparams, "dec_attention_type", "local_1d or rel_local_1d");
  }
  attention.type =
      type == "local_1d" ? "local_mask_right" : "local_relative_mask_right";
  attention.heads_share_relative_embedding =
      BoolOr(hparams, "shared_rel", false);
  attention.local_block = hparams.GetInt("block_length");
  attention.name = "self_attention";
  if (config.layer.ffn.type != "conv_hidden_relu") {
    Refuse(hparams, "ffn_layer", "conv_hidden_relu");
  }
  for (const char* name : {"q_filter_width", "kv_filter_width"}) {
    if (IntOr(hparams, name, 1) != 1) Refuse(hparams, name, "1");
  }
  if (BoolOr(hparams, "block_raster_scan", false)) {
    Refuse(hparams, "block_raster_scan", "False");
  }
  config.width = hparams.GetInt("img_len");
  config.channels = hparams.GetInt("num_channels");
  config.mixture = hparams.GetString("likelihood") == "dmol";
  config.mixtures = hparams.GetInt("num_mixtures");
  config.compresses = StringOr(hparams, "bottom", "") ==
                      "targets:image_channel_compress_targets_bottom";
  if (config.mixture != config.compresses ||
      (config.compresses && config.channels != 1)) {
    Refuse(hparams, "likelihood",
           "cat, or dmol with num_channels=1 and "
           "bottom=targets:image_channel_compress_targets_bottom");
  }
  config.conditional = !hparams.GetBool("unconditional");
  if (hparams.GetString("pos") == "emb") {
    config.position_table = hparams.GetInt("max_length");
  }
  return config;
}

// What tells rows and columns apart: T2T's add_timing_signal_nd and
// add_positional_embedding_nd.
class GridPositions {
 public:
  GridPositions(const Scope& scope, int64_t table, int64_t size) : size_(size) {
    if (table == 0) return;
    const Initializer init =
        NormalInit(0.0, 1.0 / std::sqrt(static_cast<double>(size)));
    rows_ = scope.Param("dec_pos_0", {1, table, 1, size}, init);
    columns_ = scope.Param("dec_pos_1", {1, 1, table, size}, init);
  }

  at::Tensor AddTo(const at::Tensor& x_BHSD) const {
    const int64_t height = x_BHSD.size(1);
    const int64_t width = x_BHSD.size(2);
    if (!rows_.defined()) {
      const int64_t half = size_ / 4 * 2;
      const at::Tensor rows = TimingSignal(height, half).unsqueeze(2);
      const at::Tensor columns = TimingSignal(width, half).unsqueeze(1);
      return x_BHSD + at::constant_pad_nd(rows, {0, size_ - half}) +
             at::constant_pad_nd(columns, {half, size_ - 2 * half});
    }
    const int64_t longest = std::max(height, width);
    if (longest > rows_.size(1)) {
      throw UsageError("rows or columns of " + std::to_string(longest),
                       "at most " + std::to_string(rows_.size(1)),
                       "change --hparams=max_length=...");
    }
    const double scale = std::sqrt(static_cast<double>(size_));
    return x_BHSD + rows_.narrow(1, 0, height) * scale +
           columns_.narrow(2, 0, width) * scale;
  }

 private:
  int64_t size_;
  at::Tensor rows_, columns_;
};

// The negative logarithm of an image's probability [B, H, W] under mixtures of
// logistics [B, H, W, 10 M]; each pixel's green depends on its red, its blue on
// both.
at::Tensor MixtureLoss(const at::Tensor& mixtures, const at::Tensor& ids) {
  const at::Tensor x =
      (ids.to(at::kFloat) / 127.5 - 1.0).unsqueeze(3);  // [B, H, W, 1, 3]
  const int64_t count = mixtures.size(-1) / 10;
  const std::vector<at::Tensor> parts = mixtures.split_with_sizes(
      {count, kRgb * count, kRgb * count, kRgb * count}, -1);
  const auto of_channels = [&](const at::Tensor& part) {
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
  ImageTransformer(HParams hparams, ProblemInfo info,
                   const ParamOptions& params)
      : Model(std::move(hparams), std::move(info), params),
        config_(ImageConfig::FromHParams(hparams_)) {
    RefuseScheduledSampling(hparams_);
    const Scope root(&params_, "imagetransformer",
                     DefaultInitializer(hparams_));
    RefuseSplitModel(root);
    MakeBottoms(root);
    const int64_t size = config_.layer.sequence.hidden_size;
    const Scope body = root.Sub("body");
    positions_.emplace(body.Sub("dec_pos"), config_.position_table, size);
    for (int64_t i = 0; i < config_.layers; ++i) {
      decoder_.blocks.push_back(
          DecoderLayer(body.Sub("decoder_layer_" + std::to_string(i))));
    }
    decoder_.last.emplace(body, "layer_prepostprocess",
                          config_.layer.preprocess);
    top_ = Dense(body.Sub("output_conv"), size,
                 config_.mixture ? 10 * config_.mixtures : kLevels,
                 /*use_bias=*/!config_.mixture);
  }

 protected:
  // [B, H, W, C, D], or [B, H, W, D] where a pixel is one vector. While it
  // decodes, the numbers so far are a sequence: [B, length, D].
  at::Tensor Body(const Features& features, nn::Context& context) override {
    const at::Tensor& targets = RequiredFeature(features, "targets");
    const bool sequence = targets.dim() == 2;
    if (sequence && config_.mixture) {
      throw UsageError("decoding with likelihood=dmol", "likelihood=cat",
                       "such a model can only be trained and evaluated");
    }
    at::Tensor x_BHSD = Embed(sequence ? Rows(targets) : targets);
    const std::vector<int64_t> shape = x_BHSD.sizes().vec();
    x_BHSD = ShiftRight(x_BHSD.flatten(1, 2)).view(shape);
    x_BHSD = positions_->AddTo(x_BHSD);
    if (config_.conditional) {
      const at::Tensor given =
          inputs_->Bottom(RequiredFeature(features, "inputs"), context);
      x_BHSD = x_BHSD + given.reshape({shape[0], 1, 1, shape[3]});
    }
    at::Tensor x_BLD = x_BHSD.flatten(1, 2);
    if (context.training) {
      x_BLD = Dropout(x_BLD, config_.layer.sequence.dropout, context.rng);
    }
    nn::WholeRows rows;
    rows.length = x_BLD.size(1);
    nn::Pass pass(&context, /*causal=*/true, &rows);
    const at::Tensor y_BLD = decoder_(x_BLD, pass);
    if (sequence) return ToLength(y_BLD, targets.size(1));
    const at::Tensor y_BHSD = y_BLD.view(shape);
    return config_.mixture ? y_BHSD
                           : y_BHSD.unflatten(2, {-1, config_.channels});
  }

  at::Tensor Top(const at::Tensor& body_output) const override {
    return top_(body_output);
  }

  LossParts TargetLoss(const Features& features,
                       nn::Context& context) override {
    const at::Tensor logits = Top(RunBody(features, context));
    const at::Tensor& targets = RequiredFeature(features, "targets");
    LossParts parts;
    if (config_.mixture) {
      // Of each number, in nats: a third of a pixel's.
      const at::Tensor losses = MixtureLoss(logits, targets) / 3.0;
      parts.numerator = losses.sum();
      parts.denominator =
          at::full({}, static_cast<double>(losses.numel()), losses.options());
      return parts;
    }
    const bool nonzero = TraitsOfModality(info_.features.at("targets").modality)
                             .padding_weighs_nothing;
    const at::Tensor weights =
        (nonzero ? targets.ne(0) : at::ones_like(targets)).to(at::kFloat);
    const double smoothing =
        context.training ? hparams_.GetDouble("label_smoothing") : 0.0;
    parts.numerator =
        (SmoothedCrossEntropy(logits, targets, smoothing) * weights).sum();
    parts.denominator = weights.sum();
    return parts;
  }

 private:
  void MakeBottoms(const Scope& root) {
    const int64_t size = config_.layer.sequence.hidden_size;
    if (config_.conditional) {
      if (!info_.has_inputs()) {
        throw UsageError("problem '" + info_.name + "' has no inputs",
                         "one with inputs, or a model of images alone",
                         "set --hparams=unconditional=True");
      }
    }
    // T2T makes the inputs' modality in either case.
    if (info_.has_inputs()) {
      inputs_ = MakeModality(root, info_.features.at("inputs"), hparams_,
                             Side::kInputs);
    }
    const FeatureInfo& targets = info_.features.at("targets");
    const Scope own =
        root.Sub(targets.modality == "symbol"
                     ? "symbol_modality_" + std::to_string(targets.vocab_size) +
                           "_" + std::to_string(size)
                     : targets.modality + "_modality");
    if (config_.compresses) {
      const Scope convolution = own.Sub("output_bottom").Sub("conv_input");
      bottom_ = convolution.Param("kernel", {1, kRgb, 1, size});
      bottom_bias_ = convolution.Param("bias", {size}, ZerosInit());
    } else {
      bottom_ = own.Param("rgb_target_emb_input_bottom",
                          {kLevels * config_.channels, size});
    }
  }

  nn::Block DecoderLayer(const Scope& scope) const {
    const TransformerConfig& config = config_.layer;
    const auto residual = [&](nn::SublayerPtr sublayer,
                              const std::string& number) {
      return nn::Residual{
          PrePost(scope, "layer_prepostprocess" + number, config.preprocess),
          std::move(sublayer),
          PrePost(scope, "layer_postprocess" + number, config.postprocess)};
    };
    return nn::Block(
        {residual(std::make_shared<nn::SelfAttention>(
                      scope.Sub("local_1d_self_att"), config.self_attention),
                  ""),
         residual(
             std::make_shared<nn::Transition>(scope.Sub("ffn"), config.ffn),
             "_1")});
  }

  // ids [B, H, W, C] -> [B, H, S, D].
  at::Tensor Embed(const at::Tensor& ids) const {
    const int64_t size = config_.layer.sequence.hidden_size;
    if (config_.compresses) {
      const at::Tensor pixels = ids.to(at::kFloat) / 127.5 - 1.0;
      return at::relu(
          at::linear(pixels, bottom_.view({kRgb, size}).t(), bottom_bias_));
    }
    // Each channel has a table of its own.
    const at::Tensor table =
        at::arange(config_.channels, ids.options()) * kLevels;
    return (at::embedding(bottom_, ids + table) *
            std::sqrt(static_cast<double>(size)))
        .flatten(2, 3);
  }

  // The numbers so far [B, length] as whole rows of an image.
  at::Tensor Rows(const at::Tensor& ids) const {
    const int64_t row = config_.width * config_.channels;
    const int64_t rows = (ids.size(1) + row - 1) / row;
    return ToLength(ids, rows * row)
        .view({ids.size(0), rows, config_.width, config_.channels});
  }

  ImageConfig config_;
  std::unique_ptr<Modality> inputs_;
  at::Tensor bottom_, bottom_bias_;
  std::optional<GridPositions> positions_;
  nn::Stack decoder_;
  Dense top_;
};

}  // namespace

void RegisterImageTransformer(ModelRegistry& models) {
  AddModel<ImageTransformer>(models, "imagetransformer");
}

}  // namespace t2t
