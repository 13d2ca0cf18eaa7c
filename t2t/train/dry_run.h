#ifndef T2T_TRAIN_DRY_RUN_H_
#define T2T_TRAIN_DRY_RUN_H_

#include "t2t/train/run_parts.h"

namespace t2t {

// --dry_run: reads the first batch, sees whether the checkpoint in output_dir
// fits, prints what a step costs, and neither trains nor writes.
void DryRun(const RunParts& run);

}  // namespace t2t

#endif  // T2T_TRAIN_DRY_RUN_H_
