// A Transformer around an autoencoder of its targets: these are compressed to a
// few discrete codes and decompressed again, a decoder makes all symbols out of
// what was decompressed, and another predicts the codes. Kaiser et al. 2018,
// "Fast Decoding in Sequence Models Using Discrete Latent Variables",
// arXiv:1803.03382.
// T2T's model for texts; its task=image is not here.
// Shapes: B batch, L length, D hidden_size, C number of codes, V codes.

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/all_models.h"
#include "models/latent_layers.h"
#include "models/scoped_stacks.h"
#include "models/transformer_ae_config.h"
#include "t2t/model/at_once_decoder.h"
#include "t2t/model/autocast.h"
#include "t2t/model/model.h"
#include "t2t/model/stacked_model.h"
#include "t2t/nn/attention.h"
#include "t2t/nn/bottleneck.h"
#include "t2t/nn/dense.h"
#include "t2t/nn/discretization.h"
#include "t2t/nn/norm.h"
#include "t2t/nn/positional.h"
#include "t2t/ops/device.h"

namespace t2t {
namespace {

constexpr char kName[] = "transformer_ae";
constexpr int64_t kResamplings = 16;       // T2T's
constexpr int64_t kInputsWarmup = 200000;  // T2T's, of codes that are vectors

// Looks at the encoder's output (at its padding, too, as in T2T).
class Attend {
 public:
  Attend(const Scope& scope, const TransformerConfig& config)
      : before_(scope, "layer_prepostprocess", config.preprocess),
        attention_(scope, config.memory_attention),
        after_(scope, "layer_postprocess", config.postprocess) {}

  at::Tensor operator()(const at::Tensor& x_BL1D, const at::Tensor& inputs_BMD,
                        nn::Context& context) const {
    const at::Tensor x_BLD = x_BL1D.squeeze(2);
    const at::Tensor memory_BMD =
        inputs_BMD + TimingSignal(inputs_BMD.size(1), inputs_BMD.size(2));
    const at::Tensor y_BLD = attention_.MemoryAttention(
        before_({}, x_BLD, context), memory_BMD, {}, context);
    return after_(x_BLD, y_BLD, context).unsqueeze(2);
  }

 private:
  PrePost before_;
  MultiheadAttention attention_;
  PrePost after_;
};

// For each row of x: y where a number from [0, 1) is below `share`, else x.
at::Tensor MixRows(const at::Tensor& x, const at::Tensor& y, double share,
                   const nn::Context& context, at::Tensor* chosen_B = nullptr) {
  const at::Tensor chosen =
      nn::UniformLike(x.new_empty({x.size(0)}, at::kFloat), context).lt(share);
  if (chosen_B != nullptr) *chosen_B = chosen.to(at::kFloat);
  std::vector<int64_t> shape(static_cast<size_t>(x.dim()), 1);
  shape[0] = x.size(0);
  return at::where(chosen.view(shape), y, x);
}

class TransformerAe : public Model, public AtOnceDecoder {
 public:
  TransformerAe(HParams hparams, ProblemInfo info, const ParamOptions& params)
      : Model(std::move(hparams), std::move(info), params),
        config_(AeConfig::From(hparams_)),
        sees_inputs_(info_.has_inputs() && !hparams_.GetBool("drop_inputs")) {
    set_precision(config_.layers.sequence.activation_type);
    const Scope root(&params_, kName, DefaultInitializer(hparams_));
    RefuseSplitModel(root);
    MakeEnds(root);
    const Scope body = root.Sub("body");
    // T2T's codebooks stand beside the model's scope.
    bottleneck_ = nn::MakeBottleneck(
        body.Sub("vc"), Scope(&params_, "", root.init()), config_.bottleneck);
    MakeCompression(body);
    MakeDecompression(body);
  }

  at::Tensor DecodeAtOnce(const Features& features) override {
    const at::NoGradGuard no_grad;
    nn::Context context;
    const Autocast autocast(PrecisionOf(context));
    Features here = features;
    for (auto& [name, tensor] : here) tensor = tensor.to(ComputeDevice());
    const Encoded encoded = Encode(here, context);
    const at::Tensor& inputs = RequiredFeature(here, "inputs");
    const int64_t length = 2 * inputs.size(1);
    const int64_t padded = RoundedUpLength(length, config_.halvings);
    const at::Tensor latent_BCD =
        config_.is_discrete
            ? bottleneck_->Embed(PredictCodes(
                  inputs.size(0), padded >> config_.halvings, encoded, context))
            : PredictVectors(inputs.size(0), padded, encoded, context);
    const at::Tensor made_BLD =
        Decompress(latent_BCD, encoded, context).squeeze(2);
    const at::Tensor body_BLD = (*decoder_)(made_BLD, encoded, context);
    return Top(ToLength(body_BLD, length)).to(at::kFloat);
  }

