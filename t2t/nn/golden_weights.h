#ifndef T2T_NN_GOLDEN_WEIGHTS_H_
#define T2T_NN_GOLDEN_WEIGHTS_H_

#include "t2t/nn/params.h"

namespace t2t {

// For tests: the values that weight() of tools/golden/model/transformer.py
// gives variables, a function of name and place.
void FillGoldenWeights(ParamStore* params);

}  // namespace t2t

#endif  // T2T_NN_GOLDEN_WEIGHTS_H_
