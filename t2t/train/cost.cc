#include "t2t/train/cost.h"

#include <c10/core/Allocator.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <vector>

#include "t2t/ops/device.h"
#include "t2t/optim/optimizer_names.h"
#include "t2t/problem/registries.h"
#include "t2t/train/flops.h"

namespace t2t {
namespace {

// Counts what LibTorch's allocators give to this thread while it is pushed, the
// CPU's and a GPU's alike.
class MemoryCounter : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void*, int64_t bytes, size_t, size_t,
                         c10::Device) override {
    const std::lock_guard lock(mutex_);
    live_ += bytes;
    most_ = std::max(most_, live_);
  }
  bool memoryProfilingEnabled() const override { return true; }

  int64_t most() const {
    const std::lock_guard lock(mutex_);
    return most_;
  }

 private:
  mutable std::mutex mutex_;
  int64_t live_ = 0;
  int64_t most_ = 0;
};

class DropGradient : public torch::autograd::PostAccumulateGradHook {
 public:
  void operator()(const torch::autograd::Variable& parameter) override {
    parameter.mutable_grad().reset();
  }
};

// While it lives, an optimizer's slots are shapes without memory.
class OnMeta {
 public:
  OnMeta() { SetComputeDevice(at::kMeta); }
  ~OnMeta() { SetComputeDevice(device_); }
  OnMeta(const OnMeta&) = delete;
  OnMeta& operator=(const OnMeta&) = delete;

 private:
  const c10::Device device_ = ComputeDevice();
};

// The backward pass, which leaves nothing.
void RunBackward(const at::Tensor& loss,
                 const std::vector<at::Tensor>& parameters) {
  for (const at::Tensor& parameter : parameters) {
    torch::autograd::impl::set_post_acc_grad_hooks(
        parameter, std::make_unique<DropGradient>());
  }
  torch::autograd::backward({loss});
  for (const at::Tensor& parameter : parameters) {
    torch::autograd::impl::set_post_acc_grad_hooks(parameter, nullptr);
  }
}

}  // namespace

StepCost MeasureStep(Model* model, const Features& features) {
  const auto memory = std::make_shared<MemoryCounter>();
  const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, memory);
  const FlopCounter counter;
  const at::Tensor loss = model->Loss(features, Mode::kTrain).Total();
  const int64_t forward_bytes = memory->most();
  RunBackward(loss, model->params().Trainable());
  return {counter.flops(), forward_bytes};
}

int64_t OptimizerBytes(const HParams& hparams,
                       const std::vector<NamedTensor>& parameters) {
  const auto make =
      Optimizers().Get(RegisteredOptimizer(hparams.GetString("optimizer")));
  const OnMeta no_memory;
  return make(hparams, parameters)->StateBytes();
}

}  // namespace t2t
