#include "models/image_layers.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "models/transformer_layers.h"
#include "t2t/base/error.h"
#include "t2t/hparams/values_or.h"
#include "t2t/nn/positional.h"
#include "t2t/ops/cross_entropy.h"
#include "t2t/ops/dropout.h"
#include "t2t/problem/modality_traits.h"

namespace t2t {
namespace {

using Attention = ImageConfig::Attention;

nn::GridPattern ReadGrid(const HParams& hparams, const std::string& model) {
  const std::vector<int64_t> block = hparams.GetInts("query_shape");
  const std::vector<int64_t> flange = hparams.GetInts("memory_flange");
  if (block.size() != 2) {
    RefuseImageHParam(hparams, model, "query_shape", "height and width");
  }
  if (flange.size() != 2) {
    RefuseImageHParam(hparams, model, "memory_flange", "above and beside");
  }
  nn::GridPattern grid = {{block[0], block[1]}, flange[0], flange[1], true};
  nn::CheckGridPattern(grid);
  return grid;
}

// A layer of sequences over a grid, row by row.
class RowByRow : public nn::Sublayer {
 public:
  explicit RowByRow(nn::SublayerPtr layer) : layer_(std::move(layer)) {}

  at::Tensor operator()(const at::Tensor& x_BHSD,
                        nn::Pass& pass) const override {
    return (*layer_)(x_BHSD.flatten(1, 2), pass).view(x_BHSD.sizes());
  }

 private:
  nn::SublayerPtr layer_;
};

// T2T's dilated attention: each layer has gaps of its own.
std::vector<int64_t> ReadGaps(const HParams& hparams, const std::string& model,
                              int64_t layers) {
  std::vector<int64_t> gaps = hparams.GetInts("gap_sizes");
  if (static_cast<int64_t>(gaps.size()) != layers ||
      std::any_of(gaps.begin(), gaps.end(), [](int64_t g) { return g < 0; })) {
    RefuseImageHParam(
        hparams, model, "gap_sizes",
        std::to_string(layers) + " numbers from 0 up, one for each layer");
  }
  return gaps;
}

void ReadAttention(const HParams& hparams, const std::string& model,
                   ImageConfig* config) {
  AttentionOptions& attention = config->layer.self_attention;
  attention.type = "local_mask_right";
  attention.heads_share_relative_embedding =
      BoolOr(hparams, "shared_rel", false);
  attention.local.block = hparams.GetInt("block_length");
  attention.local.width = hparams.GetInt("block_width");
  const std::string decoder = hparams.GetString("dec_attention_type");
  if (decoder == "rel_local_1d") {
    attention.type = "local_relative_mask_right";
  } else if (decoder == "local_2d") {
    config->decoder_attention = Attention::kLocal2d;
  } else if (decoder == "dilated") {
    config->decoder_attention = Attention::kDilated;
    config->gaps = ReadGaps(hparams, model, config->layer.decoder_layers);
    attention.local.stretches = hparams.GetInt("num_memory_blocks");
  } else if (decoder != "local_1d" && decoder != "moe_local1d") {
    RefuseImageHParam(hparams, model, "dec_attention_type",
                      "local_1d, rel_local_1d, local_2d or dilated");
  }
  const std::string encoder = StringOr(hparams, "enc_attention_type", "global");
  if (encoder == "local_1d") config->encoder_attention = Attention::kLocal1d;
  if (encoder == "local_2d") config->encoder_attention = Attention::kLocal2d;
  if (config->encoder_attention == Attention::kGlobal && encoder != "global") {
    RefuseImageHParam(hparams, model, "enc_attention_type",
                      "global, local_1d or local_2d");
  }
  if (config->decoder_attention == Attention::kLocal2d ||
      config->encoder_attention == Attention::kLocal2d) {
    config->grid = ReadGrid(hparams, model);
  }
  config->filters = {IntOr(hparams, "q_filter_width", 1),
                     IntOr(hparams, "kv_filter_width", 1)};
}

nn::SublayerPtr MakeSelfAttention(const Scope& scope, Attention kind,
                                  bool causal, int64_t layer,
                                  const ImageConfig& config) {
  AttentionOptions options = config.layer.self_attention;
  if (kind == Attention::kLocal2d) {
    nn::GridPattern grid = config.grid;
    grid.causal = causal;
    return std::make_shared<nn::GridSelfAttention>(
        scope.Sub("local_2d_self_att").Sub("self_attention"),
        nn::GridAttentionOptions{options.input_size, options.key_channels,
                                 options.value_channels, options.heads, grid});
  }
  Scope own = scope.Sub("local_1d_self_att");
  options.name = "self_attention";
  if (kind == Attention::kGlobal) {
    own = scope.Sub("self_att");
    options.name = "self_att";
    options.type = "dot_product";
  } else if (kind == Attention::kDilated) {
    own = scope.Sub("masked_dilated_1d");
    options.type = "masked_dilated_1d";
    options.local.gap = config.gaps[static_cast<size_t>(layer)];
  } else if (!causal) {
    options.type = "local_unmasked";
  }
  // T2T's encoders and its attention in two dimensions have no filters.
  if (causal && (config.filters.query != 1 || config.filters.memory != 1)) {
    return std::make_shared<RowByRow>(
        std::make_shared<nn::FilteredSelfAttention>(own, options,
                                                    config.filters));
  }
  return std::make_shared<RowByRow>(
      std::make_shared<nn::SelfAttention>(own, options));
}

nn::SublayerPtr MakeTransition(const Scope& scope, const ImageConfig& config) {
  // Row by row, since positions of a sequence contend for experts.
  return std::make_shared<RowByRow>(
      std::make_shared<nn::Transition>(scope.Sub("ffn"), config.layer.ffn));
}

// A layer's sublayers; T2T numbers the norms around them.
class LayerMaker {
 public:
  LayerMaker(const Scope& scope, const TransformerConfig& config)
      : scope_(scope), config_(config) {}

