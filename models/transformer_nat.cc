// A Transformer that decodes all symbols at once, out of a few discrete codes
// that it predicts one after the other. Kaiser et al. 2018, "Fast Decoding in
// Sequence Models Using Discrete Latent Variables", arXiv:1803.03382, with the
// codes of Roy et al. 2018, "Theory and Experiments on Vector Quantized
// Autoencoders", arXiv:1805.11063.
// In training the targets are compressed to codes and these decompressed again;
// the last decoder sees the gold targets at first, and later more and more of
// what was decompressed, which is all that there is when it decodes.
// Shapes: B batch, L length, D hidden_size, C number of codes, V codes.

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/all_models.h"
#include "models/latent_layers.h"
#include "models/scoped_stacks.h"
#include "t2t/base/error.h"
#include "t2t/model/at_once_decoder.h"
#include "t2t/model/autocast.h"
#include "t2t/model/model.h"
#include "t2t/model/scheduled_sampling.h"
#include "t2t/model/stacked_model.h"
#include "t2t/nn/dense.h"
#include "t2t/nn/discretization.h"
#include "t2t/ops/device.h"

namespace t2t {
namespace {

constexpr char kName[] = "transformer_nat";
constexpr int64_t kMostPositions = 1000;  // of T2T's table

struct NatConfig {
  static NatConfig From(const HParams& hparams) {
    RefuseScheduledSampling(hparams);
    NatConfig config;
    config.layers = TransformerConfig::FromHParams(hparams);
    config.halvings = hparams.GetInt("num_compress_steps");
    config.dropout = hparams.GetDouble("dropout");
    config.mask_startup_steps = hparams.GetInt("mask_startup_steps");
    const int64_t bits = hparams.GetInt("bottleneck_bits");
    if (config.halvings < 0 || bits < 1 || bits > 24) {
      throw UsageError("num_compress_steps=" + std::to_string(config.halvings) +
                           ", bottleneck_bits=" + std::to_string(bits),
                       "0 or more, and 1 to 24", "change them in --hparams");
    }
    const std::string& kind = hparams.GetString("bottleneck_kind");
    if (kind != "vq" && kind != "em") {
      throw UsageError("bottleneck_kind=" + kind + " with the model " + kName,
                       "vq (the nearest code) or em (drawn ones)",
                       "change it in --hparams");
    }
    config.codes.codes = int64_t{1} << bits;
    config.codes.depth = config.layers.sequence.hidden_size;
    config.codes.beta = hparams.GetDouble("beta");
    config.codes.decay = hparams.GetDouble("decay");
    config.codes.epsilon = hparams.GetDouble("epsilon");
    config.codes.samples = kind == "em" ? hparams.GetInt("num_samples") : 0;
    return config;
  }

  TransformerConfig layers;
  nn::CodebookOptions codes;
  int64_t halvings = 0;
  double dropout = 0.0;
  int64_t mask_startup_steps = 0;
};

class TransformerNat : public Model, public AtOnceDecoder {
 public:
  TransformerNat(HParams hparams, ProblemInfo info, const ParamOptions& params)
      : Model(std::move(hparams), std::move(info), params),
        config_(NatConfig::From(hparams_)) {
    if (!info_.has_inputs()) {
      throw UsageError(
          std::string("the model ") + kName + " and a problem without inputs",
          "a problem that makes targets of inputs",
          "take another --problem or --model=transformer");
    }
    set_precision(config_.layers.sequence.activation_type);
    const Scope root(&params_, kName, DefaultInitializer(hparams_));
    RefuseSplitModel(root);
    // T2T's stand beside the model's scope.
    codebook_.emplace(Scope(&params_, "", root.init()), config_.codes);
    MakeEnds(root);
    MakeLayers(root.Sub("body"));
  }

  at::Tensor DecodeAtOnce(const Features& features) override {
    const at::NoGradGuard no_grad;
    nn::Context context;
    const Autocast autocast(PrecisionOf(context));
    Features here = features;
    for (auto& [name, tensor] : here) tensor = tensor.to(ComputeDevice());
    const Encoded encoded = Encode(here, context);
    const int64_t rows = encoded.output.size(0);
    const int64_t length =
        RoundedUpLength(2 * encoded.output.size(1), config_.halvings);
    const at::Tensor ids_BC = predictor_->Greedy(
        rows, length >> config_.halvings, encoded,
        [this](const at::Tensor& ids_B) { return CodesOf(ids_B); },
        [this](const at::Tensor& x_BD) { return code_logits_(x_BD); }, context);
    const at::Tensor made_BL1D =
        Decompress(CodesOf(ids_BC).unsqueeze(2), context);
    // As many as T2T has; what is above comes of rounding.
    const at::Tensor body_BLD =
        ToLength((*decoder_)(made_BL1D.squeeze(2), encoded, context),
                 2 * encoded.output.size(1));
    return Top(body_BLD).to(at::kFloat);
  }

  std::unique_ptr<DecodeState> StartDecoding(const Features&) override {
    TORCH_CHECK(false, kName, " decodes all symbols at once");
  }

