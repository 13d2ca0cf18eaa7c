#ifndef T2T_MODEL_TASK_LOSS_H_
#define T2T_MODEL_TASK_LOSS_H_

#include <ATen/core/Tensor.h>

#include <vector>

#include "t2t/hparams/hparams.h"
#include "t2t/problem/problem.h"

namespace t2t {

// T2T's aggregate_task_losses, for hparam multiproblem_reweight_label_loss: the
// loss of a batch is the mean over the tasks that are in it, of which the first
// counts the mean of its tokens, and each other one the mean of those behind
// its id times multiproblem_label_weight and the mean of the others times the
// rest. The means are over targets alone, so that this is a weighted mean of
// all tokens. (Of several batches each weighs by its tokens, as other losses
// do.)
struct TaskWeights {
  at::Tensor weights_BL;   // of each token's loss
  at::Tensor denominator;  // the tokens, a scalar
};
TaskWeights WeighTasks(const at::Tensor& targets_BL,
                       const std::vector<TaskInfo>& tasks, double label_weight);

// 1 for the targets behind the id of a task, 0 for all else: what T2T's metrics
// of a mixture count (weights_multi_problem).
at::Tensor BehindTask(const at::Tensor& targets_BL,
                      const std::vector<TaskInfo>& tasks);

// Whether the hparams ask for WeighTasks().
bool WeighsTasks(const ProblemInfo& info, const HParams& hparams);

}  // namespace t2t

#endif  // T2T_MODEL_TASK_LOSS_H_
