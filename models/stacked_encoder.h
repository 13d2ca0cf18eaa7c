#ifndef MODELS_STACKED_ENCODER_H_
#define MODELS_STACKED_ENCODER_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <utility>

#include "models/encoder_only.h"
#include "t2t/model/sequence_encoder.h"
#include "t2t/model/sequence_options.h"
#include "t2t/model/stacked_model.h"
#include "t2t/nn/block.h"

namespace t2t {

// An encoder alone that is a stack of blocks.
class StackedEncoder : public EncoderOnlyModel {
 public:
  StackedEncoder(const std::string& name, const SequenceOptions& options,
                 const MakeStack& make, HParams hparams, ProblemInfo info,
                 const ParamOptions& params)
      : EncoderOnlyModel(name, std::move(hparams), std::move(info), params),
        encoder_(root().Sub("body"), options),
        stack_(make(root().Sub("body").Sub("encoder"), {})) {
    MakeEnds(root());
    set_precision(options.activation_type);
  }

 protected:
  at::Tensor Body(const Features& features, nn::Context& context) override {
    return encoder_
        .Whole(AsSequence(EmbedInputs(features, context)),
               info_.target_space_id, features, context,
               [this](const at::Tensor& x, nn::Pass& pass) {
                 return stack_(x, pass);
               })
        .output;
  }

 private:
  SequenceEncoder encoder_;
  nn::Stack stack_;
};

}  // namespace t2t

#endif  // MODELS_STACKED_ENCODER_H_
