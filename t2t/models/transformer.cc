#include "t2t/models/transformer.h"

#include <ATen/core/grad_mode.h>

#include <utility>
#include <vector>

#include "t2t/base/error.h"

namespace t2t {
namespace {

const at::Tensor& Required(const Features& features, const char* name) {
  const auto found = features.find(name);
  if (found == features.end()) {
    throw DataError(std::string("the batch has no '") + name + "'",
                    "examples with inputs and targets as the problem says",
                    "look whether the data was generated for this problem");
  }
  return found->second;
}

// Images and other grids as one sequence.
at::Tensor Flatten(const at::Tensor& x) {
  return x.dim() <= 3 ? x : x.reshape({x.size(0), -1, x.size(-1)});
}

}  // namespace

Transformer::Transformer(HParams hparams, ProblemInfo info, uint64_t seed)
    : Model(std::move(hparams), std::move(info), seed),
      config_(TransformerConfig::FromHParams(hparams_)) {
  const Scope root(&params_, "transformer", DefaultInitializer(hparams_));
  const Scope body = root.Sub("body");
  modalities_ = MakeModalities(root, info_, hparams_);
  if (info_.has_inputs()) {
    encoder_ = std::make_unique<TransformerEncoderStack>(body, config_);
  }
  decoder_ = std::make_unique<TransformerDecoderStack>(
      body, config_, /*has_memory=*/info_.has_inputs());
}

Encoded Transformer::Encode(const Features& features, Mode mode) const {
  if (encoder_ == nullptr) return {};
  const at::Tensor inputs =
      Flatten(modalities_.inputs->Bottom(Required(features, "inputs"), mode));
  return (*encoder_)(inputs, info_.target_space_id, features,
                     mode == Mode::kTrain);
}

at::Tensor Transformer::Body(const Features& features, Mode mode) const {
  const Autocast autocast(config_.activation_type);
  const Encoded encoded = Encode(features, mode);
  const at::Tensor targets =
      modalities_.targets->TargetsBottom(Required(features, "targets"), mode);
  const at::Tensor output =
      (*decoder_)(Flatten(targets), encoded, features, mode == Mode::kTrain);
  return output.reshape(targets.sizes());
}

at::Tensor Transformer::Logits(const Features& features, Mode mode) {
  const at::Tensor body = Body(features, mode);
  const Autocast autocast(config_.activation_type);
  return modalities_.targets->Top(body).to(at::kFloat);
}

LossParts Transformer::Loss(const Features& features, Mode mode) {
  return modalities_.targets->Loss(Body(features, mode).to(at::kFloat),
                                   Required(features, "targets"), {}, mode);
}

std::unique_ptr<DecodeState> Transformer::StartDecoding(
    const Features& features) {
  const at::NoGradGuard no_grad;
  const Autocast autocast(config_.activation_type);
  for (const auto& [name, tensor] : features) {
    if (name == "inputs_segmentation" || name == "targets_segmentation") {
      throw UsageError("decoding a packed batch", "one example a row",
                       "set --hparams=pack_dataset=False");
    }
  }
  const char* first = encoder_ != nullptr ? "inputs" : "targets";
  // A language model needs nothing but the number of rows.
  const auto inputs = features.find("inputs");
  const int64_t rows = inputs != features.end()
                           ? inputs->second.size(0)
                           : Required(features, first).size(0);
  return decoder_->Start(Encode(features, Mode::kPredict), rows);
}

at::Tensor Transformer::DecodeStep(DecodeState* state, const at::Tensor& ids) {
  const at::NoGradGuard no_grad;
  const Autocast autocast(config_.activation_type);
  auto* own = static_cast<TransformerDecodeState*>(state);
  at::Tensor embedding;
  if (ids.defined()) {
    embedding =
        modalities_.targets->TargetsBottom(ids.view({-1, 1}), Mode::kPredict);
  } else {
    embedding = at::zeros({own->rows(), 1, config_.hidden_size}, at::kFloat);
  }
  const at::Tensor output = decoder_->Step(embedding, own);
  return modalities_.targets->Top(output).to(at::kFloat).squeeze(1);
}

T2T_REGISTER_MODEL(transformer, Transformer);
// In T2T it scores instead of decoding; its checkpoints are transformer's.
T2T_REGISTER_MODEL(transformer_scorer, Transformer);

}  // namespace t2t
