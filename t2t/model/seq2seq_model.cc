#include "t2t/model/seq2seq_model.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <utility>

#include "t2t/base/error.h"
#include "t2t/model/autocast.h"
#include "t2t/model/ragged_ids.h"
#include "t2t/ops/device.h"
#include "t2t/problem/modality_traits.h"

namespace t2t {
namespace {

// Longer sequences are better off with ATen's large matrix products.
constexpr int64_t kMaxRaggedLength = 512;

}  // namespace

Seq2SeqModel::Seq2SeqModel(std::string name, const SequenceOptions& options,
                           HParams hparams, ProblemInfo info,
                           const ParamOptions& params)
    : Model(std::move(hparams), std::move(info), params),
      name_(std::move(name)),
      options_(options),
      sampling_(ScheduledSampling::FromHParams(hparams_, info_)) {
  set_precision(options.activation_type);
}

void Seq2SeqModel::Build() {
  const Scope root(&params_, name_, DefaultInitializer(hparams_));
  const Scope body = options_.no_body_scope ? root : root.Sub("body");
  MakeEnds(root);
  if (info_.has_inputs()) {
    encoder_ = std::make_unique<SequenceEncoder>(body, options_);
    BuildEncoder(body.Sub("encoder"));
  }
  decoder_ = std::make_unique<SequenceDecoder>(body, options_);
  BuildDecoder(body.Sub("decoder"), /*has_memory=*/info_.has_inputs());
  ragged_ =
      options_.CanBeRagged() && LayersCanBeRagged() && ComputeDevice().is_cpu();
  for (const auto& [name, feature] : info_.features) {
    const ModalityTraits& traits = TraitsOfModality(feature.modality);
    ragged_ =
        ragged_ && traits.is_plain_symbols && traits.padding_weighs_nothing;
  }
}

Encoded Seq2SeqModel::EncodeInputs(const Features& features,
                                   nn::Context& context) const {
  if (encoder_ == nullptr) return {};
  return encoder_->Whole(
      InputSequence(EmbedInputs(features, context)), info_.target_space_id,
      features, context,
      [this](const at::Tensor& x, nn::Pass& pass) { return Encode(x, pass); });
}

at::Tensor Seq2SeqModel::DecodeTargets(const at::Tensor& targets_BLD,
                                       const Encoded& encoded,
                                       const Features& features,
                                       nn::Context& context,
                                       const MemoryChunk* chunk) const {
  return decoder_->Whole(
      targets_BLD, encoded, features, context,
      [this](const at::Tensor& x, nn::Pass& pass) { return Decode(x, pass); },
      chunk);
}

at::Tensor Seq2SeqModel::Body(const Features& features, nn::Context& context) {
  const Encoded encoded = EncodeInputs(features, context);
  const at::Tensor targets =
      EmbedTargets(RequiredFeature(features, "targets"), context);
  return DecodeTargets(AsSequence(targets), encoded, features, context)
      .reshape(targets.sizes());
}

std::optional<LossParts> Seq2SeqModel::RaggedLoss(const Features& features,
                                                  nn::Context& context) const {
  const at::Tensor& targets = RequiredFeature(features, "targets");
  if (!ragged_ || features.count("targets_segmentation") > 0 ||
      targets.dim() != 2 || targets.size(1) > kMaxRaggedLength) {
    return std::nullopt;
  }
  const RaggedIds outputs = WithoutPadding(targets, /*until_last=*/true);
  if (outputs.empty()) return std::nullopt;
  nn::RaggedSequences sequences;
  sequences.rows = outputs.rows;
  if (encoder_ != nullptr) {
    const at::Tensor& inputs = RequiredFeature(features, "inputs");
    // A row of nothing but padding has its own ways.
    if (inputs.dim() != 2 || inputs.size(1) > kMaxRaggedLength ||
        inputs.ne(0).any(1).logical_not().any().item<bool>()) {
      return std::nullopt;
    }
    const RaggedIds sources = WithoutPadding(inputs, /*until_last=*/false);
    sequences.memory_rows = sources.rows;
    sequences.memory_1SD = encoder_->Ragged(
        EmbedInputs({{"inputs", sources.ids_1T}}, context), sources.rows,
        info_.target_space_id, context,
        [this](const at::Tensor& x, nn::Pass& p) { return Encode(x, p); });
  }
  const at::Tensor body = decoder_->Ragged(
      EmbedTargets(outputs.before_1T, context), sequences, context,
      [this](const at::Tensor& x, nn::Pass& p) { return Decode(x, p); });
  return target_modality().Loss(body, outputs.ids_1T, {}, ModeOf(context));
}

LossParts Seq2SeqModel::SampledLoss(const Features& features,
                                    nn::Context& context) {
  const at::Tensor& gold = RequiredFeature(features, "targets");
  const double share = sampling_.Share(step_);
  Features given = features;
  for (int64_t pass = 0; pass < sampling_.passes; ++pass) {
    const at::NoGradGuard no_grad;
    nn::Context not_counted(/*is_training=*/true);
    not_counted.rng = context.rng;
    not_counted.precision = context.precision;
    const at::Tensor logits = Logits(given, not_counted);
    given["targets"] =
        MixSampled(gold, given.at("targets"), logits, share, pass, context.rng);
  }
  return target_modality().Loss(RunBody(given, context).to(at::kFloat), gold,
                                {}, Mode::kTrain);
}

LossParts Seq2SeqModel::TargetLoss(const Features& features,
                                   nn::Context& context) {
  if (context.training && sampling_.passes > 0) {
    return SampledLoss(features, context);
  }
  if (std::optional<LossParts> loss = RaggedLoss(features, context)) {
    return *std::move(loss);
  }
  return Model::TargetLoss(features, context);
}

std::unique_ptr<DecodeState> Seq2SeqModel::StartDecoding(
    const Features& features) {
  const at::NoGradGuard no_grad;
  nn::Context context;
  const Autocast autocast(PrecisionOf(context));
  for (const auto& [name, tensor] : features) {
    if (name == "inputs_segmentation" || name == "targets_segmentation") {
      throw UsageError("decoding a packed batch", "one example a row",
                       "set --hparams=pack_dataset=False");
    }
  }
  CheckLayersCanStep();
  // A language model needs nothing but the number of rows.
  const auto inputs = features.find("inputs");
  const int64_t rows =
      inputs != features.end()
          ? inputs->second.size(0)
          : RequiredFeature(features,
                            encoder_ != nullptr ? "inputs" : "targets")
                .size(0);
  Features here = features;
  for (auto& [name, tensor] : here) tensor = tensor.to(ComputeDevice());
  return decoder_->Start(EncodeInputs(here, context), rows);
}

at::Tensor Seq2SeqModel::DecodeStep(DecodeState* state, const at::Tensor& ids) {
  const at::NoGradGuard no_grad;
  nn::Context context;
  const Autocast autocast(PrecisionOf(context));
  return target_modality()
      .Top(StepOutput(state, ids, context))
      .to(at::kFloat)
      .squeeze(1);
}

at::Tensor Seq2SeqModel::NextEmbedding(const CachedDecodeState& state,
                                       const at::Tensor& ids,
                                       const nn::Context& context) const {
  return ids.defined() ? EmbedTargets(ids.to(ComputeDevice()), context)
                       : at::zeros({state.rows(), 1, options_.hidden_size},
                                   OnDevice(at::kFloat));
}

at::Tensor Seq2SeqModel::StepOutput(DecodeState* state, const at::Tensor& ids,
                                    nn::Context& context) const {
  auto* const own = static_cast<CachedDecodeState*>(state);
  const at::Tensor last = ids.defined() ? ids.view({-1, 1}) : ids;
  return decoder_->Step(
      NextEmbedding(*own, last, context), own, context,
      [this](const at::Tensor& x, nn::Pass& pass) { return Decode(x, pass); });
}

at::Tensor Seq2SeqModel::BlockOutput(DecodeState* state, const at::Tensor& ids,
                                     nn::Context& context) const {
  auto* const own = static_cast<CachedDecodeState*>(state);
  return decoder_->StepBlock(
      NextEmbedding(*own, ids, context), own, context,
      [this](const at::Tensor& x, nn::Pass& pass) { return Decode(x, pass); });
}

}  // namespace t2t
