#ifndef T2T_MODEL_STACKED_MODEL_H_
#define T2T_MODEL_STACKED_MODEL_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "t2t/model/seq2seq_model.h"
#include "t2t/nn/block.h"

namespace t2t {

// Which stack of a model is made.
struct StackSide {
  bool is_decoder = false;
  bool has_memory = false;  // the decoder looks at an encoder's output
};

// The stack whose parameters are under the scope that is given,
// "<model>/body/encoder" or "<model>/body/decoder".
using MakeStack = std::function<nn::Stack(const Scope& scope, StackSide side)>;

// An encoder and a decoder, or a decoder alone for a problem without inputs,
// that are stacks of blocks. It decodes step by step where the decoder's layers
// can, and else by running all layers over what was decoded so far.
class StackedModel : public Seq2SeqModel {
 public:
  StackedModel(const std::string& name, const SequenceOptions& options,
               MakeStack make, HParams hparams, ProblemInfo info,
               const ParamOptions& params);

  std::unique_ptr<DecodeState> StartDecoding(const Features& features) override;
  at::Tensor DecodeStep(DecodeState* state, const at::Tensor& ids) override;

 protected:
  void BuildEncoder(const Scope& scope) override;
  void BuildDecoder(const Scope& scope, bool has_memory) override;
  at::Tensor Encode(const at::Tensor& x, nn::Pass& pass) const override {
    return encoder_(x, pass);
  }
  at::Tensor Decode(const at::Tensor& x, nn::Pass& pass) const override {
    return decoder_(x, pass);
  }
  bool LayersCanBeRagged() const override {
    return encoder_.CanBeRagged() && decoder_.CanBeRagged();
  }

 private:
  MakeStack make_;
  nn::Stack encoder_;  // empty without inputs
  nn::Stack decoder_;
};

// Throws a usage error where the mesh splits the model that the scope is of,
// for families whose own layers are not split.
void RefuseSplitModel(const Scope& scope);

}  // namespace t2t

#endif  // T2T_MODEL_STACKED_MODEL_H_
