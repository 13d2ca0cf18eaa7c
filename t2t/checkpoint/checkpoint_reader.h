#ifndef T2T_CHECKPOINT_CHECKPOINT_READER_H_
#define T2T_CHECKPOINT_CHECKPOINT_READER_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "t2t/base/json.h"
#include "t2t/checkpoint/safetensors.h"
#include "t2t/checkpoint/shard_file.h"

namespace t2t {

// A checkpoint that is read tensor by tensor, out of its own file and its
// shards, for those that do not want all of it. Of the files' contents only the
// headers, and what is read, are checked. What is wrong with them is a
// DataError that names the file.
class CheckpointReader {
 public:
  explicit CheckpointReader(const std::string& path);

  const std::string& path() const { return path_; }
  int64_t step() const { return step_; }
  const Json& meta() const { return meta_; }
  // Sorted.
  std::vector<std::string> names() const;
  bool Has(const std::string& name) const { return tensors_.count(name) > 0; }
  const std::vector<int64_t>& shape(const std::string& name) const {
    return tensors_.at(name).shape;
  }

  // In the type it is kept in, on the CPU; the caller's own.
  at::Tensor Read(const std::string& name) const;

 private:
  // Where it is: in the checkpoint's own file, or in shards.
  struct Tensor {
    std::vector<int64_t> shape;
    const SafetensorsEntry* own = nullptr;
    std::vector<std::pair<const ShardFile*, const SafetensorsEntry*>> shards =
        {};
  };

  void AddShard(const std::string& name);

  const std::string path_;
  const SafetensorsFile file_;
  int64_t step_ = 0;
  Json meta_;
  std::vector<std::unique_ptr<ShardFile>> shards_;
  std::map<std::string, Tensor> tensors_;
};

}  // namespace t2t

#endif  // T2T_CHECKPOINT_CHECKPOINT_READER_H_
