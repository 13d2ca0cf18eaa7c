#include "t2t/train/tensor_parallel_state.h"

#include "t2t/base/strings.h"
#include "t2t/checkpoint/load.h"

namespace t2t {

TensorParallelState::TensorParallelState(std::unique_ptr<TrainState> replica,
                                         TensorParallelMesh* mesh,
                                         const ParamStore* params)
    : replica_(std::move(replica)), mesh_(mesh), params_(params) {}

void TensorParallelState::AddWeightNoise(double learning_rate) {
  replica_->AddWeightNoise(learning_rate);
}

double TensorParallelState::Update(const std::vector<at::Tensor>& gradients,
                                   const std::vector<bool>& used,
                                   double learning_rate, int64_t step) {
  return replica_->Update(gradients, used, learning_rate, step);
}

void TensorParallelState::SwapAverages() { replica_->SwapAverages(); }

bool TensorParallelState::IsSplit(const std::string& name) const {
  return mesh_->ShardingOf(name).has_value();
}

TrainState::NamedTensors TensorParallelState::Replicated() const {
  NamedTensors tensors;
  for (const auto& [name, tensor] : replica_->Replicated()) {
    if (!IsSplit(name)) tensors.emplace_back(name, tensor);
  }
  return tensors;
}

std::vector<std::pair<ProcessGroup*, TrainState::NamedTensors>>
TensorParallelState::SameTensors() const {
  auto groups = replica_->SameTensors();
  groups.emplace_back(mesh_->group()->group(), Replicated());
  return groups;
}

TrainState::Tensors TensorParallelState::Gather() {
  Tensors tensors = replica_->Gather();
  mesh_->GatherForFirst(&tensors);
  return tensors;
}

// Rank 0 alone says what is wrong, before any rank waits for another.
void TensorParallelState::CheckFits(const Restored& restored) const {
  if (mesh_->world()->rank() > 0) return;
  if (restored.kind == Restored::Kind::kWeights ||
      restored.kind == Restored::Kind::kAll) {
    CheckParametersFit(
        restored.checkpoint, *params_, [this](const std::string& name) {
          const auto sharding = mesh_->ShardingOf(name);
          return sharding ? sharding->shape : params_->Get(name).sizes().vec();
        });
  }
  mesh_->CheckShapes(restored.checkpoint.tensors);
}

void TensorParallelState::Restore(const Restored& restored) {
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
    shard.checkpoint.tensors = mesh_->ShardsOfFirst(wanted);
  }
  replica_->Restore(shard);
  BroadcastAll(mesh_->world(), Replicated());
}

TrainState::Writer TensorParallelState::writer() const {
  if (replica_->writer().count > 0) {
    return {mesh_->world()->rank(), mesh_->world()->size()};
  }
  // All replicas hold the same: the first one writes.
  const TensorParallelGroup& group = *mesh_->group();
  return {replicas()->rank() == 0 ? group.rank() : -1, group.size()};
}

TrainState::TensorShards TensorParallelState::InWhole(
    TensorShards shards) const {
  for (auto& [name, shard] : shards) {
    shard.place = mesh_->InWhole(name, std::move(shard.place));
  }
  return shards;
}

TrainState::TensorShards TensorParallelState::OwnShards() const {
  TensorShards shards = replica_->OwnShards();
  // What several ranks hold one of them writes.
  std::erase_if(shards, [&](const auto& shard) {
    return !IsSplit(shard.first) && !mesh_->counts();
  });
  for (const auto& [name, tensor] : replica_->Replicated()) {
    if (IsSplit(name) && replicas()->rank() == 0) {
      shards[name] = {tensor.view(-1), TensorPlace::All(tensor.sizes().vec())};
    }
  }
  return InWhole(std::move(shards));
}

void TensorParallelState::RestoreShards(const ShardReader& read) {
  replica_->RestoreShards(
      [&](const TensorShards& shards) { return read(InWhole(shards)); });
  BroadcastAll(mesh_->world(), Replicated());
}

int64_t TensorParallelState::OptimizerBytes() const {
  return replica_->OptimizerBytes();
}

int64_t TensorParallelState::ParameterBytes() const {
  return replica_->ParameterBytes();
}

int64_t TensorParallelState::PeakParameterBytes() const {
  return replica_->PeakParameterBytes();
}

}  // namespace t2t
