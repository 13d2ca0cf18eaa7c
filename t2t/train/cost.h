#ifndef T2T_TRAIN_COST_H_
#define T2T_TRAIN_COST_H_

#include <cstdint>
#include <vector>

#include "t2t/hparams/hparams.h"
#include "t2t/model/model.h"
#include "t2t/optim/optimizer.h"

namespace t2t {

// What one training step over a batch costs.
struct StepCost {
  double flops = 0;  // forwards and backwards, matrix products
  // The most that the forward pass holds at a time, parameters not counted:
  // what is kept for the backward pass, and buffers.
  int64_t activation_bytes = 0;
};

// Found by running forward and backward pass once. No gradient stays: each is
// dropped as soon as it is there, so that a large model needs the memory of
// its activations alone.
StepCost MeasureStep(Model* model, const Features& features);

// How large the optimizer's state for these parameters is, without the memory
// for it.
int64_t OptimizerBytes(const HParams& hparams,
                       const std::vector<NamedTensor>& parameters);

}  // namespace t2t

#endif  // T2T_TRAIN_COST_H_
