#ifndef T2T_OPS_CUDA_KERNELS_H_
#define T2T_OPS_CUDA_KERNELS_H_

#include <cuda_runtime.h>

#include "t2t/ops/cuda/update.h"

namespace t2t {

// Each starts a kernel over [0, size) on the stream.
void Launch(const AdamUpdate& update, int64_t size, cudaStream_t stream);
void Launch(const SgdUpdate& update, int64_t size, cudaStream_t stream);
void Launch(const MomentumUpdate& update, int64_t size, cudaStream_t stream);
void Launch(const AverageUpdate& update, int64_t size, cudaStream_t stream);
void Launch(const DropoutUpdate<float>& update, int64_t size,
            cudaStream_t stream);
void Launch(const DropoutUpdate<uint16_t>& update, int64_t size,
            cudaStream_t stream);

// Doubles that LaunchSum() works in.
inline constexpr int64_t kSumBlocks = 256;
// The sum over [0, size) into partial[0], always in the same order. partial:
// kSumBlocks doubles on the device.
void LaunchSum(const SquareOf& square, int64_t size, double* partial,
               cudaStream_t stream);

}  // namespace t2t

#endif  // T2T_OPS_CUDA_KERNELS_H_
