#ifndef T2T_BIN_COMMON_T2T_FLAGS_H_
#define T2T_BIN_COMMON_T2T_FLAGS_H_

#include "t2t/base/flags.h"

namespace t2t {

// T2T's programs share t2t-trainer's flags, and their command lines are meant
// to work here. Adds those that the program has not declared itself, each with
// what takes its place: they are accepted, and say so in one line.
void AddOtherT2TFlags(Flags* flags);

// The same of the flags that T2T's problems bring into every program that knows
// problems; a part of the above.
void AddGeneratorT2TFlags(Flags* flags);

}  // namespace t2t

#endif  // T2T_BIN_COMMON_T2T_FLAGS_H_
