#ifndef T2T_DECODE_LOAD_OPTIONS_H_
#define T2T_DECODE_LOAD_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "t2t/base/flags.h"
#include "t2t/hparams/hparams.h"
#include "t2t/problem/problem.h"

// Which trained model a program is to take, and what can be known of it without
// LibTorch.

namespace t2t {

struct WeightsOptions {
  std::string model_dir;
  // A checkpoint's file, T2T's prefix of one (".../model.ckpt-1000"), or a
  // folder whose newest is meant. Wins over model_dir.
  std::string checkpoint_path;
  // The mean of the last so many checkpoints of the folder.
  int64_t average = 1;
  // The running averages a training with EMA kept, where there are any.
  bool use_ema = true;
};

// What the flags say; an empty name is looked up in flags.txt, which
// t2t-trainer leaves in its output_dir.
struct LoadModelOptions {
  std::string model;
  std::string hparams_set;
  std::string hparams;  // overrides
  std::string problem;
  std::string data_dir;
  WeightsOptions weights;
  // A folder t2t-exporter wrote: says all of the above but the overrides.
  std::string export_dir;
  // For ExportModel: changes of the decode hparams that the export keeps.
  std::string decode_hparams;
};

// --checkpoint_path, --avg_checkpoints (whose help is `mean`) and --use_ema.
void AddWeightsFlags(const std::string& mean, WeightsOptions* options,
                     Flags* flags);
// --data_dir (whose help is `data_dir`), --problem, --model, --hparams_set and
// --hparams.
void AddModelFlags(const std::string& data_dir, LoadModelOptions* options,
                   Flags* flags);

// The files of an exported model's folder.
inline constexpr char kExportedWeights[] = "model.safetensors";
inline constexpr char kExportedHParams[] = "hparams.json";
inline constexpr char kExportedProblem[] = "problem.json";

// Fills names that are empty out of the flags.txt of the model's folder, where
// it has one.
void TakeSavedNames(LoadModelOptions* options);

// The names as the flags, flags.txt or the export say them.
struct ModelNames {
  std::string model, hparams_set, problem, data_dir;
  std::string hparams_path;  // of the saved hparams, if there are any
  bool exported = false;
};
// Throws a usage error where neither says one that is needed.
ModelNames ResolveNames(const LoadModelOptions& options);

// The hparams are the set's, then the saved ones, then the overrides; notes
// (may be null) gets what is worth a line.
HParams ResolveHParams(const ModelNames& names, const std::string& overrides,
                       const Problem& problem, std::vector<std::string>* notes);

// Throws what LoadModel() would throw about names, hparams and vocabulary.
void CheckModel(const LoadModelOptions& options);
// The same of the names that the flags give, for programs that wait until a
// model is there.
void CheckGivenNames(const LoadModelOptions& options);

// The changes of the decode hparams that an export keeps; "" where it has none,
// or where there is no export ("").
std::string ExportedDecodeHParams(const std::string& export_dir);

// Throws a usage error where no export can be written there.
void CheckExportDir(const std::string& export_dir);

}  // namespace t2t

#endif  // T2T_DECODE_LOAD_OPTIONS_H_
