#include "t2t/ops/cuda/strict_device.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/EmptyTensor.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <ATen/native/CPUFallback.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/resize_native.h>
#include <ATen/ops/view_native.h>
#include <c10/core/Allocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <malloc.h>
#include <torch/library.h>

#include <cstdlib>
#include <cstring>
#include <set>
#include <stdexcept>
#include <string>

#include "t2t/ops/cuda/update.h"

namespace t2t {
namespace {

constexpr uintptr_t kMark = uintptr_t{1} << 62;  // makes no valid address

template <typename T>
T* Real(T* pointer) {
  return reinterpret_cast<T*>(reinterpret_cast<uintptr_t>(pointer) & ~kMark);
}

void* Marked(void* pointer) {
  return reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(pointer) | kMark);
}

// Who reads it still, or before it is written, is to notice.
void FillWithNans(void* memory) {
  std::memset(memory, 0xFF, ::malloc_usable_size(memory));
}

void Free(void* marked) {
  void* const memory = Real(marked);
  if (memory != nullptr) FillWithNans(memory);
  std::free(memory);
}

class StrictAllocator : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t size) override {
    if (size == 0) return {nullptr, nullptr, &Free, StrictDevice()};
    void* const memory = std::aligned_alloc(64, (size + 63) / 64 * 64);
    FillWithNans(memory);
    return {Marked(memory), Marked(memory), &Free, StrictDevice()};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &Free; }
  void copy_data(void* to, const void* from, size_t size) const override {
    std::memcpy(Real(to), Real(from), size);
  }
};

StrictAllocator* TheAllocator() {
  static auto* const allocator = new StrictAllocator;
  return allocator;
}

constexpr c10::DispatchKeySet kKeys(c10::DispatchKey::PrivateUse1);

at::Tensor Empty(at::IntArrayRef size, std::optional<at::ScalarType> type,
                 std::optional<at::Layout>, std::optional<at::Device>,
                 std::optional<bool>, std::optional<at::MemoryFormat> format) {
  return at::detail::empty_generic(size, TheAllocator(), kKeys,
                                   type.value_or(at::kFloat), format);
}

at::Tensor EmptyStrided(at::IntArrayRef size, at::IntArrayRef stride,
                        std::optional<at::ScalarType> type,
                        std::optional<at::Layout>, std::optional<at::Device>,
                        std::optional<bool>) {
  return at::detail::empty_strided_generic(size, stride, TheAllocator(), kKeys,
                                           type.value_or(at::kFloat));
}

// The same memory, as the CPU's.
at::Tensor OnCpu(const at::Tensor& tensor) {
  if (tensor.device().is_cpu() || tensor.numel() == 0) return tensor.cpu();
  return at::from_blob(Real(tensor.mutable_data_ptr()), tensor.sizes(),
                       tensor.strides(), tensor.options().device(at::kCPU));
}

at::Tensor CopyFrom(const at::Tensor& from, const at::Tensor& to, bool) {
  if (to.numel() == 0) return to;
  const at::Tensor source = from.device().is_cpu() ? from : OnCpu(from);
  at::Tensor target = to.device().is_cpu() ? to : OnCpu(to);
  target.copy_(source);
  return to;
}

const at::Tensor& Resize(const at::Tensor& tensor, at::IntArrayRef size,
                         std::optional<at::MemoryFormat>) {
  const at::Tensor fresh = at::empty(size, tensor.options());
  at::Tensor changed = tensor;
  changed.unsafeGetTensorImpl()->set_storage_and_dtype(fresh.storage(),
                                                       fresh.dtype());
  changed.unsafeGetTensorImpl()->set_sizes_contiguous(size);
  return tensor;
}

at::Tensor CopyFromAndResize(const at::Tensor& from, const at::Tensor& to) {
  if (to.sizes() != from.sizes()) Resize(to, from.sizes(), {});
  return CopyFrom(from, to, false);
}

// What takes indices of the CPU on a GPU too.
bool MayMix(const std::string& name) {
  static const std::set<std::string> kNames = {
      "aten::index", "aten::index_put_", "aten::_index_put_impl_"};
  return kNames.count(name) > 0;
}

void RunOnCpu(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const size_t count = op.schema().arguments().size();
  bool here = false;
  bool on_cpu = false;
  const auto look = [&](const at::Tensor& tensor) {
    if (!tensor.defined()) return;
    here |= !tensor.device().is_cpu();
    // Numbers may come from anywhere.
    on_cpu |= tensor.device().is_cpu() && tensor.dim() > 0;
  };
  for (size_t i = 0; i < count; ++i) {
    const c10::IValue& value = torch::jit::peek(*stack, i, count);
    if (value.isTensor()) look(value.toTensor());
    if (value.isTensorList()) {
      for (const at::Tensor& tensor : value.toTensorVector()) look(tensor);
    }
  }
  const std::string name = op.schema().name();
  if (here && on_cpu && !MayMix(name)) {
    throw std::runtime_error(name + " mixes tensors of two devices");
  }
  at::native::cpu_fallback(op, stack);
}

