#include "models/all_models.h"

namespace t2t {

void RegisterAllModels(ModelRegistry& models) {
  RegisterBasic(models);
  RegisterLstm(models);
  RegisterTransformer(models);
  RegisterTransformerEncoder(models);
  RegisterTransformerMemory(models);
}

}  // namespace t2t
