#ifndef T2T_HPARAMS_COMMON_H_
#define T2T_HPARAMS_COMMON_H_

#include "t2t/base/hparams.h"

namespace t2t {

// Every hparam that models share, with T2T's defaults (basic_params1): what
// each set of a model starts from. T2T's five dictionaries of Python functions
// (bottom, loss, name, top, weights_fn) have no place in it, and
// learning_rate_minimum is 0 where T2T's is None.
HParams BasicParams1();

}  // namespace t2t

#endif  // T2T_HPARAMS_COMMON_H_
