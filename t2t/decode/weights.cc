#include "t2t/decode/weights.h"

#include <ATen/core/grad_mode.h>

#include <cstddef>
#include <filesystem>
#include <memory>
#include <set>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/plural.h"
#include "t2t/base/strings.h"
#include "t2t/checkpoint/checkpoint.h"
#include "t2t/checkpoint/checkpoint_reader.h"
#include "t2t/ops/tensor_memory.h"

namespace t2t {
namespace {

constexpr char kExtension[] = ".safetensors";

std::string FileIdentity(const std::string& path) {
  const auto time =
      std::filesystem::last_write_time(path).time_since_epoch().count();
  return path + ":" + std::to_string(FileSize(path)) + ":" +
         std::to_string(time);
}

std::string ShapeText(at::IntArrayRef shape) {
  std::vector<std::string> sizes;
  for (const int64_t size : shape) sizes.push_back(std::to_string(size));
  return "[" + Join(sizes, ", ") + "]";
}

// Where a parameter's values are in a checkpoint.
std::string SourceName(const CheckpointReader& reader, const std::string& name,
                       bool use_ema) {
  return use_ema && reader.Has(kAveragePrefix + name) ? kAveragePrefix + name
                                                      : name;
}

std::set<std::string> ParameterNames(const CheckpointReader& reader,
                                     bool use_ema) {
  std::set<std::string> names;
  for (const std::string& name : reader.names()) {
    if (StartsWith(name, kAveragePrefix)) {
      if (use_ema) names.insert(name.substr(sizeof(kAveragePrefix) - 1));
    } else if (!StartsWith(name, kOptimizerPrefix)) {
      names.insert(name);
    }
  }
  return names;
}

bool HasEma(const CheckpointReader& reader) {
  for (const std::string& name : reader.names()) {
    if (StartsWith(name, kAveragePrefix)) return true;
  }
  return false;
}

Error NoCheckpoint(const std::string& where) {
  return MissingError("there is no checkpoint in " + where,
                      "model.ckpt-<step>.safetensors",
                      "train first (t2t-trainer --output_dir=" + where +
                          "), or name one with --checkpoint_path");
}

using Readers = std::vector<std::unique_ptr<CheckpointReader>>;

// Throws where the checkpoints are not of one model.
void CheckAlike(const Readers& readers, bool use_ema) {
  const CheckpointReader& first = *readers.front();
  const std::set<std::string> names = ParameterNames(first, use_ema);
  const char* const todo = "average fewer checkpoints (--avg_checkpoints)";
  for (size_t i = 1; i < readers.size(); ++i) {
    const CheckpointReader& other = *readers[i];
    CheckVocabularies(IdentityIn(first.meta()), IdentityIn(other.meta()),
                      first.path());
    const std::set<std::string> others = ParameterNames(other, use_ema);
    const std::string differ =
        "the checkpoints to average differ: " + other.path() + " has ";
    if (others.size() != names.size()) {
      throw MismatchError(
          differ + Count(static_cast<int64_t>(others.size()), "parameter"),
          std::to_string(names.size()) + " as in " + first.path(), todo);
    }
    for (const std::string& name : names) {
      const auto shape = [&](const CheckpointReader& reader) {
        return reader.shape(SourceName(reader, name, use_ema));
      };
      const bool has = others.count(name) > 0;
      if (has && shape(other) == shape(first)) continue;
      throw MismatchError(
          differ + (has ? name + " of shape " + ShapeText(shape(other))
                        : "no " + name),
          name + " of shape " + ShapeText(shape(first)), todo);
    }
  }
}

// The mean of the checkpoints' parameters; whole numbers are the first's. Sums
// are in double precision, as t2t-avg-all's, and so the same mean. *at: which
// of them is being read.
std::map<std::string, at::Tensor> ReadMean(const Readers& readers, bool use_ema,
                                           size_t* at) {
  std::map<std::string, at::Tensor> mean;
  for (const std::string& name : ParameterNames(*readers.front(), use_ema)) {
    const auto read = [&](size_t i) {
      *at = i;
      return readers[i]->Read(SourceName(*readers[i], name, use_ema));
    };
    at::Tensor tensor = read(0);
    if (readers.size() > 1 && tensor.is_floating_point()) {
      at::Tensor sum = tensor.to(at::kDouble);
      for (size_t i = 1; i < readers.size(); ++i) {
        sum.add_(read(i).to(at::kDouble));
      }
      tensor = sum.div_(static_cast<double>(readers.size()))
                   .to(tensor.scalar_type());
    }
    mean[name] = std::move(tensor);
  }
  return mean;
}

// The checkpoints that the options ask for, and those that may take the place
// of damaged ones; newest first.
struct Candidates {
  std::string folder;
  std::vector<std::string> files;
  bool named = false;  // the first, outright
};

Candidates FindCandidates(const WeightsOptions& options) {
  Candidates found;
  found.folder = options.model_dir;
  const std::string path = ExpandUser(options.checkpoint_path);
  if (!path.empty() && !IsDirectory(path)) {
    found.named = true;
    found.files.push_back(Exists(path) ? path : path + kExtension);
    if (!Exists(found.files[0])) {
      throw MissingError("there is no checkpoint " + path,
                         "a file (or its name without " +
                             std::string(kExtension) + ") or a folder",
                         "see --checkpoint_path");
    }
    found.folder = DirName(found.files[0]);
  } else if (!path.empty()) {
    found.folder = path;
  }
  found.folder = ExpandUser(found.folder);
  if (found.named && options.average == 1) return found;
  if (!IsDirectory(found.folder)) throw NoCheckpoint(found.folder);
  // Of those not newer than the one that was named.
  bool reached = !found.named;
  const std::vector<int64_t> steps = ListCheckpoints(found.folder);
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    const std::string file = CheckpointPath(found.folder, *step);
    if (reached) {
      found.files.push_back(file);
    } else {
      reached = BaseName(file) == BaseName(found.files[0]);
    }
  }
  if (found.files.empty()) throw NoCheckpoint(found.folder);
  return found;
}

}  // namespace

