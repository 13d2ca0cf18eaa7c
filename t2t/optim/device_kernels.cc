#include "t2t/optim/device_kernels.h"

namespace t2t {
namespace {

const DeviceKernels* device_kernels = nullptr;

}  // namespace

const DeviceKernels* CurrentDeviceKernels() { return device_kernels; }

void SetDeviceKernels(const DeviceKernels* kernels) {
  device_kernels = kernels;
}

}  // namespace t2t
