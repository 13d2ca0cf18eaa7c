#include "t2t/train/replicas.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <string>

#include "t2t/base/crc32c.h"
#include "t2t/base/error.h"
#include "t2t/base/log.h"

namespace t2t {
namespace {

bool AreSame(ProcessGroup* group, const TrainState::NamedTensors& tensors) {
  uint32_t crc = 0;
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor here = tensor.cpu().contiguous();
    crc = Crc32c(
        {static_cast<const char*>(here.const_data_ptr()), here.nbytes()}, crc);
  }
  const at::Tensor all =
      group->AllGather(at::full(1, static_cast<int64_t>(crc),
                                at::TensorOptions().dtype(at::kLong)),
                       "comparing the ranks' weights");
  return at::equal(all, all[0].expand_as(all));
}

}  // namespace

void CompareReplicas(const TrainState& state, int64_t step, bool deterministic,
                     bool first) {
  for (const auto& [group, tensors] : state.SameTensors()) {
    if (AreSame(group, tensors)) continue;
    const std::string what =
        "the ranks' weights differ after step " + std::to_string(step);
    if (deterministic) {
      throw Error(ExitCode::kInternal, what, "the same bits on every rank",
                  "run every rank on the same type of processor with the same "
                  "number of threads");
    }
    if (first) Warn(what + ": all go on with those of rank 0");
    const at::NoGradGuard no_grad;
    for (const auto& [name, tensor] : tensors) {
      group->Broadcast(tensor, "sharing the weights");
    }
  }
}

}  // namespace t2t
