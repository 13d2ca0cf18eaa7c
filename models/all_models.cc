#include "models/all_models.h"

namespace t2t {

void RegisterAllModels(ModelRegistry& models) {
  RegisterAligned(models);
  RegisterAttentionLm(models);
  RegisterAttentionLmMoe(models);
  RegisterAutoencoder(models);
  RegisterBasic(models);
  RegisterByteNet(models);
  RegisterDistillation(models);
  RegisterEvolvedTransformer(models);
  RegisterGeneExpression(models);
  RegisterImageTransformer(models);
  RegisterImg2ImgTransformer(models);
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
  RegisterSimilarityTransformer(models);
  RegisterSliceNet(models);
  RegisterSuperLm(models);
  RegisterTextCnn(models);
  RegisterTransformer(models);
  RegisterTransformerAe(models);
  RegisterTransformerAux(models);
  RegisterTransformerBlockParallel(models);
  RegisterTransformerEncoder(models);
  RegisterTransformerMemory(models);
  RegisterTransformerMoe(models);
  RegisterTransformerNat(models);
  RegisterTransformerRevnet(models);
  RegisterTransformerSeq2Edits(models);
  RegisterTransformerSketch(models);
  RegisterTransformerSymshard(models);
  RegisterUniversalTransformer(models);
  RegisterXception(models);
}

}  // namespace t2t
