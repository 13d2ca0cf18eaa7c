#include "t2t/train/checkpoint.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/train/safetensors.h"

namespace t2t {
namespace {

constexpr char kPrefix[] = "model.ckpt-";
constexpr char kSuffix[] = ".safetensors";
constexpr char kUnread[] = ".unread";

struct DtypeName {
  at::ScalarType type;
  const char* name;
};
constexpr DtypeName kDtypes[] = {{at::kDouble, "F64"}, {at::kFloat, "F32"},
                                 {at::kHalf, "F16"},   {at::kBFloat16, "BF16"},
                                 {at::kLong, "I64"},   {at::kInt, "I32"},
                                 {at::kShort, "I16"},  {at::kChar, "I8"},
                                 {at::kByte, "U8"},    {at::kBool, "BOOL"}};

std::string DtypeToName(at::ScalarType type) {
  for (const DtypeName& dtype : kDtypes) {
    if (dtype.type == type) return dtype.name;
  }
  throw Error(ExitCode::kInternal, std::string("a tensor of type ") +
                                       c10::toString(type) + " can't be saved");
}

at::ScalarType DtypeFromName(const std::string& name, const std::string& path) {
  for (const DtypeName& dtype : kDtypes) {
    if (name == dtype.name) return dtype.type;
  }
  throw DataError(path + ": tensors of type " + name + " can't be read");
}

std::string_view BytesOf(const at::Tensor& tensor) {
  return {static_cast<const char*>(tensor.const_data_ptr()),
          static_cast<size_t>(tensor.nbytes())};
}

std::map<std::string, at::Tensor> ReadTensors(const SafetensorsFile& file,
                                              const std::string& path) {
  std::map<std::string, at::Tensor> tensors;
  for (const SafetensorsEntry& entry : file.header().entries) {
    at::Tensor tensor =
        at::empty(entry.shape,
                  at::TensorOptions().dtype(DtypeFromName(entry.dtype, path)));
    file.Read(entry, tensor.mutable_data_ptr());
    tensors[entry.name] = std::move(tensor);
  }
  return tensors;
}

Json NumbersJson(at::IntArrayRef numbers) {
  Json json = Json::Array();
  for (const int64_t number : numbers) json.Append(number);
  return json;
}

// A shard, read piece by piece.
class ShardFile {
 public:
  // main: the checkpoint it is of.
  ShardFile(const std::string& main, const std::string& name)
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

  const std::vector<SafetensorsEntry>& entries() const {
    return file_.header().entries;
  }

  // Where the entry belongs; without its numbers.
  CheckpointPiece Place(const SafetensorsEntry& entry) const {
    CheckpointPiece piece;
    try {
      const std::vector<Json>& place = pieces_.At(entry.name).items();
      int64_t whole = 1;
      bool fits = place.size() == 2 && entry.shape.size() == 1;
      for (size_t i = 0; fits && i < place[1].items().size(); ++i) {
        piece.shape.push_back(place[1].items()[i].AsInt());
        fits = piece.shape.back() >= 0 &&
               !__builtin_mul_overflow(whole, piece.shape.back(), &whole);
      }
      if (fits) piece.begin = place[0].AsInt();
      if (!fits || piece.begin < 0 || entry.shape[0] > whole ||
          piece.begin > whole - entry.shape[0]) {
        throw Damaged("'" + entry.name + "' has no place");
      }
    } catch (const Error& error) {
      throw Damaged(error.what());
    }
    return piece;
  }

  at::Tensor Read(const SafetensorsEntry& entry) const {
    at::Tensor tensor = at::empty(entry.shape, Options(entry));
    file_.Read(entry, tensor.mutable_data_ptr());
    return tensor;
  }

  at::TensorOptions Options(const SafetensorsEntry& entry) const {
    return at::TensorOptions().dtype(DtypeFromName(entry.dtype, path_));
  }

  Error Damaged(const std::string& why) const {
    return DataError(path_ + " is damaged: " + why);
  }

