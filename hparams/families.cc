#include "hparams/families.h"

namespace t2t {

void RegisterAllHParams(HParamsTable* table) {
  RegisterBasicHParams(table);
  RegisterTransformerHParams(table);
  RegisterTransformerTaskHParams(table);
  RegisterTransformerExperimentHParams(table);
  RegisterOwnHParams(table);
  RegisterLstmHParams(table);
  RegisterUniversalTransformerHParams(table);
  RegisterEvolvedTransformerHParams(table);
  RegisterTransformerVariantHParams(table);
  RegisterTransformerAeHParams(table);
  RegisterAttentionLmHParams(table);
  RegisterMeshTransformerHParams(table);
  RegisterMeshExpertHParams(table);
  RegisterMeshImageHParams(table);
  RegisterSequenceHParams(table);
  RegisterResNetHParams(table);
  RegisterImageTransformerHParams(table);
  RegisterImageTransformer2dHParams(table);
  RegisterAutoencoderHParams(table);
  RegisterGenerativeHParams(table);
  RegisterVideoHParams(table);
  RegisterVqaHParams(table);
  RegisterReinforcementHParams(table);
  RegisterReinforcementWorldHParams(table);
}

}  // namespace t2t
