// Distillation. Hinton, Vinyals and Dean 2015, "Distilling the Knowledge in a
// Neural Network", arXiv:1503.02531: a small model (the student) learns a large
// one's (the teacher's) probabilities besides the labels. Each is any model of
// images, by its name and hparams set.
//
// In two runs: --hparams=distill_phase=train trains the teacher alone;
// --hparams=distill_phase=distill with --warm_start_from=<the teacher's folder>
// trains the student, and the teacher no more. (T2T's t2t-distill starts both.)
// Shapes: B batch.

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "models/all_models.h"
#include "models/encoder_only.h"
#include "models/image_inputs.h"
#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/model/stacked_model.h"
#include "t2t/ops/cross_entropy.h"

namespace t2t {
namespace {

struct DistillationConfig {
  static DistillationConfig FromHParams(const HParams& hparams);

  bool distills = false;  // else the teacher is trained
  double temperature = 1.0;
  double task_balance = 1.0;  // of the labels; the rest is the teacher's
};

DistillationConfig DistillationConfig::FromHParams(const HParams& hparams) {
  DistillationConfig config;
  const std::string phase = hparams.GetString("distill_phase");
  if (phase != "train" && phase != "distill") {
    throw UsageError("distill_phase=" + phase + " with the model distillation",
                     "train (the teacher) or distill",
                     "set --hparams=distill_phase=train; after that "
                     "distill_phase=distill with "
                     "--warm_start_from=<the teacher's output_dir>");
  }
  config.distills = phase == "distill";
  config.temperature = hparams.GetDouble("distill_temperature");
  if (!(config.temperature > 0)) {
    throw UsageError(
        "distill_temperature=" +
            HParams::ValueToString(hparams.Get("distill_temperature")),
        "a number above 0", "change --hparams=distill_temperature=...");
  }
  config.task_balance = hparams.GetDouble("task_balance");
  return config;
}

// One of the two: a model that tells classes. T2T puts a dense layer over the
// mean of its body; that is what the models' own tops are.
class Member {
 public:
  // role: "teacher" or "student", whose hparams say which model it is. Its
  // parameters join the store under `own`.
  Member(const std::string& role, const Scope& own, const HParams& hparams,
         const ProblemInfo& info, ParamOptions params, bool trains) {
    const std::string name = hparams.GetString(role + "_model");
    if (name == "distillation") {
      throw UsageError(role + "_model=distillation", "a model of images",
                       "change --hparams=" + role + "_model=...");
    }
    // Two of one kind are not to begin as one.
    params.seed += role == "student" ? 1 : 0;
    // Nobody gives values to what is not trained.
    params.meta = params.meta && trains;
    HParams its = HParamsSets().Get(hparams.GetString(role + "_hparams"))();
    model_ = Models().Get(name)(its, info, params);
    for (const ParamStore::Entry& entry : model_->params().entries()) {
      std::string rest = entry.name.substr(name.size() + 1);
      if (StartsWith(rest, "body/")) rest = rest.substr(5);
      own.store()->Adopt(own.prefix() + "/" + rest, model_->params(),
                         entry.name, entry.trainable && trains);
    }
  }

  // [B, classes].
  at::Tensor operator()(const Features& features, int64_t step,
                        nn::Context& context) const {
    model_->set_step(step);
    return model_->Logits(features, context).squeeze(1);
  }

 private:
  std::unique_ptr<Model> model_;
};

class Distillation : public EncoderOnlyModel {
 public:
  Distillation(HParams hparams, ProblemInfo info, const ParamOptions& params)
      : EncoderOnlyModel("distillation", std::move(hparams), std::move(info),
                         params),
        config_(DistillationConfig::FromHParams(hparams_)) {
    RefuseSplitModel(root());
    ImageChannels(info_, "distillation");
    MakeEndsButTop(root());
    const int64_t classes = target_modality().vocab_size();
    if (hparams_.GetInt("num_classes") != classes) {
      throw MismatchError(
          "num_classes=" + std::to_string(hparams_.GetInt("num_classes")) +
              " with a problem of " + std::to_string(classes) + " classes",
          "as many", "set --hparams=num_classes=" + std::to_string(classes));
    }
    const Scope body = root().Sub("body");
    teacher_.emplace("teacher", body.Sub("teacher"), hparams_, info_, params,
                     /*trains=*/!config_.distills);
    if (!config_.distills) return;
    student_.emplace("student", body.Sub("student"), hparams_, info_, params,
                     /*trains=*/true);
  }

 protected:
  at::Tensor Body(const Features& features, nn::Context& context) override {
    return (config_.distills ? *student_ : *teacher_)(features, step_, context);
  }

  at::Tensor Top(const at::Tensor& logits) const override {
    return logits.unsqueeze(1);
  }

  LossParts TargetLoss(const Features& features,
                       nn::Context& context) override {
    const at::Tensor logits = Body(features, context);
    const at::Tensor labels = RequiredFeature(features, "targets").flatten();
    LossParts parts;
    parts.denominator =
        at::full({}, static_cast<double>(logits.size(0)), logits.options());
    parts.numerator = SmoothedCrossEntropy(logits, labels, 0.0).sum();
    if (!config_.distills) return parts;
    // Scaled so that its gradients are of the labels' size, whatever the
    // temperature.
    const double t = config_.temperature;
    at::Tensor taught;
    {
      const at::NoGradGuard no_grad;
      taught = ((*teacher_)(features, step_, context) / t).softmax(-1);
    }
    const at::Tensor soft =
        -(taught * (logits / t).log_softmax(-1)).sum() * (t * t);
    parts.numerator = config_.task_balance * parts.numerator +
                      (1 - config_.task_balance) * soft;
    return parts;
  }

 private:
  DistillationConfig config_;
  std::optional<Member> teacher_, student_;
};

}  // namespace

void RegisterDistillation(ModelRegistry& models) {
  AddModel<Distillation>(models, "distillation");
}

}  // namespace t2t
