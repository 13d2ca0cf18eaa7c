#ifndef T2T_CHECKPOINT_SHARD_FILE_H_
#define T2T_CHECKPOINT_SHARD_FILE_H_

#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/json.h"
#include "t2t/checkpoint/safetensors.h"
#include "t2t/checkpoint/tensor_place.h"

namespace t2t {

// What checkpoints' files are read and written with, tensor by tensor.

std::string DtypeToName(at::ScalarType type);

// Reads the tensor and checks its checksum. path: of the file, for errors.
at::Tensor ReadTensor(const SafetensorsFile& file,
                      const SafetensorsEntry& entry, const std::string& path);

// The names of a checkpoint's shards, out of its own file.
std::vector<std::string> ShardsIn(const SafetensorsFile& file,
                                  const std::string& path);

// A shard, read piece by piece.
class ShardFile {
 public:
  // main: the checkpoint it is of.
  ShardFile(const std::string& main, const std::string& name);

  const std::vector<SafetensorsEntry>& entries() const {
    return file_.header().entries;
  }

  TensorPlace Place(const SafetensorsEntry& entry) const;

  at::Tensor Read(const SafetensorsEntry& entry) const {
    return ReadTensor(file_, entry, path_);
  }

  Error Damaged(const std::string& why) const {
    return DataError(path_ + " is damaged: " + why);
  }

 private:
  static const std::string& Found(const std::string& main,
                                  const std::string& path);

  const std::string path_;
  const SafetensorsFile file_;
  Json pieces_;
};

}  // namespace t2t

#endif  // T2T_CHECKPOINT_SHARD_FILE_H_
