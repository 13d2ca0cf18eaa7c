// libt2t_cuda.so: what of the program needs CUDA and LibTorch's CUDA half.

#include "t2t/ops/cuda/cuda_plugin.h"

#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime.h>

#include <chrono>
#include <cstdlib>
#include <utility>

#ifndef USE_C10D_NCCL
#define USE_C10D_NCCL
#endif
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

#include "t2t/ops/cuda/kernels.h"

namespace t2t {
namespace {

cudaStream_t Stream() { return c10::cuda::getCurrentCUDAStream().stream(); }

int64_t DeviceCount() { return c10::cuda::device_count_ensure_non_zero(); }

std::string DeviceName(int64_t index) {
  return at::cuda::getDeviceProperties(static_cast<c10::DeviceIndex>(index))
      ->name;
}

void UseDevice(int64_t index) {
  c10::cuda::set_device(static_cast<c10::DeviceIndex>(index));
}

void Synchronize() { c10::cuda::device_synchronize(); }

CudaMemory Memory(int64_t index) {
  const auto device = static_cast<c10::DeviceIndex>(index);
  const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(device);
  const auto all =
      static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
  return {stats.allocated_bytes[all].current, stats.allocated_bytes[all].peak,
          static_cast<int64_t>(
              at::cuda::getDeviceProperties(device)->totalGlobalMem)};
}

void MakeNccl(const c10::intrusive_ptr<c10d::Store>& store, int64_t index,
              int64_t rank, int64_t size,
              c10::intrusive_ptr<c10d::Backend>* backend) {
  // NCCL's errors are told by the collective that waits. By default c10d's own
  // thread would end the process with SIGABRT before it can be said which rank
  // is lost, and with an exit code on which no operator starts again.
  ::setenv("TORCH_NCCL_ASYNC_ERROR_HANDLING", "0", /*overwrite=*/0);
  auto options = c10d::ProcessGroupNCCL::Options::create();
  // The group that this is part of has its own limits.
  options->timeout = std::chrono::hours(24 * 365);
  // This is called in a thread that can be left behind.
  UseDevice(index);
  auto nccl = c10::make_intrusive<c10d::ProcessGroupNCCL>(
      store, static_cast<int>(rank), static_cast<int>(size),
      std::move(options));
  // Now, while a lost rank is looked for: the first collective would connect
  // otherwise, and its call would not return.
  nccl->eagerConnectSingleDevice(
      at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(index)));
  *backend = std::move(nccl);
}

double SumOfSquaresOnDevice(const float* p, GradientTerms gradient,
                            int64_t size) {
  // For as long as the program: memory of a GPU cannot be given back when
  // static objects end.
  static double* const partial = [] {
    void* memory = nullptr;
    C10_CUDA_CHECK(cudaMalloc(&memory, kSumBlocks * sizeof(double)));
    return static_cast<double*>(memory);
  }();
  LaunchSum({p, gradient}, size, partial, Stream());
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  double sum = 0;
  C10_CUDA_CHECK(cudaMemcpyAsync(&sum, partial, sizeof(sum),
                                 cudaMemcpyDeviceToHost, Stream()));
  C10_CUDA_CHECK(cudaStreamSynchronize(Stream()));
  return sum;
}

template <typename Update>
void Run(const Update& update, int64_t size) {
  Launch(update, size, Stream());
  C10_CUDA_KERNEL_LAUNCH_CHECK();
}

void AdamOnDevice(float* p, float* m, float* v, GradientTerms gradient,
                  AdamTerms terms, int64_t size) {
  Run(AdamUpdate{p, m, v, gradient, terms}, size);
}

void SgdOnDevice(float* p, GradientTerms gradient, float rate, int64_t size) {
  Run(SgdUpdate{p, gradient, rate}, size);
}

void MomentumOnDevice(float* p, float* accumulator, GradientTerms gradient,
                      float rate, float momentum, bool nesterov, int64_t size) {
  Run(MomentumUpdate{p, accumulator, gradient, rate, momentum, nesterov}, size);
}

void AverageOnDevice(float* a, const float* p, float decay, int64_t size) {
  Run(AverageUpdate{a, p, decay}, size);
}

template <typename T>
void DropoutOnDevice(const T* x, const T* residual, T* out, DropoutTerms terms,
                     int64_t size) {
  Run(DropoutUpdate<T>{x, residual, out, terms}, size);
}

const CudaPlugin kPlugin = {
    kCudaPluginVersion,
    DeviceCount,
    DeviceName,
    UseDevice,
    Synchronize,
    Memory,
    MakeNccl,
    {SumOfSquaresOnDevice, AdamOnDevice, SgdOnDevice, MomentumOnDevice,
     AverageOnDevice, DropoutOnDevice<float>, DropoutOnDevice<uint16_t>}};

}  // namespace
}  // namespace t2t

extern "C" __attribute__((visibility("default"))) const t2t::CudaPlugin*
T2tCudaPlugin() {
  return &t2t::kPlugin;
}
