// A Transformer that is also trained to say, from each position, symbols that
// stood some positions before or will stand some after. Trinh et al. 2018,
// "Learning Longer-term Dependencies in RNNs with Auxiliary Losses",
// arXiv:1803.00144. Each of them has an output layer of its own, for training
// alone: it decodes as the Transformer does.
// Shapes: B batch, L length, D hidden_size, V vocabulary.

#include <ATen/ATen.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "models/all_models.h"
#include "models/transformer.h"
#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/hparams/values_or.h"
#include "t2t/model/scheduled_sampling.h"
#include "t2t/model/stacked_model.h"
#include "t2t/ops/cross_entropy.h"
#include "t2t/problem/modality_traits.h"

namespace t2t {
namespace {

constexpr char kName[] = "transformer_aux";

std::vector<int64_t> ShiftsOf(const HParams& hparams) {
  std::vector<int64_t> shifts;
  const std::string values = StringOr(hparams, "shift_values", "");
  for (const std::string& part : Split(values, ',')) {
    int64_t shift = 0;
    if (!ParseInt(part, &shift) || shift == 0) {
      throw UsageError("shift_values=" + values + " with the model " + kName,
                       "whole numbers but 0 with commas between",
                       "take a set that has it (transformer_aux_base), or set "
                       "--hparams=shift_values=1,2,3,4");
    }
    shifts.push_back(shift);
  }
  return shifts;
}

// What stood `shift` positions before, or, below 0, will stand after; padding
// where there is nothing.
at::Tensor Shifted(const at::Tensor& ids_BL, int64_t shift) {
  const int64_t length = ids_BL.size(1);
  const int64_t left = length - std::abs(shift);
  if (left <= 0) return at::zeros_like(ids_BL);
  return shift > 0
             ? at::constant_pad_nd(ids_BL.narrow(1, 0, left), {shift, 0})
             : at::constant_pad_nd(ids_BL.narrow(1, -shift, left), {0, -shift});
}

class TransformerAux : public Transformer {
 public:
  TransformerAux(HParams hparams, ProblemInfo info, const ParamOptions& params)
      : Transformer(kName, TransformerConfig::FromHParams(hparams), hparams,
                    std::move(info), params) {
    RefuseScheduledSampling(hparams_);
    const FeatureInfo& targets = info_.features.at("targets");
    if (!TraitsOfModality(targets.modality).is_plain_symbols) {
      throw UsageError("targets of the modality " + targets.modality +
                           " with the model " + kName,
                       "symbols", "take --model=transformer");
    }
    const Scope body(&params_, "transformer_aux/body",
                     DefaultInitializer(hparams_));
    RefuseSplitModel(body);
    const int64_t vocabulary = target_modality().vocab_size();
    const int64_t size = config().sequence.hidden_size;
    const std::string modality = "symbol_modality_" +
                                 std::to_string(vocabulary) + "_" +
                                 std::to_string(size);
    for (const int64_t shift : ShiftsOf(hparams_)) {
      const std::string name = (shift > 0 ? "reconst_" : "predict_") +
                               std::to_string(std::abs(shift));
      auxiliaries_.push_back(
          {shift,
           body.Sub(name).Sub(modality).Sub("softmax").Param(
               "weights", {vocabulary, size},
               NormalInit(0.0, 1.0 / std::sqrt(static_cast<double>(size))))});
    }
  }

 protected:
  LossParts TargetLoss(const Features& features,
                       nn::Context& context) override {
    const at::Tensor body_BLD = RunBody(features, context).to(at::kFloat);
    const at::Tensor& ids_BL = RequiredFeature(features, "targets");
    const double smoothing =
        context.training ? hparams_.GetDouble("label_smoothing") : 0.0;
    const at::Tensor rows = body_BLD.reshape({-1, body_BLD.size(-1)});
    for (const Auxiliary& auxiliary : auxiliaries_) {
      const at::Tensor shifted =
          Shifted(ids_BL, auxiliary.shift).to(at::kLong).flatten();
      const at::Tensor weights = shifted.ne(0).to(at::kFloat);
      context.losses.Add("auxiliary",
                         FusedCrossEntropy(rows, auxiliary.softmax_VD, shifted,
                                           weights, smoothing) /
                             weights.sum().clamp_min(1.0));
    }
    return target_modality().Loss(body_BLD, ids_BL, {}, ModeOf(context));
  }

 private:
  struct Auxiliary {
    int64_t shift;
    at::Tensor softmax_VD;
  };
  std::vector<Auxiliary> auxiliaries_;
};

}  // namespace

void RegisterTransformerAux(ModelRegistry& models) {
  AddModel<TransformerAux>(models, kName);
}

}  // namespace t2t
