#include <memory>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/modality/modality_base.h"
#include "t2t/nn/dense.h"

namespace t2t {
namespace {

at::Tensor One(const at::Tensor& like) {
  return at::ones({}, like.options().dtype(at::kFloat));
}

// The vectors of the data are the body's input, its output the logits.
class Identity : public ModalityBase {
 public:
  explicit Identity(ModalitySpec spec) : ModalityBase(std::move(spec)) {}

  at::Tensor Bottom(const at::Tensor& x, const nn::Context&) const override {
    return x.to(at::kFloat);
  }
  at::Tensor TargetsBottom(const at::Tensor& x,
                           const nn::Context&) const override {
    return x.to(at::kFloat);
  }
  at::Tensor Top(const at::Tensor& body_output) const override {
    return body_output.to(at::kFloat);
  }
  LossParts LossOfLogits(const at::Tensor& logits, const at::Tensor& targets,
                         const at::Tensor& weights, Mode mode) const override {
    if (spec().name != "generic_l2") {
      return ModalityBase::LossOfLogits(logits, targets, weights, mode);
    }
    const at::Tensor difference =
        logits.to(at::kFloat) - targets.to(at::kFloat);
    return Parts(difference.square().mean(), One(logits));
  }
};

// Real vectors through a dense layer at either end.
class Real : public ModalityBase {
 public:
  Real(const Scope& scope, ModalitySpec given)
      : ModalityBase(std::move(given)) {
    const bool target = spec().side == Side::kTargets;
    bottom_ = Dense((target ? scope.Sub("targets_bottom") : scope)
                        .Sub("real")
                        .Sub("bottom"),
                    spec().vocab_size, spec().hidden_size);
    if (!target || !spec().has_top) return;
    top_ = Dense(scope.Sub("real").Sub("top"), spec().body_size,
                 spec().vocab_size);
  }

  at::Tensor Bottom(const at::Tensor& x, const nn::Context&) const override {
    return bottom_(x.to(at::kFloat));
  }
  at::Tensor TargetsBottom(const at::Tensor& x,
                           const nn::Context& context) const override {
    return Bottom(x, context);
  }
  at::Tensor Top(const at::Tensor& body_output) const override {
    return top_(body_output).to(at::kFloat);
  }

  LossParts LossOfLogits(const at::Tensor& predicted, const at::Tensor& targets,
                         const at::Tensor& weights, Mode mode) const override {
    if (spec().name == "real") {
      return ModalityBase::LossOfLogits(predicted, targets, weights, mode);
    }
    const at::Tensor wanted = targets.to(at::kFloat);
    if (predicted.numel() != wanted.numel()) {
      throw MismatchError(
          "real targets have " + std::to_string(wanted.numel()) +
              " values in a batch",
          std::to_string(predicted.numel()) + ", as the model's output has");
    }
    const at::Tensor given = predicted.reshape(wanted.sizes());
    const at::Tensor used = TargetWeights(wanted, weights, mode);
    const at::Tensor losses = spec().name == "real_l2"
                                  ? (given - wanted).square()
                                  : given.exp() - given * wanted;
    return Parts((losses * used).sum(), used.sum());
  }

 private:
  Dense bottom_;
  Dense top_;
};

}  // namespace

std::unique_ptr<Modality> MakeIdentity(const Scope&, ModalitySpec spec) {
  return std::make_unique<Identity>(std::move(spec));
}

std::unique_ptr<Modality> MakeReal(const Scope& scope, ModalitySpec spec) {
  return std::make_unique<Real>(scope, std::move(spec));
}

}  // namespace t2t
