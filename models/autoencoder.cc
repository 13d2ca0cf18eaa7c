// T2T's autoencoders: strided convolutions down to a code of a few bits at each
// place, and up again to the probabilities of the same pixels (or symbols). The
// code is a real number between -1 and 1 with noise (basic), of a variational
// autoencoder (Kingma and Welling 2013, arXiv:1312.6114), or of bits: Kaiser
// and Bengio 2018, "Discrete Autoencoders for Sequence Models",
// arXiv:1801.09797. T2T's adversarial losses, its ordered, dual and stacked
// autoencoders and the vector-quantised codes are not here. Shapes: B batch, H
// height, W width, C channels, V values of a pixel, I and O channels in and
// out, K bits.

#include <ATen/ATen.h>
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
#include "models/autoencoder_layers.h"
#include "t2t/base/error.h"
#include "t2t/hparams/values_or.h"
#include "t2t/model/model.h"
#include "t2t/model/scheduled_sampling.h"
#include "t2t/model/stacked_model.h"
#include "t2t/nn/dense.h"
#include "t2t/nn/grid_convolution.h"
#include "t2t/nn/positional.h"
#include "t2t/ops/cross_entropy.h"
#include "t2t/ops/device.h"
#include "t2t/problem/modality_traits.h"

namespace t2t {
namespace {

// Gradients go through as if nothing had been rounded.
at::Tensor Straight(const at::Tensor& rounded, const at::Tensor& x) {
  return x + (rounded - x).detach();
}

at::Tensor Signs(const at::Tensor& x) {
  return x.gt(0).to(x.scalar_type()) * 2.0 - 1.0;
}

// From the encoder's output to a code and back.
class Bottleneck {
 public:
  Bottleneck(const CodeOptions& options) : options_(options) {}
  virtual ~Bottleneck() = default;

  // `loss` is left as it is where there is none.
  virtual at::Tensor Encode(const at::Tensor& x, const CodePass& pass,
                            at::Tensor* loss) const = 0;
  virtual at::Tensor Decode(const at::Tensor& code) const {
    return decode_(code);
  }
  // A code that was not made out of anything.
  virtual at::Tensor Sample(at::IntArrayRef shape,
                            const nn::Context& context) const {
    return 2.0 * nn::UniformLike(at::empty(shape, OnDevice(at::kFloat)),
                                 context) -
           1.0;
  }

 protected:
  // Some bits turned around, and early in training often not rounded at all.
  at::Tensor Disturbed(const at::Tensor& bits, const at::Tensor& smooth,
                       double flips, const CodePass& pass,
                       double most = 1.0) const {
    if (!pass.training()) return bits;
    const at::Tensor kept = Signs(nn::UniformLike(bits, *pass.context) - flips);
    return MixIn(bits * kept, smooth, options_.warmup_steps, pass, most);
  }

  CodeOptions options_;
  Dense decode_;
};

class TanhBottleneck : public Bottleneck {
 public:
  TanhBottleneck(const Scope& body, const CodeOptions& options)
      : Bottleneck(options),
        encode_(body.Sub("bottleneck").Sub("bottleneck"), options.size,
                options.bits) {
    decode_ = Dense(body.Sub("unbottleneck").Sub("dense"), options.bits,
                    options.size);
  }

  at::Tensor Encode(const at::Tensor& x, const CodePass& pass,
                    at::Tensor*) const override {
    const at::Tensor code = at::tanh(encode_(x));
    if (!pass.training()) return code;
    return code +
           (2.0 * nn::UniformLike(code, *pass.context) - 1.0) * options_.noise;
  }

 private:
  Dense encode_;
};

class VariationalBottleneck : public Bottleneck {
 public:
  VariationalBottleneck(const Scope& body, const CodeOptions& options)
      : Bottleneck(options),
        mean_(body.Sub("vae").Sub("mu"), options.size, options.bits),
        log_variance_(body.Sub("vae").Sub("log_sigma"), options.size,
                      options.bits) {
    decode_ = Dense(body.Sub("unbottleneck").Sub("dense"), options.bits,
                    options.size);
  }

