#include "t2t/checkpoint/checkpoint.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/checkpoint/safetensors.h"
#include "t2t/checkpoint/shard_file.h"

namespace t2t {
namespace {

constexpr char kPrefix[] = "model.ckpt-";
constexpr char kSuffix[] = ".safetensors";
constexpr char kUnread[] = ".unread";
constexpr char kIndexFile[] = "checkpoint";

std::string_view BytesOf(const at::Tensor& tensor) {
  return {static_cast<const char*>(tensor.const_data_ptr()),
          static_cast<size_t>(tensor.nbytes())};
}

// Checks all, and keeps what is wanted.
std::map<std::string, at::Tensor> ReadTensors(const SafetensorsFile& file,
                                              const std::string& path,
                                              const WantedTensors& wanted) {
  std::map<std::string, at::Tensor> tensors;
  for (const SafetensorsEntry& entry : file.header().entries) {
    at::Tensor tensor = ReadTensor(file, entry, path);
    if (wanted != nullptr && !wanted(entry.name)) continue;
    tensors[entry.name] = std::move(tensor);
  }
  return tensors;
}

std::string ShapeText(at::IntArrayRef shape) {
  std::vector<std::string> sizes;
  for (const int64_t size : shape) sizes.push_back(std::to_string(size));
  return "[" + Join(sizes, ", ") + "]";
}

// Reads all shards, and so checks them; keeps what is wanted.
void ReadShards(const std::string& path, const std::vector<std::string>& shards,
                const WantedTensors& wanted,
                std::map<std::string, at::Tensor>* tensors) {
  std::map<std::string, std::vector<TensorPlace>> places;
  for (const std::string& name : shards) {
    const ShardFile shard(path, name);
    for (const SafetensorsEntry& entry : shard.entries()) {
      const TensorPlace place = shard.Place(entry);
      const at::Tensor numbers = shard.Read(entry);
      std::vector<TensorPlace>& all = places[entry.name];
      all.push_back(place);
      if (place.shape != all.front().shape) {
        throw shard.Damaged("'" + entry.name + "' is of another tensor");
      }
      if (wanted != nullptr && !wanted(entry.name)) continue;
      if (all.size() == 1) {
        (*tensors)[entry.name] = at::empty(place.shape, numbers.options());
      }
      const at::Tensor& whole = tensors->at(entry.name);
      if (whole.scalar_type() != numbers.scalar_type()) {
        throw shard.Damaged("'" + entry.name + "' is of another type");
      }
      CopyCommon(place, numbers.const_data_ptr(), TensorPlace::All(place.shape),
                 whole.mutable_data_ptr(), numbers.element_size());
    }
  }
  for (const auto& [name, all] : places) {
    if (!CoverExactly(all)) {
      throw DataError(path + ": the shards of '" + name +
                      "' are not the whole");
    }
  }
}

std::string NewestLine(int64_t newest) {
  return "model_checkpoint_path: \"" + std::string(kPrefix) +
         std::to_string(newest) + "\"\n";
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
  return ReadTensors(file, path, nullptr);
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
                const std::map<std::string, TensorShard>& shards) {
  std::map<std::string, at::Tensor> tensors;
  Json places = Json::Object();
  for (const auto& [key, shard] : shards) {
    tensors[key] = shard.tensor;
    places.Add(key, shard.place.ToJson());
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

std::vector<std::string> ReadShards(
    const std::string& path, const std::vector<std::string>& files,
    const std::map<std::string, TensorShard>& wanted) {
  struct Found {
    at::Tensor numbers;  // the shard's own memory, or to be copied there
    int64_t count = 0;
  };
  std::map<std::string, Found> found;
  const auto take = [&](const std::string& name, const TensorPlace& place,
                        const std::function<at::Tensor()>& read) {
    const auto& [tensor, own] = wanted.at(name);
    if (place.shape != own.shape) {
      throw MismatchError(
          "'" + name + "' has the shape " + ShapeText(place.shape) +
              " in the checkpoint",
          ShapeText(own.shape) + " by the hparams and the vocabulary given",
          "use the hparams, problem and data_dir it was trained with, or "
          "another --output_dir");
    }
    Found& to = found[name];
    if (!to.numbers.defined()) {
      to.numbers =
          tensor.is_cpu() && tensor.is_contiguous()
              ? tensor
              : at::empty(tensor.sizes(), tensor.options().device(at::kCPU));
    }
    if (CountCommon(place, own) == 0) return;
    const at::Tensor from = read().to(tensor.scalar_type());
    to.count += CopyCommon(place, from.const_data_ptr(), own,
                           to.numbers.mutable_data_ptr(), from.element_size());
  };
  const SafetensorsFile file(path);
  for (const SafetensorsEntry& entry : file.header().entries) {
    if (wanted.count(entry.name) == 0) continue;
    take(entry.name, TensorPlace::All(entry.shape),
         [&] { return ReadTensor(file, entry, path); });
  }
  for (const std::string& name : files) {
    const ShardFile shard(path, name);
    for (const SafetensorsEntry& entry : shard.entries()) {
      if (wanted.count(entry.name) == 0) continue;
      take(entry.name, shard.Place(entry), [&] { return shard.Read(entry); });
    }
  }
  std::vector<std::string> missing;
  for (const auto& [name, shard] : wanted) {
    const auto of = found.find(name);
    if (of == found.end()) {
      missing.push_back(name);
      continue;
    }
    if (of->second.count != shard.place.size) {
      throw DataError(path + ": shards of '" + name + "' lack");
    }
    if (!of->second.numbers.is_same(shard.tensor)) {
      shard.tensor.copy_(of->second.numbers);
    }
  }
  return missing;
}

void CheckNoneLeftOver(const std::vector<std::string>& tensor_names,
                       const std::set<std::string>& model_names,
                       const std::string& path) {
  std::string first;
  int64_t count = 0;
  for (const std::string& name : tensor_names) {
    if (StartsWith(name, kOptimizerPrefix) ||
        StartsWith(name, kAveragePrefix) || model_names.count(name) > 0) {
      continue;
    }
    if (count++ == 0) first = name;
  }
  if (count == 0) return;
  throw MismatchError(
      path + " has the parameter '" + first + "'" +
          (count > 1 ? " and " + std::to_string(count - 1) + " more" : "") +
          " that the model lacks",
      "a model with all of its parameters",
      "use the --model and hparams it was trained with (hparams.json and "
      "flags.txt beside it say them), or another --output_dir");
}

std::vector<std::string> TensorNames(const std::string& path) {
  const SafetensorsFile file(path);
  std::vector<std::string> names;
  for (const SafetensorsEntry& entry : file.header().entries) {
    names.push_back(entry.name);
  }
  for (const std::string& name : ShardsIn(file, path)) {
    const ShardFile shard(path, name);
    for (const SafetensorsEntry& entry : shard.entries()) {
      names.push_back(entry.name);
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
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

bool IsIndexed(const std::string& model_dir, int64_t newest) {
  const std::string path = JoinPath(model_dir, kIndexFile);
  return Exists(path) && StartsWith(ReadFile(path), NewestLine(newest));
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
  std::string index = NewestLine(newest);
  for (const int64_t step : kept) {
    index += "all_model_checkpoint_paths: \"" + std::string(kPrefix) +
             std::to_string(step) + "\"\n";
  }
  WriteFileAtomically(JoinPath(model_dir, kIndexFile), index);
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
  checkpoint.path = path;
  std::map<std::string, std::string> metadata = file.header().metadata;
  if (!ParseInt(metadata["step"], &checkpoint.step) || checkpoint.step < 0) {
    throw DataError(path + " names no step");
  }
  try {
    checkpoint.meta = Json::Parse(metadata["meta"]);
  } catch (const Error& error) {
    throw DataError(path + ": " + error.what());
  }
  checkpoint.tensors = ReadTensors(file, path, wanted);
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
