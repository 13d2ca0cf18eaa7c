#ifndef T2T_OPS_CUDA_STRICT_DEVICE_H_
#define T2T_OPS_CUDA_STRICT_DEVICE_H_

#include <c10/core/Device.h>

#include "t2t/ops/device_kernels.h"

namespace t2t {

// A device for tests, where there is no GPU: its operations are the CPU's, but
// as with a GPU its memory can't be touched from the program (that is a crash),
// its tensors do not mix with the CPU's (an exception), and a backward pass
// runs in a thread of its own.
c10::Device StrictDevice();

// The optimizers' and dropout's loops there: those that nvcc compiles for the
// GPU.
const DeviceKernels& StrictDeviceKernels();

}  // namespace t2t

#endif  // T2T_OPS_CUDA_STRICT_DEVICE_H_
