#ifndef T2T_TRAIN_DRY_RUN_JSON_H_
#define T2T_TRAIN_DRY_RUN_JSON_H_

#include "t2t/base/json.h"
#include "t2t/train/run_parts.h"

namespace t2t {

// Of the object below: raised where a member's meaning changes, so that who
// keeps answers (t2t-launch's costs.json) asks again.
inline constexpr int64_t kDryRunJsonVersion = 1;

// What --dry_run --json prints: what a step of this run costs one process, for
// programs. Without data the vocabularies are as large as the problem's row
// says ("vocabulary_known": false), and "first_batch" is null. "step" is of the
// full batch that hparams say, made up (t2t/train/full_batch.h); null, with
// "why_no_step", where it could not be run.
Json DryRunJson(const RunParts& run);

}  // namespace t2t

#endif  // T2T_TRAIN_DRY_RUN_JSON_H_
