#include "models/all_models.h"

namespace t2t {

void RegisterAllModels(ModelRegistry& models) {
  RegisterBasic(models);
  RegisterEvolvedTransformer(models);
  RegisterLstm(models);
  RegisterTransformer(models);
  RegisterTransformerEncoder(models);
  RegisterTransformerMemory(models);
  RegisterUniversalTransformer(models);
}

}  // namespace t2t
