#include "t2t/train/split_state.h"

#include "t2t/base/strings.h"
#include "t2t/checkpoint/load.h"

namespace t2t {

SplitState::SplitState(std::unique_ptr<TrainState> replica, ModelAxis* axis,
                       const ParamStore* params)
    : replica_(std::move(replica)), axis_(axis), params_(params) {}

void SplitState::AddWeightNoise(double learning_rate) {
  replica_->AddWeightNoise(learning_rate);
}

double SplitState::Update(const std::vector<at::Tensor>& gradients,
                          const std::vector<bool>& used, double learning_rate,
                          int64_t step) {
  return replica_->Update(gradients, used, learning_rate, step);
}

void SplitState::SwapAverages() { replica_->SwapAverages(); }

bool SplitState::IsSplit(const std::string& name) const {
  return axis_->SplitOf(name).has_value();
}

TrainState::NamedTensors SplitState::Replicated() const {
  NamedTensors tensors;
  for (const auto& [name, tensor] : replica_->Replicated()) {
    if (!IsSplit(name)) tensors.emplace_back(name, tensor);
  }
  return tensors;
}

std::vector<std::pair<ProcessGroup*, TrainState::NamedTensors>>
SplitState::SameTensors() const {
  auto groups = replica_->SameTensors();
  groups.emplace_back(axis_->parallel()->group(), Replicated());
  return groups;
}

TrainState::Tensors SplitState::Gather() {
  Tensors tensors = replica_->Gather();
  axis_->GatherForFirst(&tensors);
  return tensors;
}

// Rank 0 alone says what is wrong, before any rank waits for another.
void SplitState::CheckFits(const Restored& restored) const {
  if (axis_->world()->rank() > 0) return;
  if (restored.kind == Restored::Kind::kWeights ||
      restored.kind == Restored::Kind::kAll) {
    CheckParametersFit(
        restored.checkpoint, *params_, [this](const std::string& name) {
          const auto split = axis_->SplitOf(name);
          return split ? split->shape : params_->Get(name).sizes().vec();
        });
  }
  axis_->CheckShapes(restored.checkpoint.tensors);
}

void SplitState::Restore(const Restored& restored) {
  CheckFits(restored);
  Restored shard;
  shard.kind = restored.kind;
  shard.checkpoint.path = restored.checkpoint.path;
  if (restored.kind != Restored::Kind::kNothing) {
    Tensors wanted = restored.checkpoint.tensors;
    if (restored.kind == Restored::Kind::kWarmStart) {
      std::erase_if(wanted, [](const auto& entry) {
        return StartsWith(entry.first, kOptimizerPrefix) ||
               StartsWith(entry.first, kAveragePrefix);
      });
    }
    shard.checkpoint.tensors = axis_->ShardsOfFirst(wanted);
  }
  replica_->Restore(shard);
  BroadcastAll(axis_->world(), Replicated());
}

TrainState::Writer SplitState::writer() const {
  if (replica_->writer().count > 0) {
    return {axis_->world()->rank(), axis_->world()->size()};
  }
  // All replicas hold the same: the first one writes.
  const ModelParallel& parallel = *axis_->parallel();
  return {replicas()->rank() == 0 ? parallel.rank() : -1, parallel.size()};
}

TrainState::TensorShards SplitState::InWhole(TensorShards shards) const {
  for (auto& [name, shard] : shards) {
    shard.place = axis_->InWhole(name, std::move(shard.place));
  }
  return shards;
}

TrainState::TensorShards SplitState::OwnShards() const {
  TensorShards shards = replica_->OwnShards();
  // What several ranks hold one of them writes.
  std::erase_if(shards, [&](const auto& shard) {
    return !IsSplit(shard.first) && !axis_->counts();
  });
  for (const auto& [name, tensor] : replica_->Replicated()) {
    if (IsSplit(name) && replicas()->rank() == 0) {
      shards[name] = {tensor.view(-1), TensorPlace::All(tensor.sizes().vec())};
    }
  }
  return InWhole(std::move(shards));
}

void SplitState::RestoreShards(const ShardReader& read) {
  replica_->RestoreShards(
      [&](const TensorShards& shards) { return read(InWhole(shards)); });
  BroadcastAll(axis_->world(), Replicated());
}

int64_t SplitState::OptimizerBytes() const {
  return replica_->OptimizerBytes();
}

int64_t SplitState::ParameterBytes() const {
  return replica_->ParameterBytes();
}

int64_t SplitState::PeakParameterBytes() const {
  return replica_->PeakParameterBytes();
}

}  // namespace t2t
