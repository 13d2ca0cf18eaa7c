#include "models/all_models.h"

namespace t2t {

void RegisterAllModels(ModelRegistry& models) {
  RegisterAttentionLm(models);
  RegisterAutoencoder(models);
  RegisterBasic(models);
  RegisterByteNet(models);
  RegisterDistillation(models);
  RegisterEvolvedTransformer(models);
  RegisterGeneExpression(models);
  RegisterImageTransformer(models);
  RegisterLstm(models);
  RegisterMeshImageTransformer(models);
  RegisterMeshResnet(models);
  RegisterMeshTransformer(models);
  RegisterNasSeq2Seq(models);
  RegisterNeuralAssistant(models);
  RegisterNeuralGpu(models);
  RegisterNeuralStack(models);
  RegisterResnet(models);
  RegisterRevnet(models);
  RegisterShakeShake(models);
  RegisterShuffleNetwork(models);
  RegisterSliceNet(models);
  RegisterTextCnn(models);
  RegisterTransformer(models);
  RegisterTransformerEncoder(models);
  RegisterTransformerMemory(models);
  RegisterTransformerRevnet(models);
  RegisterTransformerSeq2Edits(models);
  RegisterTransformerSketch(models);
  RegisterUniversalTransformer(models);
  RegisterXception(models);
}

}  // namespace t2t