  std::unique_ptr<DecodeState> StartDecoding(const Features&) override {
    TORCH_CHECK(false, kName, " decodes all symbols at once");
  }

 protected:
  at::Tensor Body(const Features& features, nn::Context& context) override {
    const Encoded encoded = Encode(features, context);
    const at::Tensor targets_BLD =
        EmbedTargets(RequiredFeature(features, "targets"), context);
    const int64_t length = targets_BLD.size(1);
    const int64_t padded = RoundedUpLength(
        sees_inputs_ ? std::max(length, 2 * encoded.output.size(1)) : length,
        config_.halvings);
    const at::Tensor gold_BLD = WithPositions(
        ToLength(Shuffled(targets_BLD, context), padded), targets_position_);
    const at::Tensor latent_BCD = Latent(gold_BLD, encoded, context);
    const at::Tensor made_BLD =
        Decompress(latent_BCD, encoded, context).squeeze(2);
    const at::Tensor seen_BLD = Seen(gold_BLD, made_BLD, context);
    return ToLength((*decoder_)(seen_BLD, encoded, context), length);
  }

 private:
  void MakeCompression(const Scope& body) {
    const TransformerConfig& layers = config_.layers;
    const int64_t size = layers.sequence.hidden_size;
    if (sees_inputs_) {
      encoder_.emplace(body.Sub("input_enc"), layers, config_.dropout);
    }
    targets_position_ =
        body.Param("targets_position", {config_.max_length, size});
    const Scope compress = body.Sub("compress");
    residual_.emplace(compress.Sub("rc"), size, config_.halvings,
                      config_.dropout);
    if (sees_inputs_ && config_.attends_compressing) {
      attend_.emplace(compress.Sub("compress_attend"), layers);
    }
    for (int64_t i = 0; i < config_.halvings; ++i) {
      const std::string number = std::to_string(i);
      if (config_.residual_compressing) {
        between_.emplace_back(compress.Sub("rc_" + number), size,
                              config_.halvings, config_.dropout);
      }
      halvings_.push_back(
          HalvingConvolution(compress.Sub("compress_" + number), size));
    }
    predictor_.emplace(body.Sub(config_.is_discrete ? "extra" : "dec_c"),
                       layers, sees_inputs_);
    if (config_.is_discrete) {
      code_logits_ = Dense(body.Sub("extra_logits"), size,
                           int64_t{1} << config_.bottleneck.bits);
    }
  }

  void MakeDecompression(const Scope& body) {
    const TransformerConfig& layers = config_.layers;
    const int64_t size = layers.sequence.hidden_size;
    latents_position_ =
        body.Param("latents_position", {config_.max_length, size});
    for (int64_t i = config_.halvings; i-- > 0;) {
      const std::string number = std::to_string(i);
      rests_.emplace_back(body.Sub("decompress_rc_" + number), size, 1,
                          config_.dropout);
      if (sees_inputs_ && config_.attends_decompressing) {
        attends_.emplace_back(body.Sub("decompress_attend_" + number), layers);
      }
      doublings_.emplace_back(body.Sub("decompress_" + number), size,
                              /*first_relu=*/i + 1 < config_.halvings);
    }
    decoder_.emplace(body.Sub("decoder"), layers, sees_inputs_);
  }

  Encoded Encode(const Features& features, nn::Context& context) const {
    if (!sees_inputs_) return {};
    return (*encoder_)(AsSequence(EmbedInputs(features, context)),
                       info_.target_space_id, context);
  }

  // Symbols move by a place or so, in all rows alike.
  at::Tensor Shuffled(const at::Tensor& x_BLD,
                      const nn::Context& context) const {
    if (config_.word_shuffle <= 0.0) return x_BLD;
    const at::Tensor places = at::arange(x_BLD.size(1), OnDevice(at::kFloat));
    const at::Tensor noise =
        nn::UniformLike(places, context) * (1.0 + config_.word_shuffle);
    return x_BLD.index_select(
        1, (places + noise).argsort(/*stable=*/true, 0, /*descending=*/false));
  }

