#ifndef T2T_NN_DEFAULT_INITIALIZER_H_
#define T2T_NN_DEFAULT_INITIALIZER_H_

#include "t2t/hparams/hparams.h"
#include "t2t/nn/params.h"

namespace t2t {

// The initializer that the hparams "initializer" and "initializer_gain" name:
// for every parameter that does not choose its own.
Initializer DefaultInitializer(const HParams& hparams);

}  // namespace t2t

#endif  // T2T_NN_DEFAULT_INITIALIZER_H_
