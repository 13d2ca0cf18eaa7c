#ifndef T2T_OPS_CUDA_STRICT_BACKEND_H_
#define T2T_OPS_CUDA_STRICT_BACKEND_H_

#include <cstdint>
#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

namespace t2t {

// The strict device's connection, for SetDeviceBackendMaker(): what NCCL is to
// a GPU, by way of the CPU's memory and Gloo. It tells, as an error of the
// wait, where NCCL would silently read or write something else: of tensors
// whose memory was freed, or whose values were changed, while it was under way.
// What is not there before the wait are NaNs (or -1), and the CPU's tensors are
// refused.
c10::intrusive_ptr<c10d::Backend> MakeStrictBackend(
    const c10::intrusive_ptr<c10d::Store>& store, int64_t rank, int64_t size);

}  // namespace t2t

#endif  // T2T_OPS_CUDA_STRICT_BACKEND_H_
