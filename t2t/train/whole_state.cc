#include "t2t/train/whole_state.h"

#include <cmath>

#include "t2t/checkpoint/load.h"

namespace t2t {

WholeState::WholeState(Model* model, const TrainerOptions& options,
                       ProcessGroup* replicas)
    : params_(&model->params()), replicas_(replicas) {
  const std::vector<NamedTensor> parameters = TrainableParameters(*params_);
  optimizer_ = MakeOptimizer(model->hparams(), parameters);
  if (options.tensor_parallel != nullptr) {
    total_squares_ = options.tensor_parallel->TotalSquaresOf(parameters);
    optimizer_->SetShards(options.tensor_parallel);
  }
  if (options.ema_decay > 0) {
    average_ = std::make_unique<MovingAverage>(options.ema_decay, parameters);
  }
}

void WholeState::AddWeightNoise(double learning_rate) {
  optimizer_->AddWeightNoise(learning_rate);
}

double WholeState::Update(const std::vector<at::Tensor>& gradients,
                          const std::vector<bool>& used, double learning_rate,
                          int64_t step) {
  const double norm =
      optimizer_->Step(gradients, learning_rate, step, total_squares_);
  if (std::isfinite(norm) && average_ != nullptr) average_->Update(step);
  return norm;
}

void WholeState::SwapAverages() {
  if (average_ != nullptr) average_->Swap();
}

TrainState::NamedTensors WholeState::Replicated() const {
  NamedTensors tensors;
  for (const ParamStore::Entry& entry : params_->entries()) {
    tensors.emplace_back(entry.name, entry.tensor.detach());
  }
  for (const auto& [name, tensor] : optimizer_->State()) {
    tensors.emplace_back(kOptimizerPrefix + name, tensor);
  }
  if (average_ == nullptr) return tensors;
  for (const auto& [name, tensor] : average_->State()) {
    tensors.emplace_back(kAveragePrefix + name, tensor);
  }
  return tensors;
}

std::vector<std::pair<ProcessGroup*, TrainState::NamedTensors>>
WholeState::SameTensors() const {
  if (replicas_ == nullptr) return {};
  return {{replicas_, Replicated()}};
}

TrainState::Tensors WholeState::Gather() {
  const NamedTensors tensors = Replicated();
  return {tensors.begin(), tensors.end()};
}

void WholeState::Restore(const Restored& restored) {
  const Tensors& tensors = restored.checkpoint.tensors;
  const Tensors averages = Under(kAveragePrefix, tensors);
  if (IsFirst(replicas_)) {
    switch (restored.kind) {
      case Restored::Kind::kNothing:
        break;
      case Restored::Kind::kWarmStart:
        WarmStart(restored.checkpoint, params_);
        if (average_ != nullptr) average_->LoadState({});
        break;
      case Restored::Kind::kWeights:
      case Restored::Kind::kAll:
        LoadParameters(restored.checkpoint, /*averaged=*/false, params_);
        if (restored.kind == Restored::Kind::kAll) {
          optimizer_->LoadState(Under(kOptimizerPrefix, tensors));
        }
        if (average_ != nullptr) average_->LoadState(averages);
    }
  }
  BroadcastAll(replicas_, Replicated());
}

void WholeState::RestoreShards(const ShardReader& read) {
  if (IsFirst(replicas_)) {
    TensorShards shards;
    for (const auto& [name, tensor] : Replicated()) {
      shards[name] = {tensor.view(-1), TensorPlace::All(tensor.sizes().vec())};
    }
    // An average that the checkpoint lacks starts from its parameter.
    for (const std::string& name : MissingAverages(read(shards))) {
      shards.at(kAveragePrefix + name).tensor.copy_(shards.at(name).tensor);
    }
  }
  BroadcastAll(replicas_, Replicated());
}

int64_t WholeState::ParameterBytes() const {
  int64_t bytes = 0;
  for (const at::Tensor& parameter : params_->Trainable()) {
    bytes += static_cast<int64_t>(parameter.nbytes());
  }
  return bytes;
}

}  // namespace t2t
