#include "t2t/train/zero_state.h"

#include <ATen/core/grad_mode.h>

#include "t2t/base/error.h"
#include "t2t/checkpoint/load.h"

namespace t2t {
namespace {

// Stage 3's FSDP units, in the order of the forward pass.
const std::vector<std::string>& FsdpUnits(const ParamStore& params) {
  if (params.fsdp_units().empty()) {
    throw UsageError(
        "--zero_stage=3 with a model that needs all its parameters at once",
        "transformer, transformer_encoder or evolved_transformer",
        "use --zero_stage=2");
  }
  return params.fsdp_units();
}

void CheckSplit(const HParams& hparams) {
  if (MakeOptimizer(hparams, {})->sharing() != Sharing::kParameters) return;
  throw UsageError(
      "--zero_stage with a model that --mesh_shape splits and "
      "--hparams=optimizer=" +
          hparams.GetString("optimizer") + ", which looks at whole parameters",
      "an optimizer that takes each number by itself",
      "use --zero_stage=0, or adam, adamw or momentum");
}

}  // namespace

ZeroState::ZeroState(Model* model, const TrainerOptions& options,
                     ProcessGroup* replicas)
    : params_(&model->params()),
      replicas_(replicas),
      has_averages_(options.ema_decay > 0),
      initial_values_(options.initial_values) {
  const HParams& hparams = model->hparams();
  const std::vector<NamedTensor> parameters = TrainableParameters(*params_);
  if (options.tensor_parallel != nullptr) CheckSplit(hparams);
  std::vector<std::string> units;
  std::vector<int64_t> groups;
  if (options.zero_stage > 2) {
    units = FsdpUnits(*params_);
    std::vector<std::string> names;
    for (const NamedTensor& parameter : parameters) {
      names.push_back(parameter.name);
    }
    groups = ShardedParameters::Groups(names, units);
  }
  owners_ = ShardedOptimizer::MakePartition(
      hparams, parameters, replicas->size(), options.bucket_bytes, groups);
  std::vector<at::Tensor> own;
  if (!units.empty()) {
    parameters_ = std::make_unique<ShardedParameters>(
        params_->Trainable(), groups, units, owners_, replicas);
    params_->set_fsdp(parameters_.get());
    own = parameters_->own();
  }
  optimizer_ = std::make_unique<ShardedOptimizer>(
      hparams, parameters, owners_, replicas, options.ema_decay, own);
  if (options.tensor_parallel != nullptr) {
    optimizer_->SetShards(options.tensor_parallel,
                          options.tensor_parallel->TotalSquaresOf(parameters));
  }
}

ZeroState::~ZeroState() { params_->set_fsdp(nullptr); }

void ZeroState::AddWeightNoise(double learning_rate) {
  optimizer_->AddWeightNoise(learning_rate);
}

double ZeroState::Update(const std::vector<at::Tensor>& gradients,
                         const std::vector<bool>& used, double learning_rate,
                         int64_t step) {
  return optimizer_->Step(gradients, used, learning_rate, step);
}

void ZeroState::SwapAverages() { optimizer_->SwapAverages(); }

TrainState::NamedTensors ZeroState::Replicated() const {
  NamedTensors tensors;
  for (const ParamStore::Entry& entry : params_->entries()) {
    if (parameters_ != nullptr && entry.trainable) continue;
    tensors.emplace_back(entry.name, entry.tensor.detach());
  }
  return tensors;
}

TrainState::Tensors ZeroState::Gather() {
  Tensors tensors;
  if (parameters_ != nullptr) parameters_->GatherToFirst();
  const ShardedOptimizer::State state = optimizer_->GatherState();
  const ShardedOptimizer::State averages = optimizer_->GatherAverages();
  for (const auto& [name, tensor] : Replicated()) tensors[name] = tensor;
  if (replicas_->rank() > 0) return tensors;
  if (parameters_ != nullptr) {
    for (const NamedTensor& parameter : TrainableParameters(*params_)) {
      tensors[parameter.name] = parameter.tensor.detach();
    }
  }
  for (const auto& [name, tensor] : state) {
    tensors[kOptimizerPrefix + name] = tensor;
  }
  for (const auto& [name, tensor] : averages) {
    tensors[kAveragePrefix + name] = tensor;
  }
  return tensors;
}

void ZeroState::LoadFirst(const Restored& restored) {
  switch (restored.kind) {
    case Restored::Kind::kNothing:
      break;
    case Restored::Kind::kWarmStart:
      MakeWhole(/*values=*/true);
      WarmStart(restored.checkpoint, params_);
      break;
    case Restored::Kind::kWeights:
    case Restored::Kind::kAll:
      MakeWhole(/*values=*/false);
      LoadParameters(restored.checkpoint, /*averaged=*/false, params_);
  }
}

void ZeroState::Restore(const Restored& restored) {
  if (replicas_->rank() == 0) LoadFirst(restored);
  BroadcastAll(replicas_, Replicated());
  const bool nothing = restored.kind == Restored::Kind::kNothing;
  if (parameters_ != nullptr) {
    if (nothing && !initial_values_.empty()) {
      parameters_->DrawOwn(InitialValues());
    } else {
      parameters_->Scatter();
    }
  }
  Tensors state;
  Tensors averages;
  const bool all = restored.kind == Restored::Kind::kAll;
  if (all) state = Under(kOptimizerPrefix, restored.checkpoint.tensors);
  if (has_averages_ && (all || restored.kind == Restored::Kind::kWeights)) {
    averages = Under(kAveragePrefix, restored.checkpoint.tensors);
  }
  optimizer_->ScatterState(all ? &state : nullptr);
  optimizer_->ScatterAverages(averages.empty() ? nullptr : &averages);
}

TrainState::TensorShards ZeroState::OwnShards() const {
  TensorShards shards;
  for (auto& [name, shard] : optimizer_->StateShards()) {
    shards[kOptimizerPrefix + name] = shard;
  }
  for (auto& [name, shard] : optimizer_->AverageShards()) {
    shards[kAveragePrefix + name] = shard;
  }
  if (parameters_ != nullptr) shards.merge(optimizer_->ParameterShards());
  return shards;
}

void ZeroState::RestoreShards(const ShardReader& read) {
  TensorShards shards = OwnShards();
  if (replicas_->rank() == 0) {
    for (const auto& [name, tensor] : Replicated()) {
      shards[name] = {tensor.view(-1), TensorPlace::All(tensor.sizes().vec())};
    }
  }
  const std::vector<std::string> missing = MissingAverages(read(shards));
  BroadcastAll(replicas_, Replicated());
  // An average that the checkpoint lacks starts from its parameter: only now,
  // since stages 1 and 2 have the parameters by the broadcast.
  const TensorShards averages = OwnShards();
  const TensorShards parameters = optimizer_->ParameterShards();
  const at::NoGradGuard no_grad;
  for (const std::string& name : missing) {
    averages.at(kAveragePrefix + name).tensor.copy_(parameters.at(name).tensor);
  }
  if (parameters_ != nullptr) parameters_->DropWhole();
}

ShardedParameters::Draw ZeroState::InitialValues() const {
  return [this, parameters = TrainableParameters(*params_)](size_t i) {
    return initial_values_.at(parameters[i].name)();
  };
}

void ZeroState::MakeWhole(bool values) {
  if (parameters_ == nullptr) return;
  parameters_->MakeWhole(values ? InitialValues() : nullptr);
}

int64_t ZeroState::ParameterBytes() const {
  if (parameters_ != nullptr) return parameters_->own_bytes();
  int64_t bytes = 0;
  for (const at::Tensor& parameter : params_->Trainable()) {
    bytes += static_cast<int64_t>(parameter.nbytes());
  }
  return bytes;
}

int64_t ZeroState::PeakParameterBytes() const {
  return parameters_ != nullptr ? parameters_->peak_bytes() : ParameterBytes();
}

}  // namespace t2t
