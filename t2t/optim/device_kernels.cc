#include "t2t/optim/device_kernels.h"

namespace t2t {
namespace {

const DeviceKernels* device_kernels = nullptr;

}  // namespace

const DeviceKernels* OptimizerDeviceKernels() { return device_kernels; }

void SetOptimizerDeviceKernels(const DeviceKernels* kernels) {
  device_kernels = kernels;
}

}  // namespace t2t