  at::Tensor Encode(const at::Tensor& x, const CodePass& pass,
                    at::Tensor* loss) const override {
    const at::Tensor mean = mean_(x);
    if (!pass.training()) return mean;
    const at::Tensor log_variance = log_variance_(x);
    const at::Tensor divergence =
        0.5 * (at::expm1(log_variance) + mean.square() - log_variance).mean(-1);
    // Some bits cost nothing.
    const auto free = static_cast<double>(options_.bits / 4);
    *loss = (divergence - free).clamp_min(0.0).mean() * options_.kl_factor;
    return mean +
           at::exp(log_variance / 2.0) * nn::NormalLike(mean, *pass.context);
  }

  at::Tensor Sample(at::IntArrayRef shape,
                    const nn::Context& context) const override {
    return nn::NormalLike(at::empty(shape, OnDevice(at::kFloat)), context);
  }

 private:
  Dense mean_, log_variance_;
};

// Bits: the signs of a tanh. kind: of the hparam bottleneck_kind, or "" for
// T2T's first one.
class BitsBottleneck : public Bottleneck {
 public:
  BitsBottleneck(const Scope& body, const CodeOptions& options,
                 const std::string& kind)
      : Bottleneck(options), has_noise_(!kind.empty()) {
    const Scope up = body.Sub("unbottleneck");
    encode_ =
        Dense(body.Sub(has_noise_ ? "tanh_discrete_bottleneck" : "bottleneck"),
              options.size, options.bits);
    decode_ = Dense(up.Sub(has_noise_ ? "tanh_discrete_unbottleneck" : "dense"),
                    options.bits, options.size);
  }

  at::Tensor Encode(const at::Tensor& x, const CodePass& pass,
                    at::Tensor*) const override {
    at::Tensor code = encode_(x);
    if (has_noise_ && pass.training()) {
      code = code + 0.2 * TruncatedNormalLike(code, *pass.context);
    }
    code = at::tanh(code);
    return Disturbed(Straight(Signs(code), code), code,
                     has_noise_ ? options_.noise * 0.5 : options_.noise, pass);
  }

  at::Tensor Sample(at::IntArrayRef shape,
                    const nn::Context& context) const override {
    return Signs(Bottleneck::Sample(shape, context));
  }

 private:
  bool has_noise_;
  Dense encode_;
};

// Improved semantic hashing: Kaiser and Bengio 2018.
class HashBottleneck : public Bottleneck {
 public:
  HashBottleneck(const Scope& body, const CodeOptions& options)
      : Bottleneck(options),
        encode_(body.Sub("isemhash_bottleneck").Sub("dense"), options.size,
                options.bits) {
    const Scope up = body.Sub("unbottleneck").Sub("isemhash_unbottleneck");
    const auto filter = static_cast<int64_t>(static_cast<double>(options.size) *
                                             options.hash_filter_multiplier);
    ones_ = Dense(up.Sub("hidden1a"), options.bits, filter);
    zeros_ = Dense(up.Sub("hidden1b"), options.bits, filter);
    hidden_ = Dense(up.Sub("hidden2"), filter, filter);
    decode_ = Dense(up.Sub("final"), filter, options.size);
  }

  at::Tensor Encode(const at::Tensor& x, const CodePass& pass,
                    at::Tensor*) const override {
    at::Tensor logits = encode_(x);
    if (pass.training()) {
      logits = logits +
               options_.hash_noise * TruncatedNormalLike(logits, *pass.context);
    }
    const at::Tensor soft =
        (1.2 * at::sigmoid(logits) - 0.1).clamp(0.0, 1.0) * 2.0 - 1.0;
    return Disturbed(Straight(Signs(soft), soft), soft, options_.noise * 0.5,
                     pass, options_.hash_mix);
  }

  at::Tensor Decode(const at::Tensor& code) const override {
    const at::Tensor from = 0.5 * (code - 1.0);
    const at::Tensor first = at::relu(ones_(from) + zeros_(1.0 - from));
    return decode_(at::relu(hidden_(first)));
  }

