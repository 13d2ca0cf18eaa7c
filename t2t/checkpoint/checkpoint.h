#ifndef T2T_CHECKPOINT_CHECKPOINT_H_
#define T2T_CHECKPOINT_CHECKPOINT_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "t2t/base/json.h"
#include "t2t/checkpoint/tensor_place.h"

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
// moving averages under "ema/<name>". meta: input state, counters (JSON).
inline constexpr char kOptimizerPrefix[] = "optimizer/";
inline constexpr char kAveragePrefix[] = "ema/";
struct Checkpoint {
  std::string path;  // of its file, where it was read
  int64_t step = 0;
  std::map<std::string, at::Tensor> tensors;
  Json meta = Json::Object();
  // Files beside it, one a rank, that hold shards of other tensors: they belong
  // to the checkpoint, and are written before it.
  std::vector<std::string> shards;
};

// Some numbers of a tensor: those that one rank holds.
struct TensorShard {
  at::Tensor tensor;  // 1-D
  TensorPlace place;
};

// model.ckpt-<step>.<token>-<rank>-of-<ranks>.safetensors. token: of the job's
// present start, so that no two starts write the same file.
std::string ShardName(int64_t step, const std::string& token, int64_t rank,
                      int64_t ranks);
// Complete or invisible, and read back from the disk.
void WriteShard(const std::string& model_dir, const std::string& name,
                const std::map<std::string, TensorShard>& shards);
// Fills the wanted shards with their numbers, out of the checkpoint at `path`
// and its shards' files, whichever have some of them. Returns the names that
// none has. Throws a MismatchError where a tensor has another shape there.
std::vector<std::string> ReadShards(
    const std::string& path, const std::vector<std::string>& files,
    const std::map<std::string, TensorShard>& wanted);
// Throws a mismatch error where a checkpoint's tensors have a parameter (or
// others of the names) that is none of the model's: the model would be a part
// of what was trained. Averages and the optimizer's state don't count.
void CheckNoneLeftOver(const std::vector<std::string>& tensor_names,
                       const std::set<std::string>& model_names,
                       const std::string& path);
// The names of a checkpoint's tensors, of its shards' too; reads headers alone.
std::vector<std::string> TensorNames(const std::string& path);

// A checkpoint's files' names: its own, those of its shards.
std::vector<std::string> CheckpointFiles(const std::string& model_dir,
                                         int64_t step);
void RemoveCheckpoint(const std::string& model_dir, int64_t step);
// Shards that no checkpoint names: of one that was never completed.
void RemoveLoneShards(const std::string& model_dir);

// Complete or invisible, and read back from the disk; then updates
// model_dir/checkpoint (T2T's text form) and removes all but the newest
// keep_max (0: keep all) and those of the steps keep_always.
void SaveCheckpoint(const std::string& model_dir, const Checkpoint& checkpoint,
                    int64_t keep_max,
                    const std::vector<int64_t>& keep_always = {});
// Whether the index names this step's as the newest.
bool IsIndexed(const std::string& model_dir, int64_t newest);
// The last part of it, for a newest checkpoint that is known to be whole: the
// index, and removing older ones.
void IndexCheckpoints(const std::string& model_dir, int64_t newest,
                      int64_t keep_max,
                      const std::vector<int64_t>& keep_always = {});
// Every checkpoint's step, ascending, by looking at the files.
std::vector<int64_t> ListCheckpoints(const std::string& model_dir);
std::string CheckpointPath(const std::string& model_dir, int64_t step);
// Throws a DataError where the file is damaged, or one of its shards. (Files of
// others, without checksums, are read with a warning.) Keeps the tensors that
// are wanted; null: all. Those out of shards are put together.
using WantedTensors = std::function<bool(const std::string& name)>;
Checkpoint LoadCheckpoint(const std::string& path,
                          const WantedTensors& wanted = nullptr);
// The newest that is whole; damaged ones are passed over with a warning that
// names them, why, and what is used instead. nullopt where there is none at
// all.
std::optional<Checkpoint> LoadLatestCheckpoint(
    const std::string& model_dir, const WantedTensors& wanted = nullptr);

}  // namespace t2t

#endif  // T2T_CHECKPOINT_CHECKPOINT_H_
