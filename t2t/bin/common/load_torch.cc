#include <cstdlib>

#include "t2t/base/plugin.h"
#include "t2t/bin/common/torch_half.h"

namespace t2t {
namespace {

// GNU OpenMP's threads spin long while they wait for work: where another
// process wants the same core, a training step then takes many times as long.
// The library reads its settings when it is loaded, with LibTorch.
void ShortenSpins() {
  if (std::getenv("OMP_WAIT_POLICY") == nullptr) {
    ::setenv("GOMP_SPINCOUNT", "5000", /*overwrite=*/0);
  }
}

const Plugin& TorchLibrary() {
  static const auto* const library = new Plugin{
      .file = "libt2t_torch.so",
      .folder = "t2t/bin",
      .symbol = "T2TTorchHalf",
      .asked = "the program",
      .todo = "install the programs whole: scripts/install.sh",
      .own = true,
  };
  return *library;
}

}  // namespace

std::string TorchLibraryPath() { return FindPlugin(TorchLibrary()); }

const TorchHalf& OpenTorchHalf() {
  static const TorchHalf* const half = [] {
    ShortenSpins();
    using Find = const TorchHalf*();
    return reinterpret_cast<Find*>(OpenPlugin(TorchLibrary()))();
  }();
  return *half;
}

const TorchHalf& LoadTorchHalf() {
  static const bool registered [[maybe_unused]] = [] {
    const Registries registries = AllRegistries();
    OpenTorchHalf().register_names(registries);
    registries.Freeze();
    return true;
  }();
  return OpenTorchHalf();
}

}  // namespace t2t
