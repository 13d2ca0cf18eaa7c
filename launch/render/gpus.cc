#include "launch/render/gpus.h"

namespace t2t {

const std::vector<Gpu>& Gpus() {
  static const auto* const gpus = new std::vector<Gpu>{
      {"t4", 65e12, 8.1e12, 16e9},
      {"v100-16gb", 125e12, 15.7e12, 16e9},
      {"v100-32gb", 125e12, 15.7e12, 32e9},
      {"a10", 125e12, 31.2e12, 24e9},
      {"l4", 121e12, 30.3e12, 24e9},
      {"l40s", 362e12, 91.6e12, 48e9},
      {"rtx3090", 71e12, 35.6e12, 24e9},
      {"rtx4090", 165e12, 82.6e12, 24e9},
      {"a100-40gb", 312e12, 19.5e12, 40e9},
      {"a100-80gb", 312e12, 19.5e12, 80e9},
      {"h100", 989e12, 67e12, 80e9},
      {"h200", 989e12, 67e12, 141e9},
  };
  return *gpus;
}

const Gpu* FindGpu(const std::string& name) {
  for (const Gpu& gpu : Gpus()) {
    if (name == gpu.name) return &gpu;
  }
  return nullptr;
}

std::vector<std::string> GpuTypes() {
  std::vector<std::string> names = {""};
  for (const Gpu& gpu : Gpus()) names.push_back(gpu.name);
  return names;
}

}  // namespace t2t
