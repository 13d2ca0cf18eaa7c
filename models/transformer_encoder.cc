#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/all_models.h"
#include "models/encoder_only.h"
#include "models/transformer_body.h"
#include "t2t/nn/parameter_units.h"

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
class TransformerEncoder : public EncoderOnlyModel, public ModelWithUnits {
 public:
  TransformerEncoder(HParams hparams, ProblemInfo info, uint64_t seed)
      : EncoderOnlyModel("transformer_encoder", std::move(hparams),
                         std::move(info), seed),
        config_(ConfigOf(hparams_)),
        encoder_(root().Sub("body"), config_) {
    MakeEnds();
  }

  std::vector<std::string> UnitNames() const override {
    return encoder_.UnitNames();
  }

 protected:
  at::Tensor Body(const at::Tensor& inputs, const Features& features,
                  Mode mode) const override {
    const Autocast autocast(config_.activation_type);
    const at::Tensor sequence =
        inputs.reshape({inputs.size(0), -1, inputs.size(-1)});
    return encoder_(sequence, info_.target_space_id, features,
                    mode == Mode::kTrain)
        .output.to(at::kFloat);
  }

 private:
  TransformerConfig config_;
  TransformerEncoderStack encoder_;
};

}  // namespace

void RegisterTransformerEncoder(ModelRegistry& models) {
  AddModel<TransformerEncoder>(models, "transformer_encoder");
}

}  // namespace t2t
