#ifndef T2T_HPARAMS_WITHOUT_EFFECT_DEPTH_H_
#define T2T_HPARAMS_WITHOUT_EFFECT_DEPTH_H_

#include <vector>

#include "t2t/hparams/without_effect.h"

namespace t2t {

// What the Universal and the Evolved Transformer do not look at: a part of
// WithoutEffectRows().
std::vector<WithoutEffectRow> OfDepth();

}  // namespace t2t

#endif  // T2T_HPARAMS_WITHOUT_EFFECT_DEPTH_H_
