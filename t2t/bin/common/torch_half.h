#ifndef T2T_BIN_COMMON_TORCH_HALF_H_
#define T2T_BIN_COMMON_TORCH_HALF_H_

#include <cstdint>
#include <memory>
#include <string>

#include "t2t/hparams/hparams.h"
#include "t2t/problem/registries.h"

// Programs are fronts: flags, names, hparams, data and vocabulary are checked,
// and help is printed, by small programs without LibTorch, which takes half a
// second to load. What needs it is libt2t_torch.so, opened after that.

namespace t2t {

class Servable;
struct AverageOptions;
struct DecoderFlags;
struct EvalFlags;
struct ImportOptions;
struct LoadModelOptions;
struct RunConfig;
struct TranslateAllOptions;

// What libt2t_torch.so does, a line a program.
struct TorchHalf {
  void (*register_names)(const Registries& registries);
  // Of LibTorch; 0: leaves them as they are. Returns how many there are.
  int64_t (*set_threads)(int64_t threads);
  // "auto", "cpu" or "cuda".
  void (*use_device)(const std::string& device);

  void (*train)(const RunConfig& run);
  void (*decode)(const DecoderFlags& flags, const HParams& decode_hparams);
  void (*evaluate)(const EvalFlags& flags);
  void (*translate_all)(const TranslateAllOptions& options);
  int64_t (*average)(const AverageOptions& options);
  void (*export_model)(const LoadModelOptions& options,
                       const std::string& export_dir);
  // Returns what there is to say of it.
  std::string (*import_model)(const ImportOptions& options);
  std::unique_ptr<Servable> (*load_servable)(const std::string& export_dir,
                                             const HParams& decode_hparams,
                                             bool int8);
};

// Loads LibTorch, the first time, and registers models and optimizers. From
// then on no name can be added. Throws a missing error where the library is
// not there.
const TorchHalf& LoadTorchHalf();

// LoadTorchHalf() in two halves, for plug-ins with models: they are registered
// between opening it and the built-in ones.
const TorchHalf& OpenTorchHalf();
// "": it is not there.
std::string TorchLibraryPath();

}  // namespace t2t

#endif  // T2T_BIN_COMMON_TORCH_HALF_H_
