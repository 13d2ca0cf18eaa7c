#include "t2t/train/cost.h"

#include <sys/resource.h>
#include <torch/csrc/autograd/autograd.h>

#include "t2t/train/flops.h"

namespace t2t {
namespace {

int64_t PeakBytes() {
  struct rusage usage;
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<int64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace

StepCost MeasureStep(Model* model, const Features& features) {
  const int64_t before = PeakBytes();
  const FlopCounter counter;
  const at::Tensor loss = model->Loss(features, Mode::kTrain).Total();
  const int64_t grown = PeakBytes() - before;
  torch::autograd::grad({loss}, model->params().Trainable(), {}, std::nullopt,
                        /*create_graph=*/false, /*allow_unused=*/true);
  return {counter.flops(), grown};
}

}  // namespace t2t
