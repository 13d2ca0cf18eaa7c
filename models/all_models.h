#ifndef MODELS_ALL_MODELS_H_
#define MODELS_ALL_MODELS_H_

#include "t2t/problem/registries.h"

namespace t2t {

// Each adds the models of its file.
void RegisterBasic(ModelRegistry& models);
void RegisterEvolvedTransformer(ModelRegistry& models);
void RegisterLstm(ModelRegistry& models);
void RegisterTransformer(ModelRegistry& models);
void RegisterTransformerEncoder(ModelRegistry& models);
void RegisterTransformerMemory(ModelRegistry& models);
void RegisterUniversalTransformer(ModelRegistry& models);

// Adds those of all files.
void RegisterAllModels(ModelRegistry& models);

}  // namespace t2t

#endif  // MODELS_ALL_MODELS_H_
