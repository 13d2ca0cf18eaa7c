#include <ATen/ATen.h>

#include <string>
#include <utility>
#include <vector>

#include "models/all_models.h"
#include "models/encoder_only.h"
#include "models/transformer_config.h"
#include "models/transformer_layers.h"
#include "t2t/model/autocast.h"
#include "t2t/model/sequence_encoder.h"
#include "t2t/nn/dense.h"

namespace t2t {
namespace {

TransformerConfig ConfigOf(const HParams& hparams) {
  TransformerConfig config = TransformerConfig::FromHParams(hparams);
  config.remove_padding = hparams.GetBool("use_pad_remover") &&
                          (config.ffn.type == "dense_relu_dense" ||
                           config.ffn.type == "conv_hidden_relu");
  return config;
}

// The Transformer's encoder alone.
class TransformerEncoder : public EncoderOnlyModel {
 public:
  TransformerEncoder(HParams hparams, ProblemInfo info,
                     const ParamOptions& params)
      : TransformerEncoder("transformer_encoder", std::move(hparams),
                           std::move(info), params) {
    MakeEnds(root());
  }

 protected:
  // Without its ends.
  TransformerEncoder(const std::string& name, HParams hparams, ProblemInfo info,
                     const ParamOptions& params)
      : EncoderOnlyModel(name, std::move(hparams), std::move(info), params),
        config_(ConfigOf(hparams_)),
        encoder_(root().Sub("body"), config_.sequence),
        layers_(EncoderStack(root().Sub("body").Sub("encoder"), config_)) {}

  at::Tensor Body(const Features& features, nn::Context& context) override {
    const at::Tensor inputs = EmbedInputs(features, context);
    // The top stays in fp32.
    const Autocast autocast(config_.sequence.activation_type);
    return encoder_
        .Whole(inputs.reshape({inputs.size(0), -1, inputs.size(-1)}),
               info_.target_space_id, features, context,
               [this](const at::Tensor& x, nn::Pass& pass) {
                 return layers_(x, pass);
               })
        .output.to(at::kFloat);
  }

 private:
  TransformerConfig config_;
  SequenceEncoder encoder_;
  nn::Stack layers_;
};

// The same for a number: the mean of all positions through a dense layer.
class TransformerRegressor : public TransformerEncoder {
 public:
  TransformerRegressor(HParams hparams, ProblemInfo info,
                       const ParamOptions& params)
      : TransformerEncoder("transformer_regressor", std::move(hparams),
                           std::move(info), params),
        top_(root().Sub("reg_top_ffn").Sub("model_top"),
             hparams_.GetInt("hidden_size"), 1) {
    MakeEndsButTop(root());
  }

 protected:
  at::Tensor Top(const at::Tensor& body_output) const override {
    return top_(AsSequence(body_output).mean(1, /*keepdim=*/true));
  }

 private:
  Dense top_;
};

}  // namespace

void RegisterTransformerEncoder(ModelRegistry& models) {
  AddModel<TransformerEncoder>(models, "transformer_encoder");
  AddModel<TransformerRegressor>(models, "transformer_regressor");
}

}  // namespace t2t
