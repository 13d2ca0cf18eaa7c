#ifndef MODELS_ALL_MODELS_H_
#define MODELS_ALL_MODELS_H_

#include "t2t/problem/registries.h"

namespace t2t {

// Each adds the models of its file.
void RegisterAligned(ModelRegistry& models);
void RegisterAttentionLm(ModelRegistry& models);
void RegisterAttentionLmMoe(ModelRegistry& models);
void RegisterAutoencoder(ModelRegistry& models);
void RegisterBasic(ModelRegistry& models);
void RegisterByteNet(ModelRegistry& models);
void RegisterDistillation(ModelRegistry& models);
void RegisterEvolvedTransformer(ModelRegistry& models);
void RegisterGeneExpression(ModelRegistry& models);
void RegisterImageTransformer(ModelRegistry& models);
void RegisterImg2ImgTransformer(ModelRegistry& models);
void RegisterLstm(ModelRegistry& models);
void RegisterMeshImageTransformer(ModelRegistry& models);
void RegisterMeshResnet(ModelRegistry& models);
void RegisterMeshTransformer(ModelRegistry& models);
void RegisterNasSeq2Seq(ModelRegistry& models);
void RegisterNeuralAssistant(ModelRegistry& models);
void RegisterNeuralGpu(ModelRegistry& models);
void RegisterNeuralStack(ModelRegistry& models);
void RegisterResnet(ModelRegistry& models);
void RegisterRevnet(ModelRegistry& models);
void RegisterShakeShake(ModelRegistry& models);
void RegisterShuffleNetwork(ModelRegistry& models);
void RegisterSimilarityTransformer(ModelRegistry& models);
void RegisterSliceNet(ModelRegistry& models);
void RegisterSuperLm(ModelRegistry& models);
void RegisterTextCnn(ModelRegistry& models);
void RegisterTransformer(ModelRegistry& models);
void RegisterTransformerAe(ModelRegistry& models);
void RegisterTransformerAux(ModelRegistry& models);
void RegisterTransformerBlockParallel(ModelRegistry& models);
void RegisterTransformerEncoder(ModelRegistry& models);
void RegisterTransformerMemory(ModelRegistry& models);
void RegisterTransformerMoe(ModelRegistry& models);
void RegisterTransformerNat(ModelRegistry& models);
void RegisterTransformerRevnet(ModelRegistry& models);
void RegisterTransformerSeq2Edits(ModelRegistry& models);
void RegisterTransformerSketch(ModelRegistry& models);
void RegisterTransformerSymshard(ModelRegistry& models);
void RegisterUniversalTransformer(ModelRegistry& models);
void RegisterXception(ModelRegistry& models);

// Adds those of all files.
void RegisterAllModels(ModelRegistry& models);

}  // namespace t2t

#endif  // MODELS_ALL_MODELS_H_
