#ifndef T2T_TRAIN_REPLICAS_H_
#define T2T_TRAIN_REPLICAS_H_

#include <cstdint>

#include "t2t/train/state.h"

namespace t2t {

// Whether the state's replicas still have the same bits. Where they differ, all
// go on with those of rank 0 (with a warning), or with `deterministic` an Error
// is thrown: the job was to give the same bits on any number of ranks.
void CompareReplicas(const TrainState& state, int64_t step, bool deterministic,
                     bool first);

}  // namespace t2t

#endif  // T2T_TRAIN_REPLICAS_H_
