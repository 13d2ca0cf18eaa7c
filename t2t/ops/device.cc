#include "t2t/ops/device.h"

namespace t2t {
namespace {

c10::Device compute_device(c10::kCPU);

}  // namespace

c10::Device ComputeDevice() { return compute_device; }

void SetComputeDevice(c10::Device device) { compute_device = device; }

}  // namespace t2t
