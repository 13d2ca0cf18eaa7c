#include "t2t/train/cost.h"

#include <ATen/record_function.h>
#include <sys/resource.h>

#include <algorithm>
#include <string_view>

namespace t2t {
namespace {

thread_local double counted_flops = 0;

double Extent(const at::Tensor& tensor, int64_t dim) {
  return static_cast<double>(tensor.size(dim));
}

// Two operations for each multiplication and addition.
void CountFlops(const at::RecordFunction& function) {
  const std::string_view name = function.name();
  const c10::ArrayRef<const c10::IValue> inputs = function.inputs();
  const auto tensor = [&](size_t i) { return inputs[i].toTensor(); };
  if (name == "aten::mm" || name == "aten::bmm") {
    counted_flops +=
        2.0 * static_cast<double>(tensor(0).numel()) * Extent(tensor(1), -1);
  } else if (name == "aten::addmm" || name == "aten::baddbmm") {
    counted_flops +=
        2.0 * static_cast<double>(tensor(1).numel()) * Extent(tensor(2), -1);
  } else if (name == "aten::_scaled_dot_product_flash_attention_for_cpu") {
    const at::Tensor query = tensor(0);
    counted_flops +=
        2.0 * static_cast<double>(query.numel()) * Extent(tensor(1), -2);
    counted_flops +=
        2.0 * static_cast<double>(query.numel()) * Extent(tensor(2), -2);
  } else if (name == "aten::convolution") {
    const at::Tensor kernel = tensor(1);
    counted_flops += 2.0 * static_cast<double>(kernel.numel()) *
                     static_cast<double>(tensor(0).numel()) /
                     std::max(Extent(tensor(0), 1), 1.0);
  }
}

int64_t PeakBytes() {
  struct rusage usage;
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<int64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace

StepCost MeasureStep(Model* model, const Features& features) {
  counted_flops = 0;
  const int64_t before = PeakBytes();
  const at::CallbackHandle handle = at::addThreadLocalCallback(
      at::RecordFunctionCallback([](const at::RecordFunction& function)
                                     -> std::unique_ptr<at::ObserverContext> {
        CountFlops(function);
        return nullptr;
      })
          .needsInputs(true)
          .scopes({at::RecordScope::FUNCTION}));
  try {
    model->Loss(features, Mode::kTrain);
  } catch (...) {
    at::removeCallback(handle);
    throw;
  }
  at::removeCallback(handle);
  // The backward pass has two products for each of the forward pass.
  return {3.0 * counted_flops, PeakBytes() - before};
}

}  // namespace t2t
