#include "models/all_models.h"

namespace t2t {

void RegisterAllModels(ModelRegistry& models) {
  RegisterAttentionLm(models);
  RegisterAttentionLmMoe(models);
  RegisterBasic(models);
  RegisterByteNet(models);
  RegisterEvolvedTransformer(models);
  RegisterGeneExpression(models);
  RegisterImageTransformer(models);
  RegisterImg2ImgTransformer(models);
  RegisterLstm(models);
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
  RegisterTransformerMoe(models);
  RegisterTransformerRevnet(models);
  RegisterTransformerSketch(models);
  RegisterUniversalTransformer(models);
  RegisterXception(models);
}

}  // namespace t2t
