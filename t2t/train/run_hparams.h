#ifndef T2T_TRAIN_RUN_HPARAMS_H_
#define T2T_TRAIN_RUN_HPARAMS_H_

#include <string>

#include "t2t/hparams/hparams.h"
#include "t2t/train/run_config.h"

namespace t2t {

// Where a run's hparams are saved.
std::string HParamsPath(const std::string& output_dir);

// The hparams of a run: the set's, those saved in output_dir where a run goes
// on there, --hparams last. Says what differs from the saved.
HParams RunHParams(const RunConfig& config);

}  // namespace t2t

#endif  // T2T_TRAIN_RUN_HPARAMS_H_
