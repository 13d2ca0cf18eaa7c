#ifndef T2T_BIN_COMMON_IGNORED_FLAGS_H_
#define T2T_BIN_COMMON_IGNORED_FLAGS_H_

#include "t2t/base/flags.h"

namespace t2t {

// T2T's programs share t2t-trainer's flags. Those that say nothing to a
// program that only uses a trained model: of TensorFlow's mechanisms, and of
// training.
void AddIgnoredTensorFlowFlags(Flags* flags);
void AddIgnoredTrainingFlags(Flags* flags);

}  // namespace t2t

#endif  // T2T_BIN_COMMON_IGNORED_FLAGS_H_