  at::Tensor WithPositions(const at::Tensor& x_BLD,
                           const at::Tensor& table) const {
    return x_BLD + PositionalEmbedding(table, x_BLD.size(1));
  }

  // [B, L, D] -> [B, C, D].
  at::Tensor Compress(const at::Tensor& x_BLD, const Encoded& encoded,
                      nn::Context& context) const {
    at::Tensor x = (*residual_)(x_BLD.unsqueeze(2), context);
    if (attend_) x = (*attend_)(x, encoded.output, context);
    for (size_t i = 0; i < halvings_.size(); ++i) {
      if (!between_.empty()) x = between_[i](x, context);
      x = halvings_[i](x);
    }
    return x.squeeze(2);
  }

  // [B, C, D] -> [B, L, 1, D].
  at::Tensor Decompress(const at::Tensor& latent_BCD, const Encoded& encoded,
                        nn::Context& context) const {
    at::Tensor x = WithPositions(latent_BCD, latents_position_).unsqueeze(2);
    for (size_t i = 0; i < rests_.size(); ++i) {
      x = rests_[i](x, context);
      if (!attends_.empty()) x = attends_[i](x, encoded.output, context);
      x = doublings_[i](x);
    }
    return x;
  }

  // What the targets are decompressed from, with the losses of it.
  at::Tensor Latent(const at::Tensor& gold_BLD, const Encoded& encoded,
                    nn::Context& context) const {
    at::Tensor noisy_BLD = gold_BLD;
    if (config_.word_dropout > 0.0) {
      noisy_BLD = gold_BLD *
                  nn::UniformLike(gold_BLD, context).gt(config_.word_dropout);
    }
    const at::Tensor compressed_BCD = Compress(noisy_BLD, encoded, context);
    const nn::Bottleneck::Codes codes =
        (*bottleneck_)(compressed_BCD, step_, context);
    at::Tensor chosen_B;
    const double share =
        context.training ? nn::RampUpExponentially(step_, config_.startup_steps)
                         : 1.0;
    const at::Tensor latent_BCD =
        MixRows(compressed_BCD, codes.dense, share, context, &chosen_B);
    context.losses.Add("extra", codes.loss * chosen_B.mean());
    if (!config_.is_discrete) {
      return LatentOfVectors(compressed_BCD, latent_BCD, encoded, context);
    }
    if (step_ > config_.mask_startup_steps) {
      AddPredictionLoss(codes.discrete, chosen_B, encoded, context);
    }
    context.losses.Add("neg_q_entropy",
                       codes.negative_entropy * config_.entropy_scale);
    return latent_BCD;
  }

  // Codes that are vectors are predicted all at once, out of what they are made
  // of.
  at::Tensor LatentOfVectors(const at::Tensor& compressed_BCD,
                             const at::Tensor& latent_BCD,
                             const Encoded& encoded,
                             nn::Context& context) const {
    const at::Tensor predicted_BCD =
        (*predictor_)(compressed_BCD, encoded, context);
    if (step_ > config_.mask_startup_steps) {
      context.losses.Add(
          "latent_pred",
          (predicted_BCD - compressed_BCD).square().mean() * 20.0);
    }
    const at::Tensor again_BCD =
        (*bottleneck_)(predicted_BCD, step_, context).dense;
    const double share =
        context.training ? 1.0 - 0.5 * nn::RampUpInALine(step_, kInputsWarmup)
                         : 1.0;
    return MixRows(again_BCD, latent_BCD, share, context);
  }

  at::Tensor CodeLogits(const at::Tensor& x) const {
    const at::Tensor logits = code_logits_(x).to(at::kFloat);
    if (!config_.normalises_logits) return logits;
    return logits * (logits.square().mean() + 1e-8).rsqrt();
  }

