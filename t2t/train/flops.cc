#include "t2t/train/flops.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <memory>
#include <string_view>

#include "t2t/base/log.h"
#include "t2t/ops/cuda/device.h"
#include "t2t/ops/device.h"

namespace t2t {
namespace {

double Extent(const at::Tensor& tensor, int64_t dim) {
  return static_cast<double>(tensor.size(dim));
}

}  // namespace

std::atomic<FlopCounter*> FlopCounter::running_{nullptr};

FlopCounter::FlopCounter() {
  running_ = this;
  handle_ = at::addThreadLocalCallback(
      at::RecordFunctionCallback([](const at::RecordFunction& function)
                                     -> std::unique_ptr<at::ObserverContext> {
        FlopCounter* const counter = running_;
        if (counter != nullptr) Count(function, &counter->flops_);
        return nullptr;
      })
          .needsInputs(true)
          .scopes({at::RecordScope::FUNCTION}));
}

FlopCounter::~FlopCounter() {
  at::removeCallback(handle_);
  running_ = nullptr;
}

void FlopCounter::Count(const at::RecordFunction& function, double* flops) {
  const std::string_view name = function.name();
  const c10::ArrayRef<const c10::IValue> inputs = function.inputs();
  const auto tensor = [&](size_t i) { return inputs[i].toTensor(); };
  const auto elements = [&](size_t i) {
    return static_cast<double>(tensor(i).numel());
  };
  if (name == "aten::mm" || name == "aten::bmm") {
    *flops += 2.0 * elements(0) * Extent(tensor(1), -1);
  } else if (name == "aten::addmm" || name == "aten::addmm_" ||
             name == "aten::baddbmm") {
    *flops += 2.0 * elements(1) * Extent(tensor(2), -1);
  } else if (name == "aten::_scaled_dot_product_flash_attention_for_cpu") {
    *flops += 2.0 * elements(0) * Extent(tensor(1), -2);
    *flops += 2.0 * elements(0) * Extent(tensor(2), -2);
  } else if (name ==
             "aten::_scaled_dot_product_flash_attention_for_cpu_backward") {
    // Inputs: gradient, query, key. What is done again does not count.
    *flops += 4.0 * 2.0 * elements(1) * Extent(tensor(2), -2);
  } else if (name == "aten::convolution") {
    const at::Tensor kernel = tensor(1);
    *flops +=
        2.0 * elements(1) * elements(0) / std::max(Extent(tensor(0), 1), 1.0);
  } else if (name == "aten::convolution_backward") {
    // To the input and to the kernel. Inputs: gradient, input, kernel.
    *flops += 2.0 * 2.0 * elements(2) * elements(1) /
              std::max(Extent(tensor(1), 1), 1.0);
  } else if (name == "t2t::attention") {
    *flops += inputs[0].toDouble();
  }
}

double MeasurePeakFlops(at::ScalarType type) {
  const int64_t extent = ComputeDevice().is_cpu() ? 1024 : 8192;
  const at::NoGradGuard no_grad;
  const at::Tensor a = at::ones({extent, extent}, OnDevice(type));
  const at::Tensor b = at::ones({extent, extent}, OnDevice(type));
  at::Tensor product = at::mm(a, b);
  double best = 1e9;
  const double start = NowSeconds();
  do {
    SynchronizeDevice();
    const double before = NowSeconds();
    at::mm_out(product, a, b);
    SynchronizeDevice();
    best = std::min(best, NowSeconds() - before);
  } while (NowSeconds() - start < 0.1);
  const double size = static_cast<double>(extent);
  return 2.0 * size * size * size / std::max(best, 1e-9);
}

}  // namespace t2t
