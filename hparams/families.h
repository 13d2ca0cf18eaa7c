#ifndef HPARAMS_FAMILIES_H_
#define HPARAMS_FAMILIES_H_

#include "t2t/hparams/rows.h"

namespace t2t {

// Each adds the sets and ranges of its file to the table.
void RegisterBasicHParams(HParamsTable* table);
void RegisterTransformerHParams(HParamsTable* table);
void RegisterTransformerTaskHParams(HParamsTable* table);
void RegisterTransformerExperimentHParams(HParamsTable* table);
void RegisterOwnHParams(HParamsTable* table);
void RegisterLstmHParams(HParamsTable* table);
void RegisterUniversalTransformerHParams(HParamsTable* table);
void RegisterEvolvedTransformerHParams(HParamsTable* table);
void RegisterTransformerVariantHParams(HParamsTable* table);
void RegisterTransformerAeHParams(HParamsTable* table);
void RegisterAttentionLmHParams(HParamsTable* table);
void RegisterMeshTransformerHParams(HParamsTable* table);
void RegisterMeshExpertHParams(HParamsTable* table);
void RegisterMeshImageHParams(HParamsTable* table);
void RegisterSequenceHParams(HParamsTable* table);
void RegisterResNetHParams(HParamsTable* table);
void RegisterImageTransformerHParams(HParamsTable* table);
void RegisterImageTransformer2dHParams(HParamsTable* table);
void RegisterAutoencoderHParams(HParamsTable* table);
void RegisterGenerativeHParams(HParamsTable* table);
void RegisterVideoHParams(HParamsTable* table);
void RegisterVqaHParams(HParamsTable* table);
void RegisterReinforcementHParams(HParamsTable* table);
void RegisterReinforcementWorldHParams(HParamsTable* table);

// Adds those of all files.
void RegisterAllHParams(HParamsTable* table);

}  // namespace t2t

#endif  // HPARAMS_FAMILIES_H_
