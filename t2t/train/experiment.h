#ifndef T2T_TRAIN_EXPERIMENT_H_
#define T2T_TRAIN_EXPERIMENT_H_

#include "t2t/train/run_config.h"

namespace t2t {

// Trains and evaluates, as the run's --schedule says.
void RunExperiment(const RunConfig& config);

}  // namespace t2t

#endif  // T2T_TRAIN_EXPERIMENT_H_
