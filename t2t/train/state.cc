#include "t2t/train/state.h"

#include <ATen/core/grad_mode.h>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/train/tensor_parallel_state.h"
#include "t2t/train/whole_state.h"
#include "t2t/train/zero_state.h"

namespace t2t {

std::unique_ptr<TrainState> MakeTrainState(Model* model,
                                           const TrainerOptions& options) {
  TensorParallelMesh* const mesh = options.tensor_parallel;
  ProcessGroup* const replicas = mesh != nullptr ? mesh->data() : options.group;
  const bool several = replicas != nullptr && replicas->size() > 1;
  std::unique_ptr<TrainState> state;
  if (options.zero_stage > 0 && several) {
    state = std::make_unique<ZeroState>(model, options, replicas);
  } else {
    state = std::make_unique<WholeState>(model, options, replicas);
  }
  if (mesh == nullptr) return state;
  return std::make_unique<TensorParallelState>(std::move(state), mesh,
                                               &model->params());
}

std::vector<NamedTensor> TrainableParameters(const ParamStore& params) {
  std::vector<NamedTensor> parameters;
  for (const ParamStore::Entry& entry : params.entries()) {
    if (entry.trainable) parameters.push_back({entry.name, entry.tensor});
  }
  return parameters;
}

void BroadcastAll(ProcessGroup* group,
                  const TrainState::NamedTensors& tensors) {
  if (group == nullptr) return;
  const at::NoGradGuard no_grad;
  for (const auto& [name, tensor] : tensors) {
    group->Broadcast(tensor, "sharing the checkpoint");
  }
}

std::vector<std::string> MissingAverages(
    const std::vector<std::string>& names) {
  std::vector<std::string> parameters;
  for (const std::string& name : names) {
    if (!StartsWith(name, kAveragePrefix)) {
      throw MismatchError(
          "the checkpoint has no '" + name + "'",
          "one of this model, with this optimizer",
          "use the model and hparams it was trained with, or another "
          "--output_dir");
    }
    parameters.push_back(name.substr(sizeof(kAveragePrefix) - 1));
  }
  return parameters;
}

}  // namespace t2t
