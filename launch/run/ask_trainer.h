#ifndef T2T_LAUNCH_RUN_ASK_TRAINER_H_
#define T2T_LAUNCH_RUN_ASK_TRAINER_H_

#include <string>

#include "launch/app/costs.h"

namespace t2t {

// Asks `t2t-trainer --dry_run --json`: the one in bin_dir, or beside this
// program, or in PATH. It has two minutes for an answer.
Costs::Ask AskTrainer(const std::string& bin_dir);

}  // namespace t2t

#endif  // T2T_LAUNCH_RUN_ASK_TRAINER_H_