Weights ReadWeights(const WeightsOptions& options) {
  if (options.average < 1) {
    throw UsageError("--avg_checkpoints=" + std::to_string(options.average),
                     "1 or more");
  }
  const at::NoGradGuard no_grad;
  const Candidates candidates = FindCandidates(options);
  const auto pass_over = [&](const Error& error, const std::string& file) {
    if (candidates.named && file == candidates.files[0]) throw;
    if (error.code() != ExitCode::kBadData) throw;
    Warn(std::string("passed over: ") + error.what());
  };
  Weights weights;
  Readers readers;
  auto next = candidates.files.begin();
  while (weights.files.empty()) {
    for (; next != candidates.files.end() &&
           static_cast<int64_t>(readers.size()) < options.average;
         ++next) {
      try {
        readers.push_back(std::make_unique<CheckpointReader>(*next));
      } catch (const Error& error) {
        pass_over(error, *next);
      }
    }
    if (readers.empty()) {
      throw DataError(
          "every checkpoint in " + candidates.folder + " is damaged",
          "at least one that is whole",
          "restore one from a copy, or train anew");
    }
    CheckAlike(readers, options.use_ema);
    size_t at = 0;
    try {
      weights.tensors = ReadMean(readers, options.use_ema, &at);
    } catch (const Error& error) {
      pass_over(error, readers[at]->path());
      readers.erase(readers.begin() + static_cast<std::ptrdiff_t>(at));
      continue;
    }
    for (const auto& reader : readers) {
      weights.files.push_back(reader->path());
      weights.identity += FileIdentity(reader->path()) + ";";
    }
  }
  weights.step = readers.front()->step();
  weights.run = IdentityIn(readers.front()->meta());
  weights.are_ema = options.use_ema && HasEma(*readers.front());
  const auto count = static_cast<int64_t>(weights.files.size());
  if (count < options.average) {
    Warn("only " + Count(count, "checkpoint") + " to average in " +
         candidates.folder + " (asked for " + std::to_string(options.average) +
         ")");
  }
  weights.identity += weights.are_ema ? "ema" : "";
  return weights;
}

Weights ReadExportedWeights(const std::string& path) {
  Weights weights;
  std::map<std::string, std::string> metadata;
  weights.tensors = ReadSafetensors(path, &metadata);
  ParseInt(metadata["step"], &weights.step);
  const auto run = metadata.find(kRunKey);
  if (run != metadata.end()) {
    try {
      weights.run = RunIdentity::FromJson(Json::Parse(run->second));
    } catch (const Error& error) {
      throw DataError(path + ": " + error.what());
    }
  }
  weights.files.push_back(path);
  weights.identity = FileIdentity(path);
  return weights;
}

void PutWeights(Weights* weights, ParamStore* params) {
  const std::string hint =
      "the same --model, --hparams_set, --hparams and vocabulary (--data_dir) "
      "as in training";
  for (const ParamStore::Entry& entry : params->entries()) {
    const auto found = weights->tensors.find(entry.name);
    if (found == weights->tensors.end()) {
      std::vector<std::string> names;
      for (const auto& [name, tensor] : weights->tensors) names.push_back(name);
      const std::vector<std::string> nearest = Nearest(entry.name, names);
      throw MismatchError(
          "checkpoint " + weights->files.front() + " has no parameter " +
              entry.name +
              (nearest.empty() ? "" : ", but it has " + nearest.front()),
          "one of shape " + ShapeText(entry.tensor.sizes()), "use " + hint);
    }
    if (found->second.sizes() != entry.tensor.sizes()) {
      throw MismatchError("parameter " + entry.name + " in checkpoint " +
                              weights->files.front() + " has shape " +
                              ShapeText(found->second.sizes()),
                          ShapeText(entry.tensor.sizes()) +
                              " (a first or last size that differs is most "
                              "often another vocabulary)",
                          "use " + hint);
    }
  }
  std::vector<std::string> names;
  for (const auto& [name, tensor] : weights->tensors) names.push_back(name);
  std::set<std::string> model_names;
  for (const ParamStore::Entry& entry : params->entries()) {
    model_names.insert(entry.name);
  }
  CheckNoneLeftOver(names, model_names, weights->files.front());
  const at::NoGradGuard no_grad;
  for (const ParamStore::Entry& entry : params->entries()) {
    MoveValues(weights->tensors.at(entry.name), entry.tensor);
  }
  weights->tensors.clear();
}

}  // namespace t2t
