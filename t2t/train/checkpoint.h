#ifndef T2T_TRAIN_CHECKPOINT_H_
#define T2T_TRAIN_CHECKPOINT_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "t2t/base/json.h"

namespace t2t {

// Tensors by name in a safetensors file; metadata is string to string.
// Writing is atomic and the header carries a CRC-32C of every tensor (in the
// metadata, key "crc32c", a JSON object), so that any cut or flipped bit is
// found on reading.
void WriteSafetensors(const std::string& path,
                      const std::map<std::string, at::Tensor>& tensors,
                      const std::map<std::string, std::string>& metadata);
std::map<std::string, at::Tensor> ReadSafetensors(
    const std::string& path, std::map<std::string, std::string>* metadata);

// One checkpoint: model_dir/model.ckpt-<step>.safetensors. Parameters stand
// under their own names, the optimizer's state under "optimizer/<slot>/<name>",
// averages under "ema/<name>". meta: input state, counters (JSON).
struct Checkpoint {
  int64_t step = 0;
  std::map<std::string, at::Tensor> tensors;
  Json meta = Json::Object();
};

// Complete or invisible, and read back from the disk; then updates
// model_dir/checkpoint (T2T's text form) and removes all but the newest
// keep_max (0: keep all) and those of the steps keep_always.
void SaveCheckpoint(const std::string& model_dir, const Checkpoint& checkpoint,
                    int64_t keep_max,
                    const std::vector<int64_t>& keep_always = {});
// The last part of it, for a newest checkpoint that is known to be whole: the
// index, and removing older ones.
void IndexCheckpoints(const std::string& model_dir, int64_t newest,
                      int64_t keep_max,
                      const std::vector<int64_t>& keep_always = {});
// Every checkpoint's step, ascending, by looking at the files.
std::vector<int64_t> ListCheckpoints(const std::string& model_dir);
std::string CheckpointPath(const std::string& model_dir, int64_t step);
// Throws a DataError where the file is damaged. (Files of others, without
// checksums, are read with a warning.)
Checkpoint LoadCheckpoint(const std::string& path);
// The newest that is whole; damaged ones are passed over with a warning that
// names them, why, and what is used instead. nullopt where there is none at
// all.
std::optional<Checkpoint> LoadLatestCheckpoint(const std::string& model_dir);

}  // namespace t2t

#endif  // T2T_TRAIN_CHECKPOINT_H_
