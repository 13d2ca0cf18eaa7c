// The table of libt2t_torch.so: what programs do once LibTorch is loaded.

#include "t2t/bin/common/torch_half.h"

#include <ATen/Parallel.h>

#include "models/all_models.h"
#include "t2t/base/log.h"
#include "t2t/bin/decoder/decode.h"
#include "t2t/bin/eval/evaluate.h"
#include "t2t/checkpoint/average.h"
#include "t2t/checkpoint/importer/import.h"
#include "t2t/decode/load_model.h"
#include "t2t/decode/translate_all.h"
#include "t2t/modality/modality.h"
#include "t2t/ops/cuda/device.h"
#include "t2t/optim/optimizer.h"
#include "t2t/serve/text_servable.h"
#include "t2t/train/experiment.h"

namespace t2t {
namespace {

void RegisterTorchNames(const Registries& registries) {
  RegisterAllModels(registries.models);
  RegisterOptimizers(registries.optimizers);
  CheckPluginModalities();
}

int64_t SetThreads(int64_t threads) {
  if (threads > 0) at::set_num_threads(static_cast<int>(threads));
  return at::get_num_threads();
}

void UseDeviceOf(const std::string& device) {
  const std::string name = UseDevice(device, /*local_rank=*/0);
  if (!name.empty()) Log("computing on " + name);
}

std::string ImportText(const ImportOptions& options) {
  return Import(options).Text();
}

std::unique_ptr<Servable> LoadServable(const std::string& export_dir,
                                       const HParams& decode_hparams,
                                       bool int8) {
  LoadModelOptions load;
  load.export_dir = export_dir;
  auto servable =
      std::make_unique<TextServable>(LoadModel(load), decode_hparams, int8);
  servable->WarmUp();
  return servable;
}

constexpr TorchHalf kHalf = {
    .register_names = RegisterTorchNames,
    .set_threads = SetThreads,
    .use_device = UseDeviceOf,
    .train = RunExperiment,
    .decode = Decode,
    .evaluate = EvaluateAsAsked,
    .translate_all = TranslateAll,
    .average = AverageCheckpoints,
    .export_model = ExportModel,
    .import_model = ImportText,
    .load_servable = LoadServable,
};

}  // namespace
}  // namespace t2t

extern "C" const t2t::TorchHalf* T2TTorchHalf() { return &t2t::kHalf; }
