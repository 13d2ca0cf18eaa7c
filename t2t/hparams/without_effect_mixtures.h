#ifndef T2T_HPARAMS_WITHOUT_EFFECT_MIXTURES_H_
#define T2T_HPARAMS_WITHOUT_EFFECT_MIXTURES_H_

#include <vector>

#include "t2t/hparams/without_effect.h"

namespace t2t {

// Hparams of mixtures of problems: a part of WithoutEffectRows().
std::vector<WithoutEffectRow> OfMixtures();

}  // namespace t2t

#endif  // T2T_HPARAMS_WITHOUT_EFFECT_MIXTURES_H_
