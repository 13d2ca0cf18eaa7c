// The model position_mlp: two dense layers over each position by itself. And
// the modality symbol_unsmoothed: T2T's symbols without label smoothing.

#include <ATen/ATen.h>

#include <utility>

#include "models/encoder_only.h"
#include "t2t/modality/modality_base.h"
#include "t2t/nn/dense.h"
#include "t2t/problem/modality_traits.h"
#include "usr_dir.h"

namespace usr_dir {
namespace {

// Shapes: B batch, L length, D hidden_size.
class PositionMlp : public t2t::EncoderOnlyModel {
 public:
  PositionMlp(t2t::HParams hparams, t2t::ProblemInfo info,
              const t2t::ParamOptions& params)
      : EncoderOnlyModel("position_mlp", std::move(hparams), std::move(info),
                         params),
        first_(root().Sub("body/first"), hparams_.GetInt("hidden_size"),
               hparams_.GetInt("filter_size")),
        second_(root().Sub("body/second"), hparams_.GetInt("filter_size"),
                hparams_.GetInt("hidden_size")) {
    MakeEnds(root());
  }

 protected:
  at::Tensor Body(const t2t::Features& features,
                  t2t::nn::Context& context) override {
    const at::Tensor x_BLD = EmbedInputs(features, context);
    return x_BLD + second_(at::relu(first_(x_BLD)));
  }

 private:
  t2t::Dense first_, second_;
};

std::unique_ptr<t2t::Modality> MakeUnsmoothed(const t2t::Scope& scope,
                                              const t2t::ModalitySpec& all) {
  t2t::ModalitySpec spec = all;
  spec.label_smoothing = 0;
  return t2t::MakeSymbol(scope, std::move(spec));
}

}  // namespace

void RegisterModel(const t2t::Registries& registries) {
  t2t::AddModel<PositionMlp>(registries.models, "position_mlp");
  registries.modalities.Add("symbol_unsmoothed", MakeUnsmoothed);
  // Batched, searched and shown as symbols are.
  t2t::AddModalityTraits("symbol_unsmoothed", t2t::TraitsOfModality("symbol"));
}

}  // namespace usr_dir
