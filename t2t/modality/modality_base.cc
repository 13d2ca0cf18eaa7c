#include "t2t/modality/modality_base.h"

#include "t2t/base/error.h"
#include "t2t/ops/cross_entropy.h"
#include "t2t/problem/modality_traits.h"

namespace t2t {
namespace {

// Zero before the first padding, and on padding: T2T's
// weights_prepend_inputs_to_targets.
at::Tensor WeightsAfterFirstPadding(const at::Tensor& targets) {
  const at::Tensor padding = targets.eq(0);
  return padding.cumsum(1).gt(0).logical_and(padding.logical_not());
}

}  // namespace

at::Tensor SpreadWeights(const at::Tensor& weights, const at::Tensor& like) {
  at::Tensor spread = weights;
  while (spread.dim() < like.dim()) spread = spread.unsqueeze(-1);
  return spread;
}

at::Tensor ModalityBase::TargetWeights(const at::Tensor& targets,
                                       const at::Tensor& weights,
                                       Mode mode) const {
  const ModalityTraits& traits = TraitsOfModality(spec_.name);
  const bool symbols = traits.is_symbols && traits.padding_weighs_nothing;
  at::Tensor own;
  if (symbols && (spec_.prepend_mode == "prepend_inputs_full_attention" ||
                  (spec_.prepend_mode == "prepend_inputs_masked_attention" &&
                   mode != Mode::kTrain))) {
    own = WeightsAfterFirstPadding(targets);
  } else if (traits.padding_weighs_nothing) {
    own = targets.ne(0);
  } else {
    own = at::ones(targets.sizes(), targets.device());
  }
  own = own.to(at::kFloat);
  return weights.defined() ? own * SpreadWeights(weights.to(at::kFloat), own)
                           : own;
}

LossParts ModalityBase::Parts(const at::Tensor& numerator,
                              const at::Tensor& denominator) const {
  LossParts parts;
  parts.numerator = spec_.loss_multiplier == 1.0
                        ? numerator
                        : numerator * spec_.loss_multiplier;
  parts.denominator = denominator;
  return parts;
}

LossParts ModalityBase::LossOfLogits(const at::Tensor& logits,
                                     const at::Tensor& targets,
                                     const at::Tensor& weights,
                                     Mode mode) const {
  const at::Tensor used = TargetWeights(targets, weights, mode);
  std::vector<int64_t> expected = targets.sizes().vec();
  expected.push_back(logits.size(-1));
  if (logits.numel() != used.numel() * logits.size(-1)) {
    throw MismatchError("targets of modality '" + spec_.name + "' have " +
                            std::to_string(used.numel()) +
                            " values, the model's output has " +
                            std::to_string(logits.numel() / logits.size(-1)),
                        "one output for each value");
  }
  const at::Tensor losses = SmoothedCrossEntropy(logits.reshape(expected),
                                                 targets, SmoothingIn(mode));
  return Parts((losses * used).sum(), used.sum());
}

}  // namespace t2t
