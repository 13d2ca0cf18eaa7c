#ifndef T2T_OPS_DEVICE_H_
#define T2T_OPS_DEVICE_H_

#include <c10/core/Device.h>
#include <c10/core/TensorOptions.h>

namespace t2t {

// Where the process' parameters and batches are: the CPU, unless it was set
// otherwise before the model was made.
c10::Device ComputeDevice();
void SetComputeDevice(c10::Device device);

// For tensors made from nothing that are to meet them.
inline c10::TensorOptions OnDevice(c10::ScalarType type) {
  return c10::TensorOptions(ComputeDevice()).dtype(type);
}

}  // namespace t2t

#endif  // T2T_OPS_DEVICE_H_
