#include "t2t/problem/registries.h"

namespace t2t {

void Registries::Freeze() const {
  problems.Freeze();
  models.Freeze();
  hparams_sets.Freeze();
  hparams_ranges.Freeze();
  modalities.Freeze();
  optimizers.Freeze();
}

ModelRegistry& Models() {
  static auto* const models = new ModelRegistry("model");
  return *models;
}

ModalityRegistry& PluginModalities() {
  static auto* const modalities = new ModalityRegistry("modality");
  return *modalities;
}

OptimizerRegistry& Optimizers() {
  static auto* const optimizers = new OptimizerRegistry("optimizer");
  return *optimizers;
}

Registries AllRegistries() {
  return {Problems(),      Models(),           HParamsSets(),
          HParamsRanges(), PluginModalities(), Optimizers()};
}

}  // namespace t2t