  at::Tensor Sample(at::IntArrayRef shape,
                    const nn::Context& context) const override {
    return Signs(Bottleneck::Sample(shape, context));
  }

 private:
  Dense encode_, ones_, zeros_, hidden_;
};

enum class Code { kTanh, kVariational, kBits, kByHParams };

// What tells T2T's models from each other.
struct Variant {
  const char* name;
  bool is_residual;
  Code code;
};
constexpr Variant kVariants[] = {
    {"autoencoder_basic", false, Code::kTanh},
    {"autoencoder_autoregressive", false, Code::kTanh},
    {"autoencoder_basic_discrete", false, Code::kBits},
    {"autoencoder_residual", true, Code::kTanh},
    {"autoencoder_residual_vae", true, Code::kVariational},
    {"autoencoder_residual_discrete", true, Code::kByHParams},
};

std::unique_ptr<Bottleneck> MakeBottleneck(const Scope& body, Code code,
                                           const CodeOptions& options,
                                           const HParams& hparams) {
  switch (code) {
    case Code::kTanh:
      return std::make_unique<TanhBottleneck>(body, options);
    case Code::kVariational:
      return std::make_unique<VariationalBottleneck>(body, options);
    case Code::kBits:
      return std::make_unique<BitsBottleneck>(body, options, "");
    case Code::kByHParams:
      break;
  }
  const std::string kind = hparams.GetString("bottleneck_kind");
  if (kind == "isemhash") {
    return std::make_unique<HashBottleneck>(body, options);
  }
  if (kind == "tanh_discrete") {
    return std::make_unique<BitsBottleneck>(body, options, kind);
  }
  throw UsageError("bottleneck_kind=" + kind + " is not here",
                   "tanh_discrete or isemhash",
                   "change --hparams=bottleneck_kind=...");
}

// Pixels that were made out of a code, one after the other.
class MadeState : public DecodeState {
 public:
  explicit MadeState(at::Tensor logits) : logits_(std::move(logits)) {}

  void Select(const at::Tensor& rows) override {
    logits_ = logits_.index_select(0, rows.to(logits_.device()));
  }
  at::Tensor Next() {
    if (next_ >= logits_.size(1)) {
      throw UsageError("decoding asks for number " + std::to_string(next_ + 1),
                       "no more than " + std::to_string(logits_.size(1)) +
                           ", which a sample has",
                       "set --decode_hparams=extra_length=0");
    }
    return logits_.select(1, next_++);
  }

 private:
  at::Tensor logits_;  // [rows, numbers, V]
  int64_t next_ = 0;
};

class Autoencoder : public Model {
 public:
  Autoencoder(const Variant& variant, HParams hparams, ProblemInfo info,
              const ParamOptions& params)
      : Model(std::move(hparams), std::move(info), params) {
    RefuseScheduledSampling(hparams_);
    Check();
    const Scope root(&params_, variant.name, DefaultInitializer(hparams_));
    RefuseSplitModel(root);
    MakeEndsButTop(root);
    const FeatureInfo& targets = info_.features.at("targets");
    values_ = target_modality().vocab_size();
    if (targets.shape.size() == 3) channels_ = targets.shape[2];
    options_ = AutoencoderOptions::FromHParams(hparams_);
    options_.is_residual = variant.is_residual;
    // Text is an image of width 1.
    options_.is_line = hparams_.GetInt("sample_width") == 1 ||
                       (targets.shape.size() == 3
                            ? targets.shape[1] == 1
                            : !TraitsOfModality(targets.modality).is_image);
    const Scope body = root.Sub("body");
    embedding_.emplace(body.Sub("embedding"), channels_ * values_,
                       options_.size);
    encoder_.emplace(body.Sub("encoder"), options_);
    bottleneck_ = MakeBottleneck(
        body, variant.code,
        CodeOptions::FromHParams(hparams_, encoder_->out_size()), hparams_);
    decoder_.emplace(body.Sub("decoder"), options_, encoder_->out_size());
    pixels_ = Dense(body.Sub("res_dense"), decoder_->out_size(),
                    channels_ * options_.size);
    top_ = Dense(body.Sub("autoencoder_final"), options_.size, values_);
    MakeAutoregressive(body);
  }

