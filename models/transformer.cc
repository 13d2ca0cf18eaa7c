#include "models/transformer.h"

#include <ATen/ATen.h>

#include <utility>

#include "models/all_models.h"
#include "t2t/base/error.h"

namespace t2t {

Transformer::Transformer(HParams hparams, ProblemInfo info,
                         const ParamOptions& params)
    : Transformer("transformer", TransformerConfig::FromHParams(hparams),
                  hparams, std::move(info), params) {}

Transformer::Transformer(const std::string& name,
                         const TransformerConfig& config, HParams hparams,
                         ProblemInfo info, const ParamOptions& params)
    : Seq2SeqModel(name, config.sequence, std::move(hparams), std::move(info),
                   params),
      config_(config) {
  Build();
}

void Transformer::BuildEncoder(const Scope& scope) {
  encoder_ = EncoderStack(scope, config_);
}

void Transformer::BuildDecoder(const Scope& scope, bool has_memory) {
  decoder_ = DecoderStack(scope, config_, has_memory, &recurrent_layers_);
}

at::Tensor Transformer::Encode(const at::Tensor& x, nn::Pass& pass) const {
  return encoder_(x, pass);
}

at::Tensor Transformer::Decode(const at::Tensor& x, nn::Pass& pass) const {
  return decoder_(x, pass);
}

bool Transformer::LayersCanBeRagged() const {
  return encoder_.CanBeRagged() && decoder_.CanBeRagged();
}

void Transformer::CheckLayersCanStep() const {
  if (decoder_.CanStep()) return;
  throw UsageError("decoding with self_attention_type=" +
                       config_.self_attention.type + ", max_area_height=" +
                       std::to_string(config_.decoder_area.max_height),
                   "attention that sees only what was decoded already",
                   "such a model can only be trained and evaluated");
}

void RegisterTransformer(ModelRegistry& models) {
  AddModel<Transformer>(models, "transformer");
  // In T2T it scores instead of decoding; its checkpoints are transformer's.
  AddModel<Transformer>(models, "transformer_scorer");
}

}  // namespace t2t
