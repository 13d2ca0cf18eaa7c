#include "t2t/ops/cuda/device.h"

#include <dlfcn.h>
#include <link.h>

#include <cstdlib>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/plugin.h"
#include "t2t/base/simd_target.h"
#include "t2t/base/strings.h"
#include "t2t/ops/cuda/cuda_plugin.h"
#include "t2t/ops/device.h"

namespace t2t {
namespace {

constexpr char kTodo[] =
    "install the GPU's driver, CUDA 13's libraries (cuBLAS, cuDNN, NCCL) and "
    "LibTorch's CUDA half (scripts/install_deps.sh --cuda), or use "
    "--device=cpu";

const CudaPlugin* opened = nullptr;
DeviceBackendMaker* other_maker = nullptr;

bool HasDriver() { return Exists("/dev/nvidiactl") || Exists("/dev/dxg"); }

std::string FirstLine(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

Error Cannot(const std::string& why) {
  return MissingError(
      "--device=cuda: " + why +
          (HasDriver() ? "" : "; and no GPU is seen (no /dev/nvidiactl)"),
      "an NVIDIA GPU and what is needed to use it", kTodo);
}

// libtorch_cuda.so is to be beside libtorch_cpu.so, where
// scripts/install_deps.sh puts it, or on the loader's own path.
void OpenTorchCuda() {
  constexpr char kName[] = "libtorch_cuda.so";
  std::string path = kName;
  void* const torch = ::dlopen("libtorch_cpu.so", RTLD_NOW | RTLD_NOLOAD);
  struct link_map* map = nullptr;
  if (torch != nullptr && ::dlinfo(torch, RTLD_DI_LINKMAP, &map) == 0) {
    char* const real = ::realpath(map->l_name, nullptr);
    if (real != nullptr) {
      const std::string beside = JoinPath(DirName(real), kName);
      if (Exists(beside)) path = beside;
      std::free(real);
    }
  }
  if (::dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    throw Cannot("LibTorch's CUDA half can't be opened: " +
                 std::string(::dlerror()));
  }
}

const CudaPlugin* Open() {
  // Before anything asks LibTorch for a GPU: it asks once.
  OpenTorchCuda();
  const CudaPlugin* const plugin = reinterpret_cast<GetCudaPlugin*>(OpenPlugin(
      {"libt2t_cuda.so", "t2t/ops/cuda", kGetCudaPlugin, "--device=cuda",
       "build //t2t/ops/cuda:libt2t_cuda.so where CUDA's toolkit is, or use "
       "--device=cpu"}))();
  if (plugin->version != kCudaPluginVersion) {
    throw MissingError("libt2t_cuda.so is of another build than this program",
                       "both of one build");
  }
  return plugin;
}

std::string UseCuda(int64_t local_rank) {
  const CudaPlugin* const plugin = Open();
  int64_t count = 0;
  try {
    count = plugin->device_count();
  } catch (const std::exception& error) {
    throw Cannot(FirstLine(error.what()));
  }
  if (local_rank >= count) {
    throw UsageError(
        "local rank " + std::to_string(local_rank) +
            " has no GPU: this machine has " + std::to_string(count),
        "as many ranks a machine as GPUs",
        "start " + std::to_string(count) + " ranks here, or use --device=cpu");
  }
  plugin->use_device(local_rank);
  SetComputeDevice(
      at::Device(at::kCUDA, static_cast<at::DeviceIndex>(local_rank)));
  SetDeviceKernels(&plugin->kernels);
  opened = plugin;
  return "GPU " + std::to_string(local_rank) + ", " +
         plugin->device_name(local_rank);
}

}  // namespace

std::string UseDevice(const std::string& choice, int64_t local_rank) {
  CurrentSimdTarget();  // an error in its variable shows before the work
  if (choice == "cpu") return "";
  if (choice == "cuda") return UseCuda(local_rank);
  if (choice != "auto") {
    throw UsageError("--device=" + choice,
                     DidYouMean(choice, {"auto", "cpu", "cuda"}),
                     "--device is auto, cpu or cuda");
  }
  if (!HasDriver()) return "";
  try {
    return UseCuda(local_rank);
  } catch (const Error& error) {
    if (error.code() != ExitCode::kMissing) throw;
    Warn("there is a GPU, but it is not used: " + FirstLine(error.what()));
    return "";
  }
}

c10::intrusive_ptr<c10d::Backend> MakeDeviceBackend(
    const c10::intrusive_ptr<c10d::Store>& store, int64_t rank, int64_t size) {
  if (other_maker != nullptr) return other_maker(store, rank, size);
  c10::intrusive_ptr<c10d::Backend> backend;
  if (opened != nullptr) {
    opened->make_nccl(store, ComputeDevice().index(), rank, size, &backend);
  }
  return backend;
}

void SetDeviceBackendMaker(DeviceBackendMaker* make) { other_maker = make; }

void SynchronizeDevice() {
  if (opened != nullptr) opened->synchronize();
}

std::string DeviceName() {
  if (ComputeDevice().is_cpu()) return "";
  if (opened == nullptr) return ComputeDevice().str();
  return opened->device_name(ComputeDevice().index());
}

std::string DeviceMemoryText() {
  if (opened == nullptr) return "";
  const CudaMemory memory = opened->memory(ComputeDevice().index());
  const auto gigabytes = [](int64_t bytes) {
    return static_cast<double>(bytes) / 1e9;
  };
  return Format("%.1f of %.1f GB of the GPU's memory", gigabytes(memory.peak),
                gigabytes(memory.total));
}

}  // namespace t2t
