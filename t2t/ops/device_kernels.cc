#include "t2t/ops/device_kernels.h"

namespace t2t {
namespace {

const DeviceKernels* current = nullptr;

}  // namespace

const DeviceKernels* CurrentDeviceKernels() { return current; }

void SetDeviceKernels(const DeviceKernels* kernels) { current = kernels; }

}  // namespace t2t
