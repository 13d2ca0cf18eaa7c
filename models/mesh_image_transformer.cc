// The Image Transformer on a mesh of devices: Parmar et al. 2018, "Image
// Transformer", arXiv:1802.05751, in the layers of Shazeer et al. 2018,
// "Mesh-TensorFlow", arXiv:1811.02084. An image is one sequence of its numbers,
// each predicted from those before it, of which it sees the nearest.
// Here it is on one device of the mesh (its rows of the batch).
// Shapes: B batch, L length, D hidden_size.

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/all_models.h"
#include "models/mesh_layers.h"
#include "t2t/base/error.h"
#include "t2t/model/model.h"
#include "t2t/model/scheduled_sampling.h"
#include "t2t/model/stacked_model.h"
#include "t2t/nn/dense.h"
#include "t2t/nn/grid_convolution.h"
#include "t2t/ops/cross_entropy.h"

namespace t2t {
namespace {

constexpr int64_t kLevels = 256;

struct MeshImageConfig {
  static MeshImageConfig FromHParams(const HParams& hparams);

  int64_t size = 0;  // D
  int64_t filter = 0;
  int64_t side = 0;  // of an image, in pixels
  int64_t channels = 0;
  int64_t layers = 0;
  MeshAttentionOptions attention;
  double relu_dropout = 0.0;
  double dropout = 0.0;
};

MeshImageConfig MeshImageConfig::FromHParams(const HParams& hparams) {
  MeshImageConfig config;
  config.size = hparams.GetInt("hidden_size");
  config.filter = hparams.GetInt("d_ff");
  config.side = hparams.GetInt("img_len");
  config.channels = hparams.GetInt("num_channels");
  config.layers = hparams.GetInt("num_decoder_layers");
  config.relu_dropout = hparams.GetDouble("dropout");
  config.dropout = hparams.GetDouble("layer_prepostprocess_dropout");
  MeshAttentionOptions& attention = config.attention;
  attention.size = config.size;
  attention.heads = hparams.GetInt("num_heads");
  attention.depth = hparams.GetInt("d_kv");
  attention.one_variable = true;
  attention.window = hparams.GetInt("block_length");
  const std::string type = hparams.GetString("attention_type");
  attention.window_of_blocks = type == "local1d_spatial";
  if (type != "local1d" && type != "local1d_spatial") {
    throw UsageError(
        "attention_type=" + type +
            (type == "local2d_spatial"
                 ? ", with which T2T's model sees the pixels it predicts"
                 : ""),
        "local1d or local1d_spatial", "change --hparams=attention_type=...");
  }
  if (!hparams.GetBool("unconditional")) {
    throw UsageError("unconditional=False with mtf_image_transformer",
                     "images alone", "set --hparams=unconditional=True");
  }
  return config;
}

struct ImageLayer {
  nn::NamedLayerNorm attention_norm;
  MeshAttention attention;
  nn::NamedLayerNorm filter_norm;
  MeshDenseReluDense filter;
};

class MtfImageTransformer : public Model {
 public:
  MtfImageTransformer(HParams hparams, ProblemInfo info,
                      const ParamOptions& params)
      : Model(std::move(hparams), std::move(info), params),
        config_(MeshImageConfig::FromHParams(hparams_)) {
    RefuseScheduledSampling(hparams_);
    const Scope root(&params_, "mtf_image_transformer",
                     DefaultInitializer(hparams_));
    RefuseSplitModel(root);
    const Initializer normal = NormalInit(0.0, 1.0);
    const int64_t size = config_.size;
    colours_ = root.Param("targets_embedding", {kLevels, size}, normal);
    rows_ = root.Param("positional_emb_rows", {config_.side, size}, normal);
    columns_ = root.Param("positional_emb_cols", {config_.side, size}, normal);
    for (int64_t i = 0; i < config_.layers; ++i) {
      const Scope layer = root.Sub("decoder_layer_" + std::to_string(i));
      layers_.push_back(std::make_unique<ImageLayer>(ImageLayer{
          Norm(layer, "layer_norm_att"),
          MeshAttention(layer.Sub("self_att"), config_.attention),
          Norm(layer, "layer_norm_ffn"),
          MeshDenseReluDense(layer.Sub("dense_relu_dense"), size,
                             config_.filter, config_.relu_dropout)}));
    }
    last_ =
        std::make_unique<nn::NamedLayerNorm>(Norm(root, "final_layer_norm"));
    top_ = Dense(root.Sub("logits"), size, kLevels);
  }