  // A new one, out of a random code.
  std::unique_ptr<DecodeState> StartDecoding(
      const Features& features) override {
    const at::NoGradGuard no_grad;
    nn::Context context;
    const int64_t rows =
        RequiredFeature(features, info_.has_inputs() ? "inputs" : "targets")
            .size(0);
    const int64_t places = int64_t{1} << options_.layers;
    const std::vector<int64_t> shape = {
        rows, std::max<int64_t>(hparams_.GetInt("sample_height") / places, 1),
        options_.is_line
            ? 1
            : std::max<int64_t>(hparams_.GetInt("sample_width") / places, 1),
        hparams_.GetInt("bottleneck_bits")};
    const at::Tensor x =
        bottleneck_->Decode(bottleneck_->Sample(shape, context));
    const at::Tensor logits = Pixels((*decoder_)(x, {}, {&context, step_}));
    return std::make_unique<MadeState>(logits.flatten(1, 3));
  }
  at::Tensor DecodeStep(DecodeState* state, const at::Tensor&) override {
    return static_cast<MadeState*>(state)->Next();
  }

 protected:
  // Logits, shaped as the targets.
  at::Tensor Body(const Features& features, nn::Context& context) override {
    const at::Tensor& targets = RequiredFeature(features, "targets");
    const at::Tensor ids_BHWC = AsGrid(targets);
    const CodePass pass{&context, step_};
    const at::Tensor embedded = embedding_->OfIds(ids_BHWC, values_);
    std::vector<at::Tensor> on_the_way;
    at::Tensor x = (*encoder_)(embedded, pass, &on_the_way);
    at::Tensor loss;
    const at::Tensor code = bottleneck_->Encode(x, pass, &loss);
    if (loss.defined()) context.losses.Add("bottleneck_extra", loss);
    const at::Tensor made = bottleneck_->Decode(code);
    x = context.training ? Warmed(x, made, pass) : made;
    x = (*decoder_)(x, on_the_way, pass)
            .narrow(1, 0, ids_BHWC.size(1))
            .narrow(2, 0, ids_BHWC.size(2));
    at::Tensor logits = Pixels(x);
    if (autoregressive_) {
      context.losses.Add("plain", CrossEntropy(logits, ids_BHWC).mean());
      logits = FromEarlier(logits, embedded, context);
    }
    std::vector<int64_t> shape = targets.sizes().vec();
    shape.push_back(values_);
    return logits.reshape(shape);
  }

  at::Tensor Top(const at::Tensor& logits) const override { return logits; }

  LossParts TargetLoss(const Features& features,
                       nn::Context& context) override {
    const at::Tensor losses = CrossEntropy(
        Logits(features, context), RequiredFeature(features, "targets"));
    LossParts parts;
    parts.numerator = losses.sum();
    parts.denominator =
        at::full({}, static_cast<double>(losses.numel()), losses.options());
    return parts;
  }

 private:
  void Check() const {
    if (hparams_.GetDouble("gan_loss_factor") != 0.0) {
      throw UsageError("gan_loss_factor above 0 is not here",
                       "an autoencoder without an adversarial loss",
                       "set --hparams=gan_loss_factor=0");
    }
    if (hparams_.GetInt("use_vq_loss") != 0) {
      throw UsageError("use_vq_loss is not here", "False",
                       "set --hparams=use_vq_loss=0");
    }
  }

