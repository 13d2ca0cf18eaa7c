#ifndef T2T_TRAIN_COST_H_
#define T2T_TRAIN_COST_H_

#include <cstdint>

#include "t2t/model/model.h"

namespace t2t {

// What one training step over a batch costs, found by running its loss once.
struct StepCost {
  double flops = 0;              // forwards and backwards, matrix products
  int64_t activation_bytes = 0;  // what the process grew by
};

StepCost MeasureStep(Model* model, const Features& features);

}  // namespace t2t

#endif  // T2T_TRAIN_COST_H_
