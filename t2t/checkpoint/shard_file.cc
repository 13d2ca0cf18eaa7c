#include "t2t/checkpoint/shard_file.h"

#include <optional>

#include "t2t/base/fs.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

constexpr char kPrefix[] = "model.ckpt-";

struct DtypeName {
  at::ScalarType type;
  const char* name;
};
constexpr DtypeName kDtypes[] = {{at::kDouble, "F64"}, {at::kFloat, "F32"},
                                 {at::kHalf, "F16"},   {at::kBFloat16, "BF16"},
                                 {at::kLong, "I64"},   {at::kInt, "I32"},
                                 {at::kShort, "I16"},  {at::kChar, "I8"},
                                 {at::kByte, "U8"},    {at::kBool, "BOOL"}};

at::ScalarType DtypeFromName(const std::string& name, const std::string& path) {
  for (const DtypeName& dtype : kDtypes) {
    if (name == dtype.name) return dtype.type;
  }
  throw DataError(path + ": tensors of type " + name + " can't be read");
}

}  // namespace

std::string DtypeToName(at::ScalarType type) {
  for (const DtypeName& dtype : kDtypes) {
    if (dtype.type == type) return dtype.name;
  }
  throw Error(ExitCode::kInternal, std::string("a tensor of type ") +
                                       c10::toString(type) + " can't be saved");
}

at::Tensor ReadTensor(const SafetensorsFile& file,
                      const SafetensorsEntry& entry, const std::string& path) {
  at::Tensor tensor = at::empty(
      entry.shape, at::TensorOptions().dtype(DtypeFromName(entry.dtype, path)));
  file.Read(entry, tensor.mutable_data_ptr());
  return tensor;
}

std::vector<std::string> ShardsIn(const SafetensorsFile& file,
                                  const std::string& path) {
  std::vector<std::string> names;
  const auto found = file.header().metadata.find("shards");
  if (found == file.header().metadata.end()) return names;
  try {
    const Json json = Json::Parse(found->second);
    for (const Json& name : json.items()) names.push_back(name.AsString());
  } catch (const Error& error) {
    throw DataError(path + ": " + error.what());
  }
  for (const std::string& name : names) {
    if (BaseName(name) != name || !StartsWith(name, kPrefix)) {
      throw DataError(path + ": '" + name + "' is no part of a checkpoint");
    }
  }
  return names;
}

ShardFile::ShardFile(const std::string& main, const std::string& name)
    : path_(JoinPath(DirName(main), name)), file_(Found(main, path_)) {
  if (!file_.has_checksums()) throw Damaged("it has no checksums");
  try {
    const auto found = file_.header().metadata.find("pieces");
    if (found == file_.header().metadata.end()) throw Damaged("no pieces");
    pieces_ = Json::Parse(found->second);
  } catch (const Error& error) {
    throw Damaged(error.what());
  }
}

TensorPlace ShardFile::Place(const SafetensorsEntry& entry) const {
  std::optional<TensorPlace> place;
  try {
    if (entry.shape.size() == 1) {
      place = TensorPlace::FromJson(pieces_.At(entry.name), entry.shape[0]);
    }
  } catch (const Error& error) {
    throw Damaged(error.what());
  }
  if (!place) throw Damaged("'" + entry.name + "' has no place");
  return *std::move(place);
}

const std::string& ShardFile::Found(const std::string& main,
                                    const std::string& path) {
  if (Exists(path)) return path;
  const std::string text = main + " lacks its part " + BaseName(path);
  // Removed together just now, or damaged.
  throw Exists(main) ? DataError(text) : MissingError(text, "", "try again");
}

}  // namespace t2t