  void Add(nn::SublayerPtr sublayer) {
    const std::string number =
        residuals_.empty() ? "" : "_" + std::to_string(residuals_.size());
    residuals_.push_back(nn::Residual{
        PrePost(scope_, "layer_prepostprocess" + number, config_.preprocess),
        std::move(sublayer),
        PrePost(scope_, "layer_postprocess" + number, config_.postprocess)});
  }
  nn::Block Done() { return nn::Block(std::move(residuals_)); }

 private:
  const Scope scope_;
  const TransformerConfig& config_;
  std::vector<nn::Residual> residuals_;
};

nn::Stack MakeEncoderLayers(const Scope& body, const ImageConfig& config) {
  nn::Stack stack;
  for (int64_t i = 0; i < config.layer.encoder_layers; ++i) {
    const Scope scope = body.Sub("encoder_layer_" + std::to_string(i));
    LayerMaker layer(scope, config.layer);
    layer.Add(MakeSelfAttention(scope, config.encoder_attention,
                                /*causal=*/false, i, config));
    layer.Add(
        std::make_shared<nn::Transition>(scope.Sub("ffn"), config.layer.ffn));
    stack.blocks.push_back(layer.Done());
  }
  stack.last.emplace(body, "layer_prepostprocess", config.layer.preprocess);
  return stack;
}

nn::Stack MakeDecoderLayers(const Scope& body, const ImageConfig& config,
                            bool has_memory,
                            const MakeImageTransition& make_transition) {
  nn::Stack stack;
  for (int64_t i = 0; i < config.layer.decoder_layers; ++i) {
    const Scope scope = body.Sub("decoder_layer_" + std::to_string(i));
    LayerMaker layer(scope, config.layer);
    layer.Add(MakeSelfAttention(scope, config.decoder_attention,
                                /*causal=*/true, i, config));
    if (has_memory) {
      AttentionOptions options = config.layer.memory_attention;
      options.name = "encdec_attention";
      layer.Add(
          std::make_shared<RowByRow>(std::make_shared<nn::MemoryAttention>(
              scope.Sub("encdec_attention"), options)));
    }
    const nn::SublayerPtr own =
        make_transition ? make_transition(scope.Sub("ffn"), i) : nullptr;
    layer.Add(own != nullptr ? std::make_shared<RowByRow>(own)
                             : MakeTransition(scope, config));
    stack.blocks.push_back(layer.Done());
  }
  stack.last.emplace(
      body, has_memory ? "layer_prepostprocess_1" : "layer_prepostprocess",
      config.layer.preprocess);
  return stack;
}

}  // namespace

void RefuseImageHParam(const HParams& hparams, const std::string& model,
                       const std::string& name, const std::string& expected) {
  throw UsageError(name + "=" + HParams::ValueToString(hparams.Get(name)) +
                       " in the model " + model,
                   expected, "change --hparams=" + name + "=...");
}

ImageConfig ImageConfig::FromHParams(const HParams& hparams,
                                     const std::string& model) {
  ImageConfig config;
  HParams layer = hparams;
  layer.Set("pos", std::string("none"));  // of two dimensions here
  config.layer = TransformerConfig::FromHParams(layer);
  ReadAttention(hparams, model, &config);
  if (config.layer.ffn.type != "conv_hidden_relu" &&
      config.layer.ffn.type != "local_moe_tpu") {
    RefuseImageHParam(hparams, model, "ffn_layer",
                      "conv_hidden_relu or local_moe_tpu");
  }
  config.block_order = BoolOr(hparams, "block_raster_scan", false);
  if (config.block_order && config.decoder_attention != Attention::kLocal2d) {
    RefuseImageHParam(hparams, model, "block_raster_scan",
                      "False, or dec_attention_type=local_2d");
  }
  config.width = hparams.GetInt("img_len");
  config.channels = hparams.GetInt("num_channels");
  for (const char* const name : {"img_len", "num_channels"}) {
    if (hparams.GetInt(name) < 1) {
      RefuseImageHParam(hparams, model, name, "at least 1");
    }
  }
  if (hparams.GetString("pos") == "emb") {
    config.position_table = hparams.GetInt("max_length");
  }
  return config;
}

Scope ImageModalityScope(const Scope& root, const FeatureInfo& feature,
                         int64_t hidden_size) {
  return root.Sub(feature.modality == "symbol"
                      ? "symbol_modality_" +
                            std::to_string(feature.vocab_size) + "_" +
                            std::to_string(hidden_size)
                      : feature.modality + "_modality");
}

ChannelEmbedding::ChannelEmbedding(const Scope& scope, int64_t channels,
                                   int64_t hidden_size)
    : channels_(channels),
      table_(scope.Param("rgb_target_emb_input_bottom",
                         {kLevels * channels, hidden_size})) {}

at::Tensor ChannelEmbedding::operator()(const at::Tensor& levels) const {
  const at::Tensor ids = levels.to(at::kLong);
  if (ids.dim() != 4 || ids.size(3) != channels_) {
    throw MismatchError(
        "images with " + std::to_string(ids.size(-1)) + " channels",
        "num_channels=" + std::to_string(channels_),
        "change --hparams=num_channels=...");
  }
  // Each channel has levels of its own.
  const at::Tensor first = at::arange(channels_, ids.options()) * kLevels;
  return (at::embedding(table_, ids + first) *
          std::sqrt(static_cast<double>(table_.size(1))))
      .flatten(2, 3);
}

GridPositions::GridPositions(const Scope& scope, const std::string& name,
                             int64_t table, int64_t hidden_size)
    : size_(hidden_size) {
  if (table == 0) return;
  const Initializer init =
      NormalInit(0.0, 1.0 / std::sqrt(static_cast<double>(hidden_size)));
  const Scope own = scope.Sub(name);
  rows_ = own.Param(name + "_0", {1, table, 1, hidden_size}, init);
  columns_ = own.Param(name + "_1", {1, 1, table, hidden_size}, init);
}

at::Tensor GridPositions::AddTo(const at::Tensor& x_BHSD) const {
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

ImageEncoder::ImageEncoder(const Scope& body, const ImageConfig& config)
    : positions_(body, "enc_pos", config.position_table,
                 config.layer.sequence.hidden_size),
      dropout_(config.layer.sequence.dropout),
      layers_(MakeEncoderLayers(body, config)) {}

at::Tensor ImageEncoder::operator()(const at::Tensor& embedded,
                                    nn::Context& context) const {
  at::Tensor x_BHSD = positions_.AddTo(embedded);
  if (context.training) x_BHSD = Dropout(x_BHSD, dropout_, context.rng);
  nn::WholeRows rows;
  rows.length = x_BHSD.size(1) * x_BHSD.size(2);
  nn::Pass pass(&context, /*causal=*/false, &rows);
  return layers_(x_BHSD, pass).flatten(1, 2);
}

ImageDecoder::ImageDecoder(const Scope& body, const ImageConfig& config,
                           bool has_memory,
                           const MakeImageTransition& make_transition)
    : config_(config),
      positions_(body, "dec_pos", config.position_table,
                 config.layer.sequence.hidden_size),
      layers_(MakeDecoderLayers(body, config, has_memory, make_transition)) {}

at::Tensor ImageDecoder::operator()(const at::Tensor& embedded,
                                    const at::Tensor& given,
                                    const at::Tensor& memory_BMD,
                                    nn::Context& context) const {
  at::Tensor x_BHSD =
      config_.decoder_attention == Attention::kLocal2d
          ? nn::ShiftRightInBlocks(embedded, config_.grid.block)
          : ShiftRight(embedded.flatten(1, 2)).view(embedded.sizes());
  x_BHSD = positions_.AddTo(x_BHSD);
  if (given.defined()) {
    x_BHSD = x_BHSD + given.reshape({x_BHSD.size(0), 1, 1, x_BHSD.size(3)});
  }
  if (context.training) {
    x_BHSD = Dropout(x_BHSD, config_.layer.sequence.dropout, context.rng);
  }
  nn::WholeRows rows;
  rows.length = x_BHSD.size(1) * x_BHSD.size(2);
  rows.memory_BMD = memory_BMD;
  nn::Pass pass(&context, /*causal=*/true, &rows);
  return layers_(x_BHSD, pass);
}

at::Tensor ImageDecoder::AsImage(const at::Tensor& ids_BL) const {
  const int64_t batch = ids_BL.size(0);
  const int64_t row = config_.width * config_.channels;
  const bool in_blocks = config_.decoder_attention == Attention::kLocal2d;
  const nn::GridBlocks block =
      in_blocks ? config_.grid.block : nn::GridBlocks{1, row};
  if (in_blocks && !config_.block_order) {
    throw UsageError(
        "decoding row by row with dec_attention_type=local_2d, which looks at "
        "an image block by block",
        "block_raster_scan=True, and numbers in that order",
        "set --hparams=block_raster_scan=True");
  }
  if (row % block.width != 0 || config_.width % block.height != 0) {
    throw UsageError("decoding " + std::to_string(config_.width) + " rows of " +
                         std::to_string(row) + " numbers in blocks of " +
                         std::to_string(block.height) + " x " +
                         std::to_string(block.width),
                     "a query_shape that divides them",
                     "change query_shape or img_len in --hparams");
  }
  const int64_t band = row * block.height;
  const int64_t bands = (ids_BL.size(1) + band - 1) / band;
  return at::constant_pad_nd(ids_BL, {0, bands * band - ids_BL.size(1)})
      .view({batch, bands, row / block.width, block.height, block.width})
      .transpose(2, 3)
      .reshape({batch, bands * block.height, config_.width, config_.channels});
}

at::Tensor ImageDecoder::InOrder(const at::Tensor& y_BHSD,
                                 int64_t length) const {
  at::Tensor y_BLD = y_BHSD.flatten(1, 2);
  if (config_.decoder_attention == Attention::kLocal2d) {
    y_BLD = y_BLD.index_select(
        1, nn::BlockOrder(y_BHSD.size(1), y_BHSD.size(2), config_.grid.block));
  }
  return y_BLD.narrow(1, 0, length);
}

LossParts LevelLoss(const at::Tensor& logits, const at::Tensor& targets,
                    const ProblemInfo& info, double label_smoothing) {
  const bool nonzero = TraitsOfModality(info.features.at("targets").modality)
                           .padding_weighs_nothing;
  const at::Tensor weights =
      (nonzero ? targets.ne(0) : at::ones_like(targets)).to(at::kFloat);
  LossParts parts;
  parts.numerator =
      (SmoothedCrossEntropy(logits, targets, label_smoothing) * weights).sum();
  parts.denominator = weights.sum();
  return parts;
}

}  // namespace t2t
