#include "t2t/ops/tensor_memory.h"

#include <c10/core/CPUAllocator.h>
#include <sys/mman.h>

#include <string>

#include "t2t/base/error.h"

namespace t2t {
namespace {

c10::StorageImpl* StorageOf(const at::Tensor& tensor) {
  return tensor.storage().unsafeGetStorageImpl();
}

struct Mapping {
  void* begin;
  size_t bytes;
};

void Unmap(void* mapping) {
  auto* const own = static_cast<Mapping*>(mapping);
  ::munmap(own->begin, own->bytes);
  delete own;
}

at::DataPtr Allocate(at::Allocator* allocator, size_t bytes) {
  // What malloc() is given back it keeps where it is not large.
  constexpr size_t kLarge = 64 << 10;
  if (bytes < kLarge || allocator != c10::GetCPUAllocator()) {
    return allocator->allocate(bytes);
  }
  void* const begin = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (begin == MAP_FAILED) {
    throw Error(ExitCode::kIo,
                "out of memory: none for " + std::to_string(bytes) +
                    " bytes of a model",
                "as much", "use more ranks, or a smaller model or batch_size");
  }
  return {begin, new Mapping{begin, bytes}, Unmap, at::kCPU};
}

}  // namespace

void DropMemory(const at::Tensor& tensor) {
  c10::StorageImpl* const storage = StorageOf(tensor);
  storage->set_data_ptr_noswap(at::DataPtr(nullptr, storage->device()));
}

void RestoreMemory(const at::Tensor& tensor) {
  c10::StorageImpl* const storage = StorageOf(tensor);
  storage->set_data_ptr_noswap(
      Allocate(storage->allocator(), storage->nbytes()));
}

at::Tensor MappedFloats(int64_t size, at::Device device) {
  if (!device.is_cpu()) {
    return at::empty(size, at::TensorOptions(device).dtype(at::kFloat));
  }
  const at::Tensor tensor = at::empty(0, at::TensorOptions());
  c10::StorageImpl* const storage = StorageOf(tensor);
  const size_t bytes = static_cast<size_t>(size) * sizeof(float);
  storage->set_data_ptr_noswap(Allocate(storage->allocator(), bytes));
  storage->set_nbytes(bytes);
  tensor.unsafeGetTensorImpl()->set_sizes_contiguous({size});
  return tensor;
}

void MoveValues(const at::Tensor& from, const at::Tensor& to) {
  c10::StorageImpl* const source = StorageOf(from);
  c10::StorageImpl* const target = StorageOf(to);
  const bool fits =
      from.device() == to.device() && from.scalar_type() == to.scalar_type() &&
      from.sizes() == to.sizes() && from.is_contiguous() &&
      to.is_contiguous() && from.storage_offset() == 0 &&
      to.storage_offset() == 0 && source->nbytes() == target->nbytes() &&
      from.storage().use_count() == 1;
  if (fits) {
    target->set_data_ptr_noswap(
        source->set_data_ptr(at::DataPtr(nullptr, source->device())));
    return;
  }
  if (!HasMemory(to)) RestoreMemory(to);
  to.copy_(from);
}

bool HasMemory(const at::Tensor& tensor) {
  return tensor.storage().data() != nullptr;
}

}  // namespace t2t
