#include "t2t/nn/linear.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/grad_mode.h>
#include <ATen/cpu/Utils.h>
#include <ATen/native/quantized/PackedParams.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "t2t/ops/row_kernels.h"

namespace t2t {
namespace {

using PackedParams = c10::intrusive_ptr<LinearPackedParamsBase>;

// How many steps lie between 0 and an input row's largest number. Without
// VNNI, FBGEMM adds two products in 16 bits, which 255 * 127 * 2 would exceed.
int64_t InputSteps() {
  static const int64_t steps = at::cpu::is_avx512_vnni_supported() ? 127 : 63;
  return steps;
}

c10::TypedOperatorHandle<PackedParams(at::Tensor, std::optional<at::Tensor>)>
PackOperator() {
  return c10::Dispatcher::singleton()
      .findSchemaOrThrow("quantized::linear_prepack", "")
      .typed<PackedParams(at::Tensor, std::optional<at::Tensor>)>();
}

}  // namespace

struct Int8Weights::Packed {
  at::Tensor weight;  // keeps its storage's address its own
  PackedParams params;
  bool freed = false;
};

Int8Weights::Int8Weights() = default;
Int8Weights::~Int8Weights() = default;

bool Int8Weights::IsAvailable() {
  return at::globalContext().qEngine() == at::kFBGEMM ||
         at::globalContext().qEngine() == at::kX86;
}

int64_t Int8Weights::count() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return static_cast<int64_t>(packed_.size());
}

int64_t Int8Weights::Free(const at::Tensor& parameter) {
  const std::lock_guard<std::mutex> lock(mutex_);
  c10::StorageImpl* storage = parameter.storage().unsafeGetStorageImpl();
  const auto found = packed_.find(storage);
  if (found == packed_.end() || found->second->freed) return 0;
  found->second->freed = true;
  const auto bytes = static_cast<int64_t>(storage->nbytes());
  // The size stays: views are still made of it.
  storage->set_data_ptr_noswap(at::DataPtr(nullptr, storage->device()));
  return bytes;
}

Int8Weights::Packed* Int8Weights::Find(const at::Tensor& weight) {
  const void* key = weight.storage().unsafeGetStorageImpl();
  const std::lock_guard<std::mutex> lock(mutex_);
  std::unique_ptr<Packed>& packed = packed_[key];
  if (packed == nullptr) {
    const at::Tensor own = weight.detach().to(at::kFloat).contiguous();
    const at::Tensor scales =
        (own.abs().amax(1).to(at::kDouble) / 127.0).clamp_min(1e-30);
    const at::Tensor quantized = at::quantize_per_channel(
        own, scales, at::zeros({own.size(0)}, at::kLong), 0, at::kQInt8);
    packed = std::make_unique<Packed>();
    packed->weight = weight.detach();
    packed->params = PackOperator().call(quantized, std::nullopt);
  }
  return packed.get();
}

at::Tensor Int8Weights::Multiply(const at::Tensor& x, const at::Tensor& weight,
                                 const at::Tensor& bias) {
  const at::NoGradGuard no_grad;
  const int64_t in = weight.size(1);
  const int64_t out = weight.size(0);
  std::vector<int64_t> shape = x.sizes().vec();
  shape.back() = out;
  if (x.numel() == 0) return at::zeros(shape, at::kFloat);
  Packed* const packed = Find(weight);
  const at::Tensor input = x.to(at::kFloat).reshape({-1, in}).contiguous();
  const int64_t rows = input.size(0);
  // Every row between -1 and 1, so that one step size fits them all.
  at::Tensor scaled = at::empty({rows, in}, at::kFloat);
  std::vector<float> largest(static_cast<size_t>(rows));
  const auto* from = input.const_data_ptr<float>();
  auto* to = scaled.mutable_data_ptr<float>();
  for (int64_t i = 0; i < rows; ++i) {
    const float size = std::max(RowLargest(from + i * in, in), 1e-30F);
    largest[i] = size;
    ScaledRow(from + i * in, in, 1.0F / size, to + i * in);
  }
  const int64_t steps = InputSteps();
  at::Tensor result =
      packed->params->apply_with_input_q_dq_qweight_dq_output_fp32(
          scaled, 1.0 / static_cast<double>(steps), steps + 1);
  auto* values = result.mutable_data_ptr<float>();
  const float* add = bias.defined() ? bias.const_data_ptr<float>() : nullptr;
  for (int64_t i = 0; i < rows; ++i) {
    if (add != nullptr) {
      ScaleRowAndAdd(values + i * out, out, largest[i], add);
    } else {
      ScaledRow(values + i * out, out, largest[i], values + i * out);
    }
  }
  return result.view(shape);
}

at::Tensor Linear(const at::Tensor& x, const at::Tensor& kernel,
                  const at::Tensor& bias, Int8Weights* int8) {
  if (int8 != nullptr) return int8->Multiply(x, kernel.t(), bias);
  return at::linear(x, kernel.t(), bias);
}

at::Tensor LinearRows(const at::Tensor& x, const at::Tensor& rows,
                      Int8Weights* int8) {
  if (int8 != nullptr) return int8->Multiply(x, rows, {});
  return at::matmul(x, rows.to(x.scalar_type()).t());
}

}  // namespace t2t
