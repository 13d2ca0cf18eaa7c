#include "t2t/decode/weights.h"

#include <ATen/core/grad_mode.h>

#include <filesystem>
#include <set>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/plural.h"
#include "t2t/base/strings.h"
#include "t2t/train/checkpoint.h"

namespace t2t {
namespace {

constexpr char kEma[] = "ema/";
constexpr char kOptimizer[] = "optimizer/";
constexpr char kExtension[] = ".safetensors";

std::string FileIdentity(const std::string& path) {
  const auto time =
      std::filesystem::last_write_time(path).time_since_epoch().count();
  return path + ":" + std::to_string(FileSize(path)) + ":" +
         std::to_string(time);
}

std::string ShapeText(const at::Tensor& tensor) {
  std::vector<std::string> sizes;
  for (const int64_t size : tensor.sizes()) {
    sizes.push_back(std::to_string(size));
  }
  return "[" + Join(sizes, ", ") + "]";
}

// The parameters out of everything a checkpoint holds.
std::map<std::string, at::Tensor> Parameters(Checkpoint checkpoint,
                                             bool use_ema, bool* are_ema) {
  std::map<std::string, at::Tensor> parameters;
  *are_ema = false;
  for (const auto& [name, tensor] : checkpoint.tensors) {
    if (!StartsWith(name, kEma) && !StartsWith(name, kOptimizer)) {
      parameters[name] = tensor;
    }
  }
  if (!use_ema) return parameters;
  for (const auto& [name, tensor] : checkpoint.tensors) {
    if (!StartsWith(name, kEma)) continue;
    parameters[name.substr(sizeof(kEma) - 1)] = tensor;
    *are_ema = true;
  }
  return parameters;
}

Error NoCheckpoint(const std::string& where) {
  return MissingError("there is no checkpoint in " + where,
                      "model.ckpt-<step>.safetensors",
                      "train first (t2t-trainer --output_dir=" + where +
                          "), or name one with --checkpoint_path");
}

// Adds a checkpoint to the running sum.
void AddTo(Weights* sum, std::map<std::string, at::Tensor> more,
           const std::string& file) {
  if (more.size() != sum->tensors.size()) {
    throw MismatchError(
        "the checkpoints to average differ: " + file + " has " +
            Count(static_cast<int64_t>(more.size()), "parameter"),
        std::to_string(sum->tensors.size()) + " as in " + sum->files.front(),
        "average fewer checkpoints (--avg_checkpoints)");
  }
  for (auto& [name, tensor] : sum->tensors) {
    const auto found = more.find(name);
    if (found == more.end() || found->second.sizes() != tensor.sizes()) {
      throw MismatchError(
          "the checkpoints to average differ: " + file + " has " +
              (found == more.end()
                   ? "no " + name
                   : name + " of shape " + ShapeText(found->second)),
          name + " of shape " + ShapeText(tensor),
          "average fewer checkpoints (--avg_checkpoints)");
    }
    // Whole numbers are the newest's.
    if (tensor.is_floating_point()) tensor.add_(found->second.to(at::kDouble));
  }
}

}  // namespace

Weights ReadWeights(const WeightsOptions& options) {
  if (options.average < 1) {
    throw UsageError("--avg_checkpoints=" + std::to_string(options.average),
                     "1 or more");
  }
  const at::NoGradGuard no_grad;
  std::vector<std::string> candidates;  // newest first
  bool named = false;
  std::string folder = options.model_dir;
  const std::string path = ExpandUser(options.checkpoint_path);
  if (!path.empty() && !IsDirectory(path)) {
    named = true;
    candidates.push_back(Exists(path) ? path : path + kExtension);
    if (!Exists(candidates[0])) {
      throw MissingError("there is no checkpoint " + path,
                         "a file (or its name without " +
                             std::string(kExtension) + ") or a folder",
                         "see --checkpoint_path");
    }
    folder = DirName(candidates[0]);
  } else if (!path.empty()) {
    folder = path;
  }
  folder = ExpandUser(folder);
  if (!named || options.average > 1) {
    if (!IsDirectory(folder)) throw NoCheckpoint(folder);
    // Of those not newer than the one that was named.
    bool reached = !named;
    const std::vector<int64_t> steps = ListCheckpoints(folder);
    for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
      const std::string file = CheckpointPath(folder, *step);
      if (reached) {
        candidates.push_back(file);
      } else {
        reached = BaseName(file) == BaseName(candidates[0]);
      }
    }
  }
  Weights weights;
  // Sums are in double precision, as t2t-avg-all's, and so the same mean.
  std::map<std::string, at::ScalarType> types;
  for (const std::string& file : candidates) {
    if (static_cast<int64_t>(weights.files.size()) == options.average) break;
    Checkpoint checkpoint;
    try {
      checkpoint = LoadCheckpoint(file);
    } catch (const Error& error) {
      if (named && file == candidates[0]) throw;
      if (error.code() != ExitCode::kBadData) throw;
      Warn(std::string("passed over: ") + error.what());
      continue;
    }
    bool are_ema = false;
    const int64_t step = checkpoint.step;
    const RunIdentity run = IdentityIn(checkpoint.meta);
    auto tensors = Parameters(std::move(checkpoint), options.use_ema, &are_ema);
    if (weights.files.empty()) {
      weights.step = step;
      weights.are_ema = are_ema;
      weights.run = run;
      for (auto& [name, tensor] : tensors) {
        const bool summed = options.average > 1 && tensor.is_floating_point();
        types[name] = tensor.scalar_type();
        weights.tensors[name] = summed ? tensor.to(at::kDouble) : tensor;
      }
    } else {
      CheckVocabularies(weights.run, run, weights.files.front());
      AddTo(&weights, std::move(tensors), file);
    }
    weights.files.push_back(file);
    weights.identity += FileIdentity(file) + ";";
  }
  if (candidates.empty()) throw NoCheckpoint(folder);
  if (weights.files.empty()) {
    throw DataError("every checkpoint in " + folder + " is damaged",
                    "at least one that is whole",
                    "restore one from a copy, or train anew");
  }
  const auto count = static_cast<int64_t>(weights.files.size());
  if (count < options.average) {
    Warn("only " + Count(count, "checkpoint") + " to average in " + folder +
         " (asked for " + std::to_string(options.average) + ")");
  }
  for (auto& [name, tensor] : weights.tensors) {
    if (options.average == 1 || !tensor.is_floating_point()) continue;
    tensor = tensor.div(static_cast<double>(count)).to(types.at(name));
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

void PutWeights(const Weights& weights, ParamStore* params) {
  const std::string hint =
      "the same --model, --hparams_set, --hparams and vocabulary (--data_dir) "
      "as in training";
  for (const ParamStore::Entry& entry : params->entries()) {
    const auto found = weights.tensors.find(entry.name);
    if (found == weights.tensors.end()) {
      std::vector<std::string> names;
      for (const auto& [name, tensor] : weights.tensors) names.push_back(name);
      const std::vector<std::string> nearest = Nearest(entry.name, names);
      throw MismatchError(
          "checkpoint " + weights.files.front() + " has no parameter " +
              entry.name +
              (nearest.empty() ? "" : ", but it has " + nearest.front()),
          "one of shape " + ShapeText(entry.tensor), "use " + hint);
    }
    if (found->second.sizes() != entry.tensor.sizes()) {
      throw MismatchError("parameter " + entry.name + " in checkpoint " +
                              weights.files.front() + " has shape " +
                              ShapeText(found->second),
                          ShapeText(entry.tensor) +
                              " (a first or last size that differs is most "
                              "often another vocabulary)",
                          "use " + hint);
    }
  }
  std::vector<std::string> names;
  for (const auto& [name, tensor] : weights.tensors) names.push_back(name);
  std::set<std::string> model_names;
  for (const ParamStore::Entry& entry : params->entries()) {
    model_names.insert(entry.name);
  }
  CheckNoneLeftOver(names, model_names, weights.files.front());
  const at::NoGradGuard no_grad;
  for (const ParamStore::Entry& entry : params->entries()) {
    at::Tensor target = entry.tensor;
    target.copy_(weights.tensors.at(entry.name));
  }
}

}  // namespace t2t
