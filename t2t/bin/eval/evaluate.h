#ifndef T2T_BIN_EVAL_EVALUATE_H_
#define T2T_BIN_EVAL_EVALUATE_H_

#include "t2t/bin/eval/eval_flags.h"

namespace t2t {

// Evaluates once, or each new checkpoint, as the flags say, which were checked.
void EvaluateAsAsked(const EvalFlags& flags);

}  // namespace t2t

#endif  // T2T_BIN_EVAL_EVALUATE_H_
