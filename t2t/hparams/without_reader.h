#ifndef T2T_HPARAMS_WITHOUT_READER_H_
#define T2T_HPARAMS_WITHOUT_READER_H_

#include <vector>

#include "t2t/hparams/without_effect.h"

namespace t2t {

// T2T's hparams that nothing here reads: a part of WithoutEffectRows().
std::vector<WithoutEffectRow> WithoutReader();

}  // namespace t2t

#endif  // T2T_HPARAMS_WITHOUT_READER_H_