 private:
  static const std::string& Found(const std::string& main,
                                  const std::string& path) {
    if (Exists(path)) return path;
    const std::string text = main + " lacks its part " + BaseName(path);
    // Removed together just now, or damaged.
    throw Exists(main) ? DataError(text) : MissingError(text, "", "try again");
  }

  const std::string path_;
  const SafetensorsFile file_;
  Json pieces_;
};

// Reads all pieces, and so checks them; keeps what is wanted.
void ReadShards(const std::string& path, const std::vector<std::string>& shards,
                const WantedTensors& wanted,
                std::map<std::string, at::Tensor>* tensors) {
  std::map<std::string, int64_t> missing;
  for (const std::string& name : shards) {
    const ShardFile shard(path, name);
    for (const SafetensorsEntry& entry : shard.entries()) {
      const CheckpointPiece place = shard.Place(entry);
      const at::Tensor numbers = shard.Read(entry);
      int64_t size = 1;
      for (const int64_t extent : place.shape) size *= extent;
      missing.emplace(entry.name, size).first->second -= numbers.numel();
      if (wanted != nullptr && !wanted(entry.name)) continue;
      at::Tensor& whole = (*tensors)[entry.name];
      if (!whole.defined()) whole = at::empty(place.shape, numbers.options());
      if (whole.sizes() != at::IntArrayRef(place.shape) ||
          whole.scalar_type() != numbers.scalar_type()) {
        throw shard.Damaged("'" + entry.name + "' is of another tensor");
      }
      whole.view(-1).narrow(0, place.begin, numbers.numel()).copy_(numbers);
    }
  }
  for (const auto& [name, count] : missing) {
    if (count != 0) throw DataError(path + ": parts of '" + name + "' lack");
  }
}

std::string StepPrefix(int64_t step) {
  return kPrefix + std::to_string(step) + ".";
}

// By their names, of this step (-1: of all).
std::vector<std::string> ShardsThere(const std::string& model_dir,
                                     int64_t step) {
  std::vector<std::string> names;
  if (!IsDirectory(model_dir)) return names;
  for (const std::string& name : ListDirectory(model_dir)) {
    if (StartsWith(name, step < 0 ? kPrefix : StepPrefix(step)) &&
        EndsWith(name, kSuffix) && name.find("-of-") != std::string::npos) {
      names.push_back(name);
    }
  }
  return names;
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

}  // namespace

void WriteSafetensors(const std::string& path,
                      const std::map<std::string, at::Tensor>& tensors,
                      const std::map<std::string, std::string>& metadata) {
  std::vector<at::Tensor> held;
  std::vector<SafetensorsItem> items;
  for (const auto& [name, tensor] : tensors) {
    held.push_back(tensor.detach().cpu().contiguous());
    items.push_back({name, DtypeToName(tensor.scalar_type()),
                     tensor.sizes().vec(), BytesOf(held.back())});
  }
  WriteSafetensorsFile(path, std::move(items), metadata);
}

std::map<std::string, at::Tensor> ReadSafetensors(
    const std::string& path, std::map<std::string, std::string>* metadata) {
  const SafetensorsFile file(path);
  if (metadata != nullptr) *metadata = file.header().metadata;
  return ReadTensors(file, path);
}

std::string CheckpointPath(const std::string& model_dir, int64_t step) {
  return JoinPath(model_dir, kPrefix + std::to_string(step) + kSuffix);
}

std::vector<int64_t> ListCheckpoints(const std::string& model_dir) {
  std::vector<int64_t> steps;
  if (!IsDirectory(model_dir)) return steps;
  for (const std::string& name : ListDirectory(model_dir)) {
    int64_t step = 0;
    if (StartsWith(name, kPrefix) && EndsWith(name, kSuffix) &&
        ParseInt(name.substr(sizeof(kPrefix) - 1, name.size() -
                                                      (sizeof(kPrefix) - 1) -
                                                      (sizeof(kSuffix) - 1)),
                 &step) &&
        step >= 0) {
      steps.push_back(step);
    }
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

std::string ShardName(int64_t step, const std::string& token, int64_t rank,
                      int64_t ranks) {
  return StepPrefix(step) + token + "-" + std::to_string(rank) + "-of-" +
         std::to_string(ranks) + kSuffix;
}

void WriteShard(const std::string& model_dir, const std::string& name,
                const std::map<std::string, CheckpointPiece>& pieces) {
  std::map<std::string, at::Tensor> tensors;
  Json places = Json::Object();
  for (const auto& [key, piece] : pieces) {
    tensors[key] = piece.tensor;
    Json place = Json::Array();
    place.Append(piece.begin);
    place.Append(NumbersJson(piece.shape));
    places.Add(key, std::move(place));
  }
  // Rank 0 takes it for whole once it sees it.
  const std::string path = JoinPath(model_dir, name);
  const std::string unread = path + kUnread;
  try {
    WriteSafetensors(unread, tensors, {{"pieces", places.ToString()}});
    VerifySafetensorsFile(unread);
    Rename(unread, path);
  } catch (const Error&) {
    RemoveFile(unread);
    throw;
  }
  SyncDirectory(model_dir);
}

std::map<std::string, at::Tensor> ReadPieces(
    const std::string& path, const std::vector<std::string>& shards,
    const std::map<std::string, PieceRange>& wanted) {
  std::map<std::string, at::Tensor> read;
  for (const std::string& name : shards) {
    const ShardFile shard(path, name);
    for (const SafetensorsEntry& entry : shard.entries()) {
      const auto found = wanted.find(entry.name);
      if (found == wanted.end()) continue;
      const CheckpointPiece place = shard.Place(entry);
      const PieceRange& range = found->second;
      const int64_t begin = std::max(range.begin, place.begin);
      const int64_t end =
          std::min(range.begin + range.size, place.begin + entry.shape[0]);
      if (begin >= end) continue;
      at::Tensor& numbers = read[entry.name];
      if (!numbers.defined()) {
        numbers = at::empty(range.size, shard.Options(entry));
      }
      numbers.narrow(0, begin - range.begin, end - begin)
          .copy_(shard.Read(entry).narrow(0, begin - place.begin, end - begin));
    }
  }
  return read;
}

std::vector<std::string> CheckpointFiles(const std::string& model_dir,
                                         int64_t step) {
  const std::string path = CheckpointPath(model_dir, step);
  std::vector<std::string> names = ShardsIn(SafetensorsFile(path), path);
  names.insert(names.begin(), BaseName(path));
  return names;
}

void RemoveCheckpoint(const std::string& model_dir, int64_t step) {
  // First what makes it one.
  RemoveFile(CheckpointPath(model_dir, step));
  for (const std::string& name : ShardsThere(model_dir, step)) {
    RemoveFile(JoinPath(model_dir, name));
  }
}

void RemoveLoneShards(const std::string& model_dir) {
  if (!IsDirectory(model_dir)) return;
  for (const std::string& name : ListDirectory(model_dir)) {
    if (StartsWith(name, kPrefix) && EndsWith(name, kUnread)) {
      RemoveFile(JoinPath(model_dir, name));
    }
  }
  const std::vector<std::string> there = ShardsThere(model_dir, -1);
  if (there.empty()) return;
  std::set<std::string> named;
  for (const int64_t step : ListCheckpoints(model_dir)) {
    try {
      for (const std::string& name : CheckpointFiles(model_dir, step)) {
        named.insert(name);
      }
    } catch (const Error& error) {
      // Not readable: nothing of it is touched.
      for (const std::string& name : ShardsThere(model_dir, step)) {
        named.insert(name);
      }
    }
  }
  for (const std::string& name : there) {
    if (named.count(name) == 0) RemoveFile(JoinPath(model_dir, name));
  }
}

void SaveCheckpoint(const std::string& model_dir, const Checkpoint& checkpoint,
                    int64_t keep_max, const std::vector<int64_t>& keep_always) {
  const std::string path = CheckpointPath(model_dir, checkpoint.step);
  std::map<std::string, std::string> metadata = {
      {"step", std::to_string(checkpoint.step)},
      {"meta", checkpoint.meta.ToString()}};
  if (!checkpoint.shards.empty()) {
    Json shards = Json::Array();
    for (const std::string& name : checkpoint.shards) shards.Append(name);
    metadata["shards"] = shards.ToString();
  }
  WriteSafetensors(path, checkpoint.tensors, metadata);
  // Before an older one is removed.
  VerifySafetensorsFile(path);
  // Of an earlier one of this step.
  for (const std::string& name : ShardsThere(model_dir, checkpoint.step)) {
    if (std::find(checkpoint.shards.begin(), checkpoint.shards.end(), name) ==
        checkpoint.shards.end()) {
      RemoveFile(JoinPath(model_dir, name));
    }
  }
  IndexCheckpoints(model_dir, checkpoint.step, keep_max, keep_always);
}

void IndexCheckpoints(const std::string& model_dir, int64_t newest,
                      int64_t keep_max,
                      const std::vector<int64_t>& keep_always) {
  // A file of a later step is what a damaged checkpoint left when training
  // went on from an earlier one: it must not push out the good ones.
  std::vector<int64_t> steps = ListCheckpoints(model_dir);
  steps.erase(std::upper_bound(steps.begin(), steps.end(), newest),
              steps.end());
  std::vector<int64_t> kept = steps;
  if (keep_max > 0 && static_cast<int64_t>(steps.size()) > keep_max) {
    kept.assign(steps.end() - keep_max, steps.end());
  }
  std::string index = "model_checkpoint_path: \"" + std::string(kPrefix) +
                      std::to_string(newest) + "\"\n";
  for (const int64_t step : kept) {
    index += "all_model_checkpoint_paths: \"" + std::string(kPrefix) +
             std::to_string(step) + "\"\n";
  }
  WriteFileAtomically(JoinPath(model_dir, "checkpoint"), index);
  for (size_t i = 0; i + kept.size() < steps.size(); ++i) {
    if (std::find(keep_always.begin(), keep_always.end(), steps[i]) ==
        keep_always.end()) {
      RemoveCheckpoint(model_dir, steps[i]);
    }
  }
}

Checkpoint LoadCheckpoint(const std::string& path,
                          const WantedTensors& wanted) {
  if (!Exists(path)) {
    throw MissingError("there is no checkpoint " + path, "",
                       "train first, or name another --output_dir");
  }
  const SafetensorsFile file(path);
  if (!file.has_checksums()) {
    Warn(path + " has no checksums: damage in it would not be noticed");
  }
  Checkpoint checkpoint;
  std::map<std::string, std::string> metadata = file.header().metadata;
  if (!ParseInt(metadata["step"], &checkpoint.step) || checkpoint.step < 0) {
    throw DataError(path + " names no step");
  }
  try {
    checkpoint.meta = Json::Parse(metadata["meta"]);
  } catch (const Error& error) {
    throw DataError(path + ": " + error.what());
  }
  checkpoint.tensors = ReadTensors(file, path);
  checkpoint.shards = ShardsIn(file, path);
  ReadShards(path, checkpoint.shards, wanted, &checkpoint.tensors);
  return checkpoint;
}

std::optional<Checkpoint> LoadLatestCheckpoint(const std::string& model_dir,
                                               const WantedTensors& wanted) {
  const std::vector<int64_t> steps = ListCheckpoints(model_dir);
  bool damaged = false;
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    const std::string path = CheckpointPath(model_dir, *step);
    try {
      std::optional<Checkpoint> checkpoint = LoadCheckpoint(path, wanted);
      if (damaged) Warn("used instead: " + path);
      return checkpoint;
    } catch (const Error& error) {
      // Another process's trainer may have removed it just now.
      if (error.code() == ExitCode::kMissing && !Exists(path)) continue;
      if (error.code() != ExitCode::kBadData) throw;
      damaged = true;
      Warn(std::string("passed over: ") + error.what());
    }
  }
  if (!damaged) return std::nullopt;
  throw DataError("every checkpoint in " + model_dir + " is damaged",
                  "at least one that is whole",
                  "restore one from a copy, or train anew in another folder");
}

}  // namespace t2t
