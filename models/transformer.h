#ifndef MODELS_TRANSFORMER_H_
#define MODELS_TRANSFORMER_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/scheduled_sampling.h"
#include "models/transformer_body.h"
#include "t2t/modality/modality.h"
#include "t2t/model/model.h"
#include "t2t/nn/parameter_units.h"

namespace t2t {

// T2T's model "transformer": encoder and decoder, or a decoder alone for a
// problem without inputs.
class Transformer : public Model, public ModelWithUnits {
 public:
  Transformer(HParams hparams, ProblemInfo info, uint64_t seed);

  at::Tensor Logits(const Features& features, Mode mode) override;
  LossParts Loss(const Features& features, Mode mode) override;
  std::unique_ptr<DecodeState> StartDecoding(const Features& features) override;
  at::Tensor DecodeStep(DecodeState* state, const at::Tensor& ids) override;
  std::vector<std::string> UnitNames() const override;

 protected:
  // A variant with this name before its variables.
  Transformer(const std::string& name, const TransformerConfig& config,
              HParams hparams, ProblemInfo info, uint64_t seed);

  // The decoder's output, shaped as the embedded targets.
  virtual at::Tensor Body(const Features& features, Mode mode);

  Encoded Encode(const Features& features, Mode mode) const;
  // [batch, length, hidden].
  at::Tensor EmbedTargets(const at::Tensor& targets, Mode mode) const;
  const TransformerConfig& config() const { return config_; }
  const TransformerDecoderStack& decoder() const { return *decoder_; }

 private:
  // Loss() without those of the layers themselves.
  LossParts TargetLoss(const Features& features, Mode mode);

  // The loss of the gold targets, given what the model makes of them.
  LossParts SampledLoss(const Features& features);

  // Loss() without padding; nothing where this batch needs it.
  std::optional<LossParts> RaggedLoss(const Features& features,
                                      Mode mode) const;

  TransformerConfig config_;
  ScheduledSampling sampling_;
  bool ragged_;  // what hparams and modalities say
  Modalities modalities_;
  std::unique_ptr<TransformerEncoderStack> encoder_;
  std::unique_ptr<TransformerDecoderStack> decoder_;
};

}  // namespace t2t

#endif  // MODELS_TRANSFORMER_H_
