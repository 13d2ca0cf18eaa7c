#ifndef MODELS_ENCODER_ONLY_H_
#define MODELS_ENCODER_ONLY_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <string>

#include "t2t/modality/modality.h"
#include "t2t/model/model.h"

namespace t2t {

// A model whose outputs don't depend on the targets: a class for the whole
// input, or a symbol for each of its positions. Decoding gives one position's
// logits a step, whatever ids come back.
class EncoderOnlyModel : public Model {
 public:
  // Throws where the problem has no inputs.
  EncoderOnlyModel(const std::string& name, HParams hparams, ProblemInfo info,
                   uint64_t seed);

  at::Tensor Logits(const Features& features, Mode mode) override;
  LossParts Loss(const Features& features, Mode mode) override;
  std::unique_ptr<DecodeState> StartDecoding(const Features& features) override;
  at::Tensor DecodeStep(DecodeState* state, const at::Tensor& ids) override;

 protected:
  // Makes the modalities; body_size as in MakeModalities. A constructor calls
  // it.
  void MakeEnds(int64_t body_size = 0);
  // The body's output for the embedded inputs.
  virtual at::Tensor Body(const at::Tensor& inputs, const Features& features,
                          Mode mode) const = 0;
  const Scope& root() const { return root_; }

 private:
  at::Tensor Run(const Features& features, Mode mode) const;

  Scope root_;
  Modalities modalities_;
};

// features' `name`; a DataError where it isn't there.
const at::Tensor& RequiredFeature(const Features& features,
                                  const std::string& name);

}  // namespace t2t

#endif  // MODELS_ENCODER_ONLY_H_
