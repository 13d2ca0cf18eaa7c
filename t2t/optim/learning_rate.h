#ifndef T2T_OPTIM_LEARNING_RATE_H_
#define T2T_OPTIM_LEARNING_RATE_H_

#include <cstdint>

#include "t2t/hparams/hparams.h"

namespace t2t {

// T2T's learning rate at a step, counted from 0: the product of the factors
// that learning_rate_schedule names ("constant*linear_warmup*rsqrt_decay"), or
// the legacy scheme. train_steps is where decays end that go by it. With
// optimizer_multistep_accumulate_steps=n a step is a batch and the n-th part of
// an update: the rate rises and falls within one, too. Throws a usage error
// where a factor or scheme is unknown or its hparams are wrong.
double LearningRate(const HParams& hparams, int64_t step, int64_t train_steps);

}  // namespace t2t

#endif  // T2T_OPTIM_LEARNING_RATE_H_
