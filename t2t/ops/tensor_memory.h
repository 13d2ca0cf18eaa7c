#ifndef T2T_OPS_TENSOR_MEMORY_H_
#define T2T_OPS_TENSOR_MEMORY_H_

#include <ATen/ATen.h>

#include <cstdint>

namespace t2t {

// Frees a tensor's memory, whose size stays, and gives it some again, without
// values. All tensors that share it are the same afterwards: also those that a
// backward pass has kept.
void DropMemory(const at::Tensor& tensor);
void RestoreMemory(const at::Tensor& tensor);
bool HasMemory(const at::Tensor& tensor);

// Gives `to` the values of `from`, which has none after: its memory itself
// where that fits and nobody shares it. Views of `to` have them too. `to` may
// have no memory before.
void MoveValues(const at::Tensor& from, const at::Tensor& to);

// 1-D, fp32, without values. On the CPU its memory, like that of
// RestoreMemory(), goes back to the system when it is freed: malloc() would
// keep it for the process. (A GPU's goes back to LibTorch's pool.)
at::Tensor MappedFloats(int64_t size, at::Device device = at::kCPU);

}  // namespace t2t

#endif  // T2T_OPS_TENSOR_MEMORY_H_