 protected:
  at::Tensor Body(const Features& features, nn::Context& context) override {
    const Encoded encoded = Encode(features, context);
    const at::Tensor targets_BLD =
        EmbedTargets(RequiredFeature(features, "targets"), context);
    const int64_t length = RoundedUpLength(
        std::max(targets_BLD.size(1), 2 * encoded.output.size(1)),
        config_.halvings);
    const at::Tensor gold_BL1D = ToLength(targets_BLD, length).unsqueeze(2);

    const at::Tensor compressed_BC1D = Compress(gold_BL1D, context);
    const at::Tensor flat_T1D =
        compressed_BC1D.reshape({-1, 1, compressed_BC1D.size(-1)});
    const nn::Codebook::Codes codes =
        (*codebook_)(flat_T1D.to(at::kFloat), context);
    context.losses.Add("extra", codes.loss);
    const at::Tensor latent_BC1D = nn::StraightThrough(
        compressed_BC1D, codes.vectors_TKD.reshape(compressed_BC1D.sizes()));
    AddPredictionLoss(latent_BC1D, codes.hot_TKV, encoded, context);

    const double share =
        nn::RampUpInALine(step_, config_.mask_startup_steps) *
        nn::RampUpExponentially(step_, config_.mask_startup_steps / 4);
    const at::Tensor seen_BL1D =
        MixTargets(gold_BL1D, Decompress(latent_BC1D, context), share, context);
    return ToLength((*decoder_)(seen_BL1D.squeeze(2), encoded, context),
                    targets_BLD.size(1));
  }

 private:
  void MakeLayers(const Scope& body) {
    const int64_t size = config_.layers.sequence.hidden_size;
    encoder_.emplace(body.Sub("input_enc"), config_.layers, config_.dropout);
    const Scope compress = body.Sub("compress");
    residual_.emplace(compress.Sub("rc"), size, config_.halvings,
                      config_.dropout);
    for (int64_t i = 0; i < config_.halvings; ++i) {
      halvings_.push_back(HalvingConvolution(
          compress.Sub("compress_" + std::to_string(i)), size));
    }
    predictor_.emplace(body.Sub("extra"), config_.layers, /*has_memory=*/true);
    code_logits_ = Dense(body.Sub("extra_logits"), size, config_.codes.codes);
    // T2T adds it to a tensor that nothing looks at. Checkpoints have it.
    body.Param("pos", {1, kMostPositions, 1, size});
    for (int64_t i = config_.halvings; i-- > 0;) {
      const std::string number = std::to_string(i);
      rests_.emplace_back(body.Sub("decompress_rc_" + number), size, 1,
                          config_.dropout);
      doublings_.emplace_back(body.Sub("decompress_" + number), size,
                              /*first_relu=*/i + 1 < config_.halvings);
    }
    decoder_.emplace(body.Sub("decoder"), config_.layers, /*has_memory=*/true);
  }

  Encoded Encode(const Features& features, nn::Context& context) const {
    return (*encoder_)(AsSequence(EmbedInputs(features, context)),
                       info_.target_space_id, context);
  }

  at::Tensor Compress(const at::Tensor& x_BL1D,
                      const nn::Context& context) const {
    at::Tensor x = (*residual_)(x_BL1D, context);
    for (const nn::ConvBlock& halving : halvings_) x = halving(x);
    return x;
  }

  at::Tensor Decompress(const at::Tensor& x_BC1D,
                        const nn::Context& context) const {
    at::Tensor x = x_BC1D;
    for (size_t i = 0; i < rests_.size(); ++i) {
      x = doublings_[i](rests_[i](x, context));
    }
    return x;
  }

  at::Tensor CodesOf(const at::Tensor& ids) const {
    return codebook_->means()
        .squeeze(0)
        .index_select(0, ids.flatten())
        .view(ids.dim() == 1
                  ? std::vector<int64_t>{ids.size(0), config_.codes.depth}
                  : std::vector<int64_t>{ids.size(0), ids.size(1),
                                         config_.codes.depth});
  }

  // The codes are to be predicted, but not while they are still worth nothing.
  void AddPredictionLoss(const at::Tensor& latent_BC1D,
                         const at::Tensor& hot_TKV, const Encoded& encoded,
                         nn::Context& context) const {
    if (step_ <= config_.mask_startup_steps) return;
    const at::Tensor logits_BCV =
        code_logits_((*predictor_)(latent_BC1D.squeeze(2), encoded, context));
    const at::Tensor hot_BCV = hot_TKV.detach().view(logits_BCV.sizes());
    context.losses.Add(
        "latent_pred",
        -(hot_BCV * at::log_softmax(logits_BCV.to(at::kFloat), -1))
             .sum(-1)
             .mean());
  }

  const NatConfig config_;
  std::optional<nn::Codebook> codebook_;
  std::optional<ScopedEncoder> encoder_;
  std::optional<ResidualConvolutions> residual_;
  std::vector<nn::ConvBlock> halvings_;
  std::optional<ScopedDecoder> predictor_;  // of codes
  Dense code_logits_;
  std::vector<ResidualConvolutions> rests_;
  std::vector<DoublingConvolution> doublings_;
  std::optional<ScopedDecoder> decoder_;
};

}  // namespace

void RegisterTransformerNat(ModelRegistry& models) {
  AddModel<TransformerNat>(models, kName);
}

}  // namespace t2t
