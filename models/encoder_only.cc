#include "models/encoder_only.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <utility>

#include "t2t/base/error.h"
#include "t2t/model/scheduled_sampling.h"

namespace t2t {
namespace {

class PositionsState : public DecodeState {
 public:
  explicit PositionsState(at::Tensor logits) : logits_(std::move(logits)) {}

  void Select(const at::Tensor& rows) override {
    logits_ = logits_.index_select(0, rows);
  }

  at::Tensor Next() {
    if (next_ >= logits_.size(1)) {
      throw UsageError(
          "decoding asks for output " + std::to_string(next_ + 1),
          "no more than " + std::to_string(logits_.size(1)) +
              ": this model has one output for each position of the input",
          "set --decode_hparams=extra_length=0");
    }
    return logits_.select(1, next_++);
  }

 private:
  at::Tensor logits_;  // [rows, positions, vocab]
  int64_t next_ = 0;
};

}  // namespace

void RequireInputs(const ProblemInfo& info, const std::string& name) {
  if (info.has_inputs()) return;
  throw UsageError("problem '" + info.name + "' has no inputs",
                   "one with inputs, for the model " + name,
                   "choose another --problem or --model");
}

EncoderOnlyModel::EncoderOnlyModel(const std::string& name, HParams hparams,
                                   ProblemInfo info, const ParamOptions& params)
    : Model(std::move(hparams), std::move(info), params),
      root_(&params_, name, DefaultInitializer(hparams_)) {
  RefuseScheduledSampling(hparams_);
  RequireInputs(info_, name);
}

std::unique_ptr<DecodeState> EncoderOnlyModel::StartDecoding(
    const Features& features) {
  const at::NoGradGuard no_grad;
  Features given = features;
  given.erase("targets");
  const at::Tensor logits = Logits(given, Mode::kPredict);
  return std::make_unique<PositionsState>(
      logits.reshape({logits.size(0), -1, logits.size(-1)}));
}

at::Tensor EncoderOnlyModel::DecodeStep(DecodeState* state, const at::Tensor&) {
  return static_cast<PositionsState*>(state)->Next();
}

}  // namespace t2t
