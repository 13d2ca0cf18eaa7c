#include "t2t/ops/cuda/kernels.h"

namespace t2t {
namespace {

constexpr int kThreads = 256;
// Enough for the largest GPU; a thread takes several elements.
constexpr int64_t kMostBlocks = 4096;

template <typename Update>
__global__ void UpdateKernel(Update update, int64_t size) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
       i < size; i += stride) {
    update(i);
  }
}

// Adds up the block's values; thread 0 has the sum.
__device__ double BlockSum(double value) {
  __shared__ double values[kThreads];
  values[threadIdx.x] = value;
  __syncthreads();
  for (int half = kThreads / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) values[threadIdx.x] += values[threadIdx.x + half];
    __syncthreads();
  }
  return values[0];
}

__global__ void PartialSums(SquareOf square, int64_t size, double* partial) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  double sum = 0;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
       i < size; i += stride) {
    sum += square(i);
  }
  sum = BlockSum(sum);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

__global__ void SumOfSums(double* partial) {
  static_assert(kSumBlocks == kThreads, "one value a thread");
  const double sum = BlockSum(partial[threadIdx.x]);
  if (threadIdx.x == 0) partial[0] = sum;
}

template <typename Update>
void LaunchUpdate(const Update& update, int64_t size, cudaStream_t stream) {
  if (size == 0) return;
  const int64_t wanted = (size + kThreads - 1) / kThreads;
  const int blocks =
      static_cast<int>(wanted < kMostBlocks ? wanted : kMostBlocks);
  UpdateKernel<<<blocks, kThreads, 0, stream>>>(update, size);
}

}  // namespace

void Launch(const AdamUpdate& update, int64_t size, cudaStream_t stream) {
  LaunchUpdate(update, size, stream);
}

void Launch(const SgdUpdate& update, int64_t size, cudaStream_t stream) {
  LaunchUpdate(update, size, stream);
}

void Launch(const MomentumUpdate& update, int64_t size, cudaStream_t stream) {
  LaunchUpdate(update, size, stream);
}

void Launch(const AverageUpdate& update, int64_t size, cudaStream_t stream) {
  LaunchUpdate(update, size, stream);
}

void Launch(const DropoutUpdate<float>& update, int64_t size,
            cudaStream_t stream) {
  LaunchUpdate(update, size, stream);
}

void Launch(const DropoutUpdate<uint16_t>& update, int64_t size,
            cudaStream_t stream) {
  LaunchUpdate(update, size, stream);
}

void LaunchSum(const SquareOf& square, int64_t size, double* partial,
               cudaStream_t stream) {
  PartialSums<<<kSumBlocks, kThreads, 0, stream>>>(square, size, partial);
  SumOfSums<<<1, kThreads, 0, stream>>>(partial);
}

}  // namespace t2t
