#ifndef MODELS_ENCODER_ONLY_H_
#define MODELS_ENCODER_ONLY_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>

#include "t2t/model/model.h"

namespace t2t {

// Throws a usage error where the problem has no inputs for the model `name`.
void RequireInputs(const ProblemInfo& info, const std::string& name);

// A model whose outputs don't depend on the targets: a class for the whole
// input, or a symbol for each of its positions. Decoding gives one position's
// logits a step, whatever ids come back. A family's constructor calls
// MakeEnds(root()), or makes a top of its own.
class EncoderOnlyModel : public Model {
 public:
  // Throws where the problem has no inputs.
  EncoderOnlyModel(const std::string& name, HParams hparams, ProblemInfo info,
                   const ParamOptions& params);

  std::unique_ptr<DecodeState> StartDecoding(const Features& features) override;
  at::Tensor DecodeStep(DecodeState* state, const at::Tensor& ids) override;

 protected:
  // The model's scope.
  const Scope& root() const { return root_; }

 private:
  Scope root_;
};

}  // namespace t2t

#endif  // MODELS_ENCODER_ONLY_H_
