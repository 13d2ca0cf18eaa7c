#include "t2t/checkpoint/checkpoint_reader.h"

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/checkpoint/tensor_place.h"

namespace t2t {
namespace {

const std::string& Found(const std::string& path) {
  if (Exists(path)) return path;
  throw MissingError("there is no checkpoint " + path, "",
                     "train first, or name another --output_dir");
}

}  // namespace

CheckpointReader::CheckpointReader(const std::string& path)
    : path_(path), file_(Found(path)) {
  if (!file_.has_checksums()) {
    Warn(path + " has no checksums: damage in it would not be noticed");
  }
  std::map<std::string, std::string> metadata = file_.header().metadata;
  if (!ParseInt(metadata["step"], &step_) || step_ < 0) {
    throw DataError(path + " names no step");
  }
  try {
    meta_ = Json::Parse(metadata["meta"]);
  } catch (const Error& error) {
    throw DataError(path + ": " + error.what());
  }
  for (const SafetensorsEntry& entry : file_.header().entries) {
    tensors_[entry.name] = {entry.shape, &entry};
  }
  for (const std::string& name : ShardsIn(file_, path)) AddShard(name);
  for (const auto& [name, tensor] : tensors_) {
    if (tensor.own != nullptr) continue;
    std::vector<TensorPlace> places;
    for (const auto& [shard, entry] : tensor.shards) {
      places.push_back(shard->Place(*entry));
    }
    if (!CoverExactly(places)) {
      throw DataError(path + ": the shards of '" + name +
                      "' are not the whole");
    }
  }
}

void CheckpointReader::AddShard(const std::string& name) {
  shards_.push_back(std::make_unique<ShardFile>(path_, name));
  const ShardFile& shard = *shards_.back();
  for (const SafetensorsEntry& entry : shard.entries()) {
    const TensorPlace place = shard.Place(entry);
    Tensor& tensor = tensors_[entry.name];
    if (tensor.shards.empty()) {
      tensor.own = nullptr;
      tensor.shape = place.shape;
    }
    if (tensor.shape != place.shape) {
      throw shard.Damaged("'" + entry.name + "' is of another tensor");
    }
    if (!tensor.shards.empty() &&
        tensor.shards.front().second->dtype != entry.dtype) {
      throw shard.Damaged("'" + entry.name + "' is of another type");
    }
    tensor.shards.emplace_back(&shard, &entry);
  }
}

std::vector<std::string> CheckpointReader::names() const {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors_) names.push_back(name);
  return names;
}

at::Tensor CheckpointReader::Read(const std::string& name) const {
  const Tensor& tensor = tensors_.at(name);
  if (tensor.own != nullptr) return ReadTensor(file_, *tensor.own, path_);
  at::Tensor whole;
  for (const auto& [shard, entry] : tensor.shards) {
    const at::Tensor numbers = shard->Read(*entry);
    if (!whole.defined()) whole = at::empty(tensor.shape, numbers.options());
    CopyCommon(shard->Place(*entry), numbers.const_data_ptr(),
               TensorPlace::All(tensor.shape), whole.mutable_data_ptr(),
               numbers.element_size());
  }
  return whole;
}

}  // namespace t2t