  void MakeAutoregressive(const Scope& body) {
    const std::string mode = StringOr(hparams_, "autoregressive_mode", "none");
    if (mode == "none") return;
    if (mode != "conv3" && mode != "conv5") {
      throw UsageError("autoregressive_mode=" + mode + " is not here",
                       "none, conv3 or conv5",
                       "change --hparams=autoregressive_mode=...");
    }
    if (channels_ != 1 || hparams_.GetBool("autoregressive_gumbel_sample")) {
      throw UsageError(
          "autoregressive_mode=" + mode + " with " +
              (channels_ != 1 ? std::to_string(channels_) + " channels"
                              : "autoregressive_gumbel_sample"),
          "one channel, and no samples",
          "set --hparams=autoregressive_mode=none");
    }
    forgets_base_ = hparams_.GetBool("autoregressive_forget_base");
    autoregressive_.emplace(
        body.Sub("autoregressive_" + mode),
        nn::GridConvOptions{.in = (forgets_base_ ? 1 : 2) * options_.size,
                            .out = options_.size,
                            .window = {.height = mode == "conv3" ? 3 : 5,
                                       .padding = nn::GridPadding::kLeft}});
    autoregressive_top_ =
        Dense(body.Sub("autoregressive_final"), options_.size, values_);
  }

  static at::Tensor CrossEntropy(const at::Tensor& logits,
                                 const at::Tensor& ids) {
    return SmoothedCrossEntropy(
        logits, ids.reshape(logits.sizes().slice(0, logits.dim() - 1)), 0.0);
  }

  at::Tensor AsGrid(const at::Tensor& ids) const {
    return ids.dim() == 4 ? ids : ids.view({ids.size(0), -1, 1, 1});
  }

  // x [B, H, W, I] -> [B, H, W, C, V].
  at::Tensor Pixels(const at::Tensor& x) const {
    return top_(pixels_(x).unflatten(-1, {channels_, options_.size}));
  }

  // Between the code and what it was made of: the code must learn to be like
  // that, and early in training the decoder sees that instead.
  at::Tensor Warmed(const at::Tensor& x, const at::Tensor& made,
                    const CodePass& pass) const {
    const auto steps = static_cast<int64_t>(
        static_cast<double>(hparams_.GetInt("bottleneck_warmup_steps")) * 0.25 *
        static_cast<double>(int64_t{1} << options_.layers));
    const at::Tensor distance = (x.detach() - made).square().sum(-1).mean();
    const double most = 1.0 / InverseExpDecay(steps, 0.001, pass.step);
    const at::Tensor scale = most / distance.detach().clamp_min(most);
    pass.context->losses.Add(
        "bottleneck_l2",
        distance * scale * hparams_.GetDouble("bottleneck_l2_factor"));
    const double share = InverseLinearDecay(steps, pass.step) + 0.01;
    return at::where(nn::UniformLike(x, *pass.context).lt(share), made, x);
  }

  // Each from the code and those before it.
  at::Tensor FromEarlier(const at::Tensor& logits, const at::Tensor& embedded,
                         const nn::Context& context) const {
    const bool pure = !context.training &&
                      hparams_.GetBool("autoregressive_eval_pure_autoencoder");
    const at::Tensor before = ShiftRight(
        (pure && !forgets_base_ ? at::zeros_like(embedded) : embedded)
            .flatten(1, 2));
    const at::Tensor seen =
        forgets_base_
            ? before
            : at::cat({embedding_->OfVectors(logits.flatten(3)).flatten(1, 2),
                       before},
                      2);
    return autoregressive_top_(
        nn::BipolarElu((*autoregressive_)(seen.unsqueeze(2))));
  }

  AutoencoderOptions options_;
  int64_t values_ = 0;    // V
  int64_t channels_ = 1;  // C
  std::optional<PixelEmbedding> embedding_;
  std::optional<GridEncoder> encoder_;
  std::unique_ptr<Bottleneck> bottleneck_;
  std::optional<GridDecoder> decoder_;
  Dense pixels_, top_;
  bool forgets_base_ = false;
  std::optional<nn::GridConv> autoregressive_;
  Dense autoregressive_top_;
};

}  // namespace

void RegisterAutoencoder(ModelRegistry& models) {
  for (const Variant& variant : kVariants) {
    models.Add(
        variant.name,
        [&variant](const HParams& hparams, const ProblemInfo& info,
                   const ParamOptions& params) -> std::unique_ptr<Model> {
          return std::make_unique<Autoencoder>(variant, hparams, info, params);
        });
  }
}

}  // namespace t2t
