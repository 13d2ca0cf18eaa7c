#include "t2t/train/checkpoint.h"

#include <algorithm>
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

void SaveCheckpoint(const std::string& model_dir, const Checkpoint& checkpoint,
                    int64_t keep_max, const std::vector<int64_t>& keep_always) {
  const std::string path = CheckpointPath(model_dir, checkpoint.step);
  WriteSafetensors(path, checkpoint.tensors,
                   {{"step", std::to_string(checkpoint.step)},
                    {"meta", checkpoint.meta.ToString()}});
  // Before an older one is removed.
  VerifySafetensorsFile(path);
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
      RemoveFile(CheckpointPath(model_dir, steps[i]));
    }
  }
}

Checkpoint LoadCheckpoint(const std::string& path) {
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
  return checkpoint;
}

std::optional<Checkpoint> LoadLatestCheckpoint(const std::string& model_dir) {
  const std::vector<int64_t> steps = ListCheckpoints(model_dir);
  bool damaged = false;
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    const std::string path = CheckpointPath(model_dir, *step);
    try {
      std::optional<Checkpoint> checkpoint = LoadCheckpoint(path);
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
