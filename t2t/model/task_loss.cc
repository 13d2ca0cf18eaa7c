#include "t2t/model/task_loss.h"

#include <ATen/ATen.h>

#include "t2t/hparams/values_or.h"

namespace t2t {
namespace {

// Behind this id, as 0 and 1.
at::Tensor BehindId(const at::Tensor& targets_BL, int64_t id) {
  const at::Tensor is_id = targets_BL.eq(id);
  return is_id.cumsum(1)
      .gt(0)
      .logical_and(is_id.logical_not())
      .logical_and(targets_BL.ne(0))
      .to(at::kFloat);
}

}  // namespace

TaskWeights WeighTasks(const at::Tensor& targets_BL,
                       const std::vector<TaskInfo>& tasks,
                       double label_weight) {
  const at::Tensor symbols_BL = targets_BL.ne(0).to(at::kFloat);
  at::Tensor weights_BL = at::zeros_like(symbols_BL);
  at::Tensor tasks_there = at::zeros({}, symbols_BL.options());
  // Adds share times the mean of the tokens that `mask` has.
  const auto add = [&](const at::Tensor& mask_BL, double share) {
    weights_BL = weights_BL + mask_BL * (share / mask_BL.sum().clamp_min(1.0));
  };
  for (const TaskInfo& task : tasks) {
    const at::Tensor behind_BL = BehindId(targets_BL, task.id);
    const at::Tensor all_BL =
        symbols_BL * behind_BL.sum(1, /*keepdim=*/true).gt(0);
    if (&task == tasks.data()) {
      add(all_BL, 1.0);
    } else {
      add(all_BL - behind_BL, 1.0 - label_weight);
      add(behind_BL, label_weight);
    }
    tasks_there = tasks_there + behind_BL.sum().clamp_max(1.0);
  }
  const at::Tensor tokens = symbols_BL.sum();
  return {weights_BL * (tokens / tasks_there.clamp_min(1.0)), tokens};
}

at::Tensor BehindTask(const at::Tensor& targets_BL,
                      const std::vector<TaskInfo>& tasks) {
  at::Tensor behind_BL = at::zeros_like(targets_BL, at::kFloat);
  for (const TaskInfo& task : tasks) {
    behind_BL = at::maximum(behind_BL, BehindId(targets_BL, task.id));
  }
  return behind_BL;
}

bool WeighsTasks(const ProblemInfo& info, const HParams& hparams) {
  return !info.tasks.empty() &&
         BoolOr(hparams, "multiproblem_reweight_label_loss", false);
}

}  // namespace t2t
