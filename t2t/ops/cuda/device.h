#ifndef T2T_OPS_CUDA_DEVICE_H_
#define T2T_OPS_CUDA_DEVICE_H_

#include <cstdint>
#include <string>
#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

namespace t2t {

// Chooses where this process computes, before it makes a model or joins a
// group. choice: "cpu", "cuda" (the GPU of the local rank), or "auto": a GPU
// where the machine has one and libt2t_cuda.so can be opened, else the CPU.
// With "cuda", what is missing is a missing error. Returns what was chosen, for
// the log: "" for the CPU.
std::string UseDevice(const std::string& choice, int64_t local_rank);

// The connection for tensors of the device; null where that is the CPU. It
// waits for the other ranks.
using DeviceBackendMaker = c10::intrusive_ptr<c10d::Backend>(
    const c10::intrusive_ptr<c10d::Store>& store, int64_t rank, int64_t size);
DeviceBackendMaker MakeDeviceBackend;
// That of a device that UseDevice() did not choose; null: none.
void SetDeviceBackendMaker(DeviceBackendMaker* make);

// Until the device has done what it was given.
void SynchronizeDevice();

// The GPU's; "" on the CPU.
std::string DeviceName();

// "3.1 of 80 GB of the GPU's memory"; "" on the CPU.
std::string DeviceMemoryText();

}  // namespace t2t

#endif  // T2T_OPS_CUDA_DEVICE_H_
