#include "t2t/model/model.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/model/autocast.h"
#include "t2t/model/task_loss.h"
#include "t2t/ops/device.h"

namespace t2t {
namespace {

// Decoding by the body over all that was decoded so far.
class PrefixState : public DecodeState {
 public:
  PrefixState(Features given, int64_t rows)
      : given_(std::move(given)), ids_(at::empty({rows, 0}, at::kLong)) {}

  void Select(const at::Tensor& rows) override {
    ids_ = ids_.index_select(0, rows);
    for (auto& [name, tensor] : given_) {
      tensor = tensor.index_select(0, rows.to(tensor.device()));
    }
  }

  void Append(const at::Tensor& ids) {
    ids_ = at::cat({ids_, ids.cpu().view({-1, 1})}, 1);
  }

  // The targets so far, and padding where the next one comes.
  Features Next() const {
    Features features = given_;
    features["targets"] = at::constant_pad_nd(ids_, {0, 1}).to(ComputeDevice());
    return features;
  }

  int64_t length() const { return ids_.size(1); }

 private:
  Features given_;  // but for the targets
  at::Tensor ids_;  // [rows, length]
};

at::ScalarType ScalarTypeOf(const HostTensor& host) {
  switch (host.type()) {
    case DType::kU8:
      return at::kByte;
    case DType::kI32:
      return at::kInt;
    case DType::kI64:
      return at::kLong;
    case DType::kF32:
      break;
  }
  return at::kFloat;
}

}  // namespace

Features ToFeatures(Batch batch) {
  Features features;
  for (auto& [name, host] : batch) {
    auto* const owner = new HostTensor(std::move(host));
    const at::Tensor tensor = at::from_blob(
        owner->bytes().data(), owner->shape(), [owner](void*) { delete owner; },
        at::dtype(ScalarTypeOf(*owner)));
    // Goes to the device as narrow as it is.
    const at::Tensor there = tensor.to(ComputeDevice());
    features[name] = there.is_floating_point() ? there : there.to(at::kLong);
  }
  return features;
}

const at::Tensor& RequiredFeature(const Features& features,
                                  const std::string& name) {
  const auto found = features.find(name);
  if (found == features.end()) {
    throw DataError("the batch has no '" + name + "'",
                    "examples with what the problem says they have",
                    "look whether the data was generated for this problem");
  }
  return found->second;
}

Mode ModeOf(const nn::Context& context) {
  return context.training ? Mode::kTrain : Mode::kEval;
}

at::Tensor AsSequence(const at::Tensor& x) {
  return x.dim() <= 3 ? x : x.reshape({x.size(0), -1, x.size(-1)});
}

at::Tensor ToLength(const at::Tensor& x, int64_t length) {
  const int64_t missing = length - x.size(1);
  if (missing <= 0) return x.narrow(1, 0, length);
  std::vector<int64_t> shape = x.sizes().vec();
  shape[1] = missing;
  return at::cat({x, x.new_zeros(shape)}, 1);
}

Model::Model(HParams hparams, ProblemInfo info, const ParamOptions& params)
    : hparams_(std::move(hparams)), info_(std::move(info)), params_(params) {
  WidenVocabulary(hparams_, &info_);
}

at::Tensor Model::Body(const Features&, nn::Context&) {
  TORCH_CHECK(false, "a model without Body() is asked for its output");
}

void Model::MakeEnds(const Scope& root, int64_t body_size) {
  modalities_ = MakeModalities(root, info_, hparams_, body_size);
}

void Model::MakeEndsButTop(const Scope& root) {
  modalities_ = MakeModalities(root, info_, hparams_, 0, /*has_top=*/false);
  has_own_top_ = true;
}

at::Tensor Model::Top(const at::Tensor& body_output) const {
  return modalities_.targets->Top(body_output);
}

at::Tensor Model::EmbedInputs(const Features& features,
                              const nn::Context& context) const {
  return modalities_.inputs->Bottom(RequiredFeature(features, "inputs"),
                                    context);
}

at::Tensor Model::EmbedTargets(const at::Tensor& targets,
                               const nn::Context& context) const {
  return modalities_.targets->TargetsBottom(targets, context);
}

at::Tensor Model::RunBody(const Features& features, nn::Context& context) {
  const Autocast autocast(PrecisionOf(context));
  return Body(features, context);
}

at::Tensor Model::Logits(const Features& features, Mode mode) {
  nn::Context context(mode == Mode::kTrain);
  return Logits(features, context);
}

at::Tensor Model::Logits(const Features& features, nn::Context& context) {
  const at::Tensor body = RunBody(features, context);
  const Autocast autocast(PrecisionOf(context));
  return Top(body).to(at::kFloat);
}

LossParts Model::TargetLoss(const Features& features, nn::Context& context) {
  const at::Tensor body = RunBody(features, context).to(at::kFloat);
  return LossOfBody(body, RequiredFeature(features, "targets"),
                    ModeOf(context));
}

LossParts Model::LossOfBody(const at::Tensor& body, const at::Tensor& targets,
                            Mode mode) const {
  TaskWeights tasks;
  if (WeighsTasks(info_, hparams_)) {
    tasks = WeighTasks(targets, info_.tasks,
                       hparams_.GetDouble("multiproblem_label_weight"));
  }
  const Modality& modality = *modalities_.targets;
  LossParts parts =
      has_own_top_
          ? modality.LossOfLogits(Top(body), targets, tasks.weights_BL, mode)
          : modality.Loss(body, targets, tasks.weights_BL, mode);
  if (tasks.denominator.defined()) parts.denominator = tasks.denominator;
  return parts;
}

LossParts Model::Loss(const Features& features, Mode mode) {
  nn::Context context(mode == Mode::kTrain);
  return Loss(features, context);
}

LossParts Model::Loss(const Features& features, nn::Context& context) {
  LossParts parts = TargetLoss(features, context);
  for (const auto& [name, loss] : context.losses.by_name()) {
    parts.extra[name] = loss;
  }
  return parts;
}

std::unique_ptr<DecodeState> Model::StartDecoding(const Features& features) {
  const int64_t rows =
      RequiredFeature(features, info_.has_inputs() ? "inputs" : "targets")
          .size(0);
  Features given = features;
  given.erase("targets");
  for (auto& [name, tensor] : given) tensor = tensor.to(ComputeDevice());
  return std::make_unique<PrefixState>(std::move(given), rows);
}

at::Tensor Model::DecodeStep(DecodeState* state, const at::Tensor& ids) {
  const at::NoGradGuard no_grad;
  auto* const prefix = static_cast<PrefixState*>(state);
  if (ids.defined()) prefix->Append(ids);
  return Logits(prefix->Next(), Mode::kPredict).select(1, prefix->length());
}

}  // namespace t2t
