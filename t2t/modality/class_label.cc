#include <cmath>
#include <memory>
#include <string>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/modality/modality_base.h"
#include "t2t/nn/dense.h"
#include "t2t/ops/cross_entropy.h"

namespace t2t {
namespace {

// All between the batch and the last dimension, as one: [batch, n, depth].
at::Tensor Flatten(const at::Tensor& x) {
  return x.reshape({x.size(0), -1, x.size(-1)});
}

// Labels of a whole example. The pooling of the body's output and the loss
// differ by T2T's name.
class ClassLabel : public ModalityBase {
 public:
  ClassLabel(const Scope& scope, ModalitySpec given)
      : ModalityBase(std::move(given)) {
    const std::string& name = spec().name;
    if (EndsWith(name, "max_pooling_class_label")) {
      pooling_ = Pooling::kMax;
    } else if (EndsWith(name, "last_timestep_class_label")) {
      pooling_ = Pooling::kLast;
    }
    // T2T's top opens the scope that it is called in once more; so does its
    // bottom, under a name that is the plain class label's in every case.
    if (spec().side == Side::kTargets) {
      if (!spec().has_top) return;
      dense_ = Dense(scope.Sub(spec().scope_name).Sub("dense"),
                     spec().body_size, spec().vocab_size);
    } else {
      const std::string bottom =
          Format("class_label_modality_%lld_%lld",
                 static_cast<long long>(spec().vocab_size),
                 static_cast<long long>(spec().hidden_size));
      embedding_ =
          scope.Sub(bottom)
              .Sub("embedding")
              .Param("kernel", {spec().vocab_size, spec().hidden_size});
    }
  }

  at::Tensor Bottom(const at::Tensor& x, const nn::Context&) const override {
    const at::Tensor vectors = at::embedding(embedding_, x.to(at::kLong));
    return spec().scale_embedding
               ? vectors * std::sqrt(static_cast<double>(spec().hidden_size))
               : vectors;
  }

  at::Tensor TargetsBottom(const at::Tensor& x,
                           const nn::Context&) const override {
    return at::zeros({x.size(0), 1, spec().hidden_size},
                     x.options().dtype(at::kFloat));
  }

  at::Tensor Top(const at::Tensor& body_output) const override {
    const at::Tensor flat = Flatten(body_output);
    at::Tensor pooled;
    switch (pooling_) {
      case Pooling::kMean:
        pooled = flat.mean(1, true);
        break;
      case Pooling::kMax:
        pooled = flat.amax(1, true);
        break;
      case Pooling::kLast:
        pooled = flat.narrow(1, flat.size(1) - 1, 1);
        break;
    }
    return dense_(pooled).to(at::kFloat);
  }

  LossParts LossOfLogits(const at::Tensor& logits, const at::Tensor& targets,
                         const at::Tensor& weights, Mode mode) const override {
    const std::string& name = spec().name;
    if (name == "class_label") {
      return ModalityBase::LossOfLogits(logits, targets, weights, mode);
    }
    if (name == "multi_label") {
      return MultiLabel(logits, targets, weights, mode);
    }
    // The targets are one-hot, or any probabilities; the numerator is a mean
    // already and T2T divides by the weights nonetheless.
    const at::Tensor wanted = targets.to(at::kFloat);
    if (wanted.numel() != logits.numel()) {
      throw MismatchError(
          "targets of modality '" + name + "' have " +
              std::to_string(wanted.numel()) + " values in a batch",
          std::to_string(logits.numel()) + ", one for each class");
    }
    const at::Tensor flat = wanted.reshape(logits.sizes());
    const at::Tensor used = TargetWeights(targets, weights, mode);
    const at::Tensor loss =
        StartsWith(name, "sigmoid")
            ? at::binary_cross_entropy_with_logits(logits, flat)
            : -(flat * at::log_softmax(logits, -1)).sum(-1).mean();
    return Parts(loss, used.sum());
  }

 private:
  enum class Pooling { kMean, kMax, kLast };

  // An example's loss is the mean over its labels that are not 0.
  LossParts MultiLabel(const at::Tensor& logits, const at::Tensor& targets,
                       const at::Tensor& weights, Mode mode) const {
    const at::Tensor labels = targets.reshape({targets.size(0), -1});
    const at::Tensor losses = SmoothedCrossEntropy(
        logits.expand({-1, labels.size(1), -1}), labels, SmoothingIn(mode));
    const at::Tensor used =
        TargetWeights(targets, weights, mode).reshape(labels.sizes());
    const at::Tensor count = used.sum(1);
    const at::Tensor mean = (losses * used).sum(1) / (count + 1e-8);
    const at::Tensor present = count.gt(0).to(at::kFloat);
    return Parts((mean * present).sum(), present.sum());
  }

  Pooling pooling_ = Pooling::kMean;
  Dense dense_;
  at::Tensor embedding_;
};

}  // namespace

std::unique_ptr<Modality> MakeClassLabel(const Scope& scope,
                                         ModalitySpec spec) {
  return std::make_unique<ClassLabel>(scope, std::move(spec));
}

}  // namespace t2t