class StrictHooks : public at::PrivateUse1HooksInterface {
 public:
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
  c10::DeviceIndex deviceCount() const override { return 1; }
  // Everything random is drawn by the CPU's.
  const at::Generator& getDefaultGenerator(c10::DeviceIndex) const override {
    return at::detail::getDefaultCPUGenerator();
  }
};

// One stream, which is done with everything at once.
class StrictGuard : public c10::impl::DeviceGuardImplInterface {
 public:
  StrictGuard() = default;
  explicit StrictGuard(c10::DeviceType) {}
  c10::DeviceType type() const override { return c10::DeviceType::PrivateUse1; }
  c10::Device exchangeDevice(c10::Device) const override {
    return StrictDevice();
  }
  c10::Device getDevice() const override { return StrictDevice(); }
  void setDevice(c10::Device) const override {}
  void uncheckedSetDevice(c10::Device) const noexcept override {}
  c10::Stream getStream(c10::Device device) const override {
    return c10::Stream(c10::Stream::DEFAULT, device);
  }
  c10::Stream exchangeStream(c10::Stream stream) const override {
    return stream;
  }
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }
  void record(void**, const c10::Stream&, const c10::DeviceIndex,
              const c10::EventFlag) const override {}
  void block(void*, const c10::Stream&) const override {}
  bool queryEvent(void*) const override { return true; }
  void destroyEvent(void*, const c10::DeviceIndex) const noexcept override {}
  bool queryStream(const c10::Stream&) const override { return true; }
  void synchronizeStream(const c10::Stream&) const override {}
};

[[maybe_unused]] const bool registered = [] {
  c10::register_privateuse1_backend("strict");
  at::RegisterPrivateUse1HooksInterface(new StrictHooks);
  return true;
}();

C10_REGISTER_GUARD_IMPL(PrivateUse1, StrictGuard)

}  // namespace

TORCH_LIBRARY_IMPL(_, PrivateUse1, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&RunOnCpu>());
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, library) {
  library.impl("empty.memory_format", Empty);
  library.impl("empty_strided", EmptyStrided);
  library.impl("_copy_from", CopyFrom);
  library.impl("_copy_from_and_resize", CopyFromAndResize);
  library.impl("resize_", Resize);
  library.impl("view", at::native::view);
  library.impl("as_strided", at::native::as_strided_tensorimpl);
  library.impl("_reshape_alias", at::native::_reshape_alias);
}

c10::Device StrictDevice() { return {c10::DeviceType::PrivateUse1, 0}; }

namespace {

template <typename Update>
void Each(const Update& update, int64_t size) {
  for (int64_t i = 0; i < size; ++i) update(i);
}

GradientTerms Seen(GradientTerms gradient) {
  gradient.g = Real(gradient.g);
  return gradient;
}

double Sum(const float* p, GradientTerms gradient, int64_t size) {
  const SquareOf square{Real(p), Seen(gradient)};
  double sum = 0;
  for (int64_t i = 0; i < size; ++i) sum += square(i);
  return sum;
}

void Adam(float* p, float* m, float* v, GradientTerms gradient, AdamTerms terms,
          int64_t size) {
  Each(AdamUpdate{Real(p), Real(m), Real(v), Seen(gradient), terms}, size);
}

void Sgd(float* p, GradientTerms gradient, float rate, int64_t size) {
  Each(SgdUpdate{Real(p), Seen(gradient), rate}, size);
}

void Momentum(float* p, float* accumulator, GradientTerms gradient, float rate,
              float momentum, bool nesterov, int64_t size) {
  Each(MomentumUpdate{Real(p), Real(accumulator), Seen(gradient), rate,
                      momentum, nesterov},
       size);
}

void Average(float* a, const float* p, float decay, int64_t size) {
  Each(AverageUpdate{Real(a), Real(p), decay}, size);
}

template <typename T>
void DropoutOf(const T* x, const T* residual, T* out, DropoutTerms terms,
               int64_t size) {
  Each(DropoutUpdate<T>{Real(x), Real(residual), Real(out), terms}, size);
}

}  // namespace

const DeviceKernels& StrictDeviceKernels() {
  static const DeviceKernels kernels = {
      Sum, Adam, Sgd, Momentum, Average, DropoutOf<float>, DropoutOf<uint16_t>};
  return kernels;
}

}  // namespace t2t