  void AddPredictionLoss(const at::Tensor& discrete, const at::Tensor& chosen_B,
                         const Encoded& encoded, nn::Context& context) const {
    const at::Tensor logs_BCV =
        at::log_softmax(CodeLogits((*predictor_)(bottleneck_->Embed(discrete),
                                                 encoded, context)),
                        -1);
    const at::Tensor losses_BC =
        discrete.is_floating_point()
            ? -(discrete.detach() * logs_BCV).sum(-1)
            : -logs_BCV.gather(2, discrete.unsqueeze(2)).squeeze(2);
    const at::Tensor loss = config_.sums_over_latents
                                ? (losses_BC.sum(1) * chosen_B).mean()
                                // T2T's product is of all rows with all.
                                : losses_BC.mean() * chosen_B.mean();
    context.losses.Add("latent_pred", loss * config_.prior_scale);
  }

  // What the last decoder sees of the targets.
  at::Tensor Seen(const at::Tensor& gold_BLD, const at::Tensor& made_BLD,
                  const nn::Context& context) const {
    if (!config_.masks || config_.masks_all) return made_BLD;
    double share =
        nn::RampUpInALine(step_, config_.mask_startup_steps) *
        nn::RampUpExponentially(step_, config_.mask_startup_steps / 4);
    share -=
        at::rand({}, context.rng).item<double>() * config_.unmasked_percentage;
    return MixTargets(gold_BLD, made_BLD, std::clamp(share, 0.0, 1.0), context);
  }

  // [B, C]: each the likeliest after those before it; or drawn, all of them
  // several times, each time given the ones before it of the last time. What is
  // drawn is the same noise for every row, which so does not depend on its
  // batch.
  at::Tensor PredictCodes(int64_t rows, int64_t count, const Encoded& encoded,
                          nn::Context& context) const {
    if (config_.sampling_temperature <= 0.0) {
      return predictor_->Greedy(
          rows, count, encoded,
          [this](const at::Tensor& ids_B) {
            return bottleneck_->Embed(ids_B.unsqueeze(1)).squeeze(1);
          },
          [this](const at::Tensor& x_BD) { return code_logits_(x_BD); },
          context);
    }
    nn::Context noise = context;
    noise.rng = at::make_generator<at::CPUGeneratorImpl>(/*seed=*/1);
    const auto draw = [&](const at::Tensor& embedded_BCD) {
      const at::Tensor logits_BCV =
          CodeLogits((*predictor_)(embedded_BCD, encoded, context)) /
          config_.sampling_temperature;
      return (logits_BCV + nn::GumbelLike(logits_BCV[0], noise)).argmax(-1);
    };
    const int64_t size = config_.layers.sequence.hidden_size;
    at::Tensor ids_BC =
        draw(at::zeros({rows, count, size}, OnDevice(at::kFloat)));
    for (int64_t i = 0; i < std::min(kResamplings, count); ++i) {
      const at::Tensor next_BC = draw(bottleneck_->Embed(ids_BC));
      ids_BC = at::cat(
          {ids_BC.narrow(1, 0, i + 1), next_BC.narrow(1, i + 1, count - i - 1)},
          1);
    }
    return ids_BC;
  }

  at::Tensor PredictVectors(int64_t rows, int64_t length,
                            const Encoded& encoded,
                            nn::Context& context) const {
    const int64_t size = config_.layers.sequence.hidden_size;
    const at::Tensor nothing_BLD =
        WithPositions(at::zeros({rows, length, size}, OnDevice(at::kFloat)),
                      targets_position_);
    return (*bottleneck_)((*predictor_)(Compress(nothing_BLD, encoded, context),
                                        encoded, context),
                          step_, context)
        .dense;
  }

  const AeConfig config_;
  const bool sees_inputs_;
  std::optional<ScopedEncoder> encoder_;
  at::Tensor targets_position_, latents_position_;  // tables
  std::optional<ResidualConvolutions> residual_;
  std::optional<Attend> attend_;
  std::vector<ResidualConvolutions> between_;
  std::vector<nn::ConvBlock> halvings_;
  std::unique_ptr<nn::Bottleneck> bottleneck_;
  std::optional<ScopedDecoder> predictor_;  // of codes
  Dense code_logits_;
  std::vector<ResidualConvolutions> rests_;
  std::vector<Attend> attends_;
  std::vector<DoublingConvolution> doublings_;
  std::optional<ScopedDecoder> decoder_;
};

}  // namespace

void RegisterTransformerAe(ModelRegistry& models) {
  AddModel<TransformerAe>(models, kName);
}

}  // namespace t2t
