#ifndef T2T_OPS_CUDA_CUDA_PLUGIN_H_
#define T2T_OPS_CUDA_CUDA_PLUGIN_H_

#include <cstdint>
#include <string>
#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include "t2t/ops/device_kernels.h"

namespace t2t {

struct CudaMemory {
  int64_t used = 0;  // by tensors
  int64_t peak = 0;
  int64_t total = 0;  // of the GPU
};

// What libt2t_cuda.so gives the program. All of it may throw
// std::runtime_error.
struct CudaPlugin {
  int64_t version;
  int64_t (*device_count)();
  std::string (*device_name)(int64_t index);
  // Makes it the one that this thread, and what it starts, works on.
  void (*use_device)(int64_t index);
  void (*synchronize)();
  CudaMemory (*memory)(int64_t index);
  // NCCL over the ranks that meet at the store, each with its GPU `index`.
  // Waits until they are connected, for ever if need be.
  void (*make_nccl)(const c10::intrusive_ptr<c10d::Store>& store, int64_t index,
                    int64_t rank, int64_t size,
                    c10::intrusive_ptr<c10d::Backend>* backend);
  DeviceKernels kernels;
};

inline constexpr int64_t kCudaPluginVersion = 2;
using GetCudaPlugin = const CudaPlugin*();
inline constexpr char kGetCudaPlugin[] = "T2tCudaPlugin";

}  // namespace t2t

#endif  // T2T_OPS_CUDA_CUDA_PLUGIN_H_