 protected:
  // [B, H, W, C, D]; while it decodes, the numbers so far are a sequence:
  // [B, length, D].
  at::Tensor Body(const Features& features, nn::Context& context) override {
    const at::Tensor& targets = RequiredFeature(features, "targets");
    const bool sequence = targets.dim() == 2;
    if (!sequence) CheckShape(targets);
    const at::Tensor ids_BL = targets.flatten(1);
    const int64_t length = ids_BL.size(1);
    const at::Tensor before_BL =
        at::constant_pad_nd(ids_BL, {1, 0}).narrow(1, 0, length);
    at::Tensor x_BLD =
        at::embedding(colours_, before_BL) + Positions().narrow(0, 0, length);
    nn::WholeRows rows;
    rows.length = length;
    nn::Pass pass(&context, /*causal=*/true, &rows);
    for (const auto& layer : layers_) {
      x_BLD = x_BLD +
              MeshDropout(layer->attention(layer->attention_norm(x_BLD), pass),
                          config_.dropout, context);
      x_BLD =
          x_BLD + MeshDropout(layer->filter(layer->filter_norm(x_BLD), pass),
                              config_.dropout, context);
    }
    x_BLD = (*last_)(x_BLD);
    if (sequence) return x_BLD;
    std::vector<int64_t> shape = targets.sizes().vec();
    shape.push_back(config_.size);
    return x_BLD.reshape(shape);
  }

  at::Tensor Top(const at::Tensor& body_output) const override {
    return top_(body_output);
  }

  LossParts TargetLoss(const Features& features,
                       nn::Context& context) override {
    const at::Tensor losses = SmoothedCrossEntropy(
        Logits(features, context), RequiredFeature(features, "targets"), 0.0);
    LossParts parts;
    parts.numerator = losses.sum();
    parts.denominator =
        at::full({}, static_cast<double>(losses.numel()), losses.options());
    return parts;
  }

 private:
  nn::NamedLayerNorm Norm(const Scope& scope, const std::string& name) const {
    return nn::NamedLayerNorm(scope.Sub(name).Sub("layer_norm"), config_.size);
  }

  // [all numbers of an image, D]. T2T's columns are numbers, not pixels, and
  // those beyond its table have no vector.
  at::Tensor Positions() const {
    const int64_t numbers = config_.side * config_.channels;
    const at::Tensor columns =
        at::constant_pad_nd(columns_, {0, 0, 0, numbers - config_.side});
    return (rows_.unsqueeze(1) + columns).flatten(0, 1);
  }

  void CheckShape(const at::Tensor& targets) const {
    const std::vector<int64_t> expected = {targets.size(0), config_.side,
                                           config_.side, config_.channels};
    if (targets.sizes() == at::IntArrayRef(expected)) return;
    throw MismatchError("images of " + std::to_string(targets.size(1)) + " x " +
                            std::to_string(targets.numel() / targets.size(0) /
                                           targets.size(1)) +
                            " numbers",
                        std::to_string(config_.side) + " x " +
                            std::to_string(config_.side) + " pixels of " +
                            std::to_string(config_.channels) + " channels",
                        "change img_len and num_channels in --hparams");
  }

  const MeshImageConfig config_;
  at::Tensor colours_, rows_, columns_;
  std::vector<std::unique_ptr<ImageLayer>> layers_;
  std::unique_ptr<nn::NamedLayerNorm> last_;
  Dense top_;
};

}  // namespace

void RegisterMeshImageTransformer(ModelRegistry& models) {
  AddModel<MtfImageTransformer>(models, "mtf_image_transformer");
}

}  // namespace t2t
