#include "t2t/train/checkpoint.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "t2t/base/crc32c.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/train/safetensors.h"

namespace t2t {
namespace {

constexpr char kPrefix[] = "model.ckpt-";
constexpr char kSuffix[] = ".safetensors";

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

at::ScalarType DtypeFromName(const std::string& name) {
  for (const DtypeName& dtype : kDtypes) {
    if (name == dtype.name) return dtype.type;
  }
  throw DataError("tensors of type " + name + " can't be read");
}

std::string_view BytesOf(const at::Tensor& tensor) {
  return {static_cast<const char*>(tensor.const_data_ptr()),
          static_cast<size_t>(tensor.nbytes())};
}

std::map<std::string, at::Tensor> Read(
    const std::string& path, std::map<std::string, std::string>* metadata,
    bool checksums_required) {
  const MappedFile file(path);
  std::map<std::string, at::Tensor> tensors;
  try {
    const SafetensorsHeader header = ParseSafetensorsHeader(file.data());
    VerifySafetensorsData(file.data(), header, checksums_required);
    for (const SafetensorsEntry& entry : header.entries) {
      at::Tensor tensor = at::empty(
          entry.shape, at::TensorOptions().dtype(DtypeFromName(entry.dtype)));
      if (tensor.nbytes() > 0) {
        std::memcpy(tensor.mutable_data_ptr(),
                    file.data().data() + header.data_start + entry.begin,
                    tensor.nbytes());
      }
      tensors[entry.name] = std::move(tensor);
    }
    if (metadata != nullptr) *metadata = header.metadata;
  } catch (const Error& error) {
    throw DataError(path + ": " + error.what());
  }
  return tensors;
}

// What a killed process left half-written.
void RemoveLeftovers(const std::string& model_dir) {
  const std::string mark = std::string(kSuffix) + ".tmp-";
  for (const std::string& name : ListDirectory(model_dir)) {
    const size_t at = name.find(mark);
    int64_t pid = 0;
    if (!StartsWith(name, kPrefix) || at == std::string::npos ||
        !ParseInt(name.substr(at + mark.size()), &pid)) {
      continue;
    }
    const bool alive =
        ::kill(static_cast<pid_t>(pid), 0) == 0 || errno == EPERM;
    if (pid != ::getpid() && !alive) RemoveFile(JoinPath(model_dir, name));
  }
}

}  // namespace

void WriteSafetensors(const std::string& path,
                      const std::map<std::string, at::Tensor>& tensors,
                      const std::map<std::string, std::string>& metadata) {
  struct Item {
    std::string name;
    at::Tensor tensor;
  };
  std::vector<Item> items;
  for (const auto& [name, tensor] : tensors) {
    items.push_back({name, tensor.detach().cpu().contiguous()});
  }
  // Wide types first, so that each tensor is aligned.
  std::stable_sort(items.begin(), items.end(),
                   [](const Item& a, const Item& b) {
                     return a.tensor.element_size() > b.tensor.element_size();
                   });
  std::vector<SafetensorsEntry> entries;
  std::vector<uint32_t> crcs;
  int64_t at = 0;
  for (const Item& item : items) {
    const int64_t bytes = static_cast<int64_t>(item.tensor.nbytes());
    entries.push_back({item.name, DtypeToName(item.tensor.scalar_type()),
                       item.tensor.sizes().vec(), at, at + bytes});
    crcs.push_back(Crc32c(BytesOf(item.tensor)));
    at += bytes;
  }
  AtomicWriter writer(path);
  writer.Write(MakeSafetensorsHeader(entries, crcs, metadata));
  for (const Item& item : items) writer.Write(BytesOf(item.tensor));
  writer.Commit();
}

std::map<std::string, at::Tensor> ReadSafetensors(
    const std::string& path, std::map<std::string, std::string>* metadata) {
  return Read(path, metadata, /*checksums_required=*/false);
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

void SaveCheckpoint(const std::string& model_dir, const Checkpoint& checkpoint,
                    int64_t keep_max, const std::vector<int64_t>& keep_always) {
  RemoveLeftovers(model_dir);
  WriteSafetensors(CheckpointPath(model_dir, checkpoint.step),
                   checkpoint.tensors,
                   {{"step", std::to_string(checkpoint.step)},
                    {"meta", checkpoint.meta.ToString()}});
  // A file of a later step is what a damaged checkpoint left when training
  // went on from an earlier one: it must not push out the good ones.
  std::vector<int64_t> steps = ListCheckpoints(model_dir);
  steps.erase(std::upper_bound(steps.begin(), steps.end(), checkpoint.step),
              steps.end());
  std::vector<int64_t> kept = steps;
  if (keep_max > 0 && static_cast<int64_t>(steps.size()) > keep_max) {
    kept.assign(steps.end() - keep_max, steps.end());
  }
  std::string index = "model_checkpoint_path: \"" + std::string(kPrefix) +
                      std::to_string(checkpoint.step) + "\"\n";
  for (const int64_t step : kept) {
    index += "all_model_checkpoint_paths: \"" + std::string(kPrefix) +
             std::to_string(step) + "\"\n";
  }
  WriteFileAtomically(JoinPath(model_dir, "checkpoint"), index);
  for (size_t i = 0; i + kept.size() < steps.size(); ++i) {
    if (std::find(keep_always.begin(), keep_always.end(), steps[i]) ==
        keep_always.end()) {
      RemoveFile(CheckpointPath(model_dir, steps[i]));
    }
  }
}

Checkpoint LoadCheckpoint(const std::string& path) {
  if (!Exists(path)) {
    throw MissingError("there is no checkpoint " + path, "",
                       "train first, or name another --output_dir");
  }
  Checkpoint checkpoint;
  std::map<std::string, std::string> metadata;
  checkpoint.tensors = Read(path, &metadata, /*checksums_required=*/true);
  if (!ParseInt(metadata["step"], &checkpoint.step) || checkpoint.step < 0) {
    throw DataError(path + " names no step");
  }
  checkpoint.meta = Json::Parse(metadata["meta"]);
  return checkpoint;
}

std::optional<Checkpoint> LoadLatestCheckpoint(const std::string& model_dir) {
  const std::vector<int64_t> steps = ListCheckpoints(model_dir);
  if (steps.empty()) return std::nullopt;
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    try {
      return LoadCheckpoint(CheckpointPath(model_dir, *step));
    } catch (const Error& error) {
      if (error.code() != ExitCode::kBadData) throw;
      Warn(std::string("passed over: ") + error.what());
    }
  }
  throw DataError("every checkpoint in " + model_dir + " is damaged",
                  "at least one that is whole",
                  "restore one from a copy, or train anew in another folder");
}

}  // namespace t2t
