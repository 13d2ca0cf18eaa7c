#include "t2t/checkpoint/load.h"

#include <ATen/core/grad_mode.h>

#include <optional>
#include <set>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/plural.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

std::string ShapeText(at::IntArrayRef shape) {
  std::vector<std::string> sizes;
  for (const int64_t size : shape) sizes.push_back(std::to_string(size));
  return "[" + Join(sizes, ", ") + "]";
}

void CheckShape(const std::string& name, at::IntArrayRef saved,
                at::IntArrayRef wanted) {
  if (saved == wanted) return;
  throw MismatchError(
      "parameter '" + name + "' has the shape " + ShapeText(saved) +
          " in the checkpoint",
      ShapeText(wanted) + " by the hparams and the vocabulary given",
      "use the hparams, problem and data_dir it was trained with, or another "
      "--output_dir");
}

Error LacksParameter(const std::string& parameter,
                     const Checkpoint& checkpoint) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : checkpoint.tensors) {
    if (!StartsWith(name, kOptimizerPrefix) &&
        !StartsWith(name, kAveragePrefix)) {
      names.push_back(name);
    }
  }
  return MismatchError(
      "the checkpoint has no parameter '" + parameter + "'",
      DidYouMean(parameter, names),
      "use the model and hparams it was trained with, or another "
      "--output_dir");
}

std::vector<std::string> Absent(const Checkpoint& checkpoint,
                                const ParamStore& params) {
  std::vector<std::string> absent;
  for (const ParamStore::Entry& entry : params.entries()) {
    if (checkpoint.tensors.count(entry.name) == 0) absent.push_back(entry.name);
  }
  return absent;
}

// Where a parameter's value comes from, or the end: its average, if wanted and
// there, or itself.
std::map<std::string, at::Tensor>::const_iterator SourceOf(
    const Checkpoint& checkpoint, const std::string& name, bool averaged) {
  if (averaged) {
    const auto average = checkpoint.tensors.find(kAveragePrefix + name);
    if (average != checkpoint.tensors.end()) return average;
  }
  return checkpoint.tensors.find(name);
}

void CheckFit(const Checkpoint& checkpoint, const ParamStore& params,
              bool averaged, const ShapeOf& shape_of) {
  std::set<std::string> names;
  for (const ParamStore::Entry& entry : params.entries()) {
    names.insert(entry.name);
    const auto found = SourceOf(checkpoint, entry.name, averaged);
    if (found == checkpoint.tensors.end()) {
      throw LacksParameter(entry.name, checkpoint);
    }
    CheckShape(entry.name, found->second.sizes(),
               shape_of == nullptr ? entry.tensor.sizes().vec()
                                   : shape_of(entry.name));
  }
  std::vector<std::string> saved;
  for (const auto& [name, tensor] : checkpoint.tensors) saved.push_back(name);
  CheckNoneLeftOver(saved, names, checkpoint.path);
}

}  // namespace

std::map<std::string, at::Tensor> Under(
    const std::string& prefix,
    const std::map<std::string, at::Tensor>& tensors) {
  std::map<std::string, at::Tensor> found;
  for (const auto& [name, tensor] : tensors) {
    if (StartsWith(name, prefix)) found[name.substr(prefix.size())] = tensor;
  }
  return found;
}

void CheckParametersFit(const Checkpoint& checkpoint, const ParamStore& params,
                        const ShapeOf& shape_of) {
  CheckFit(checkpoint, params, /*averaged=*/false, shape_of);
}

void LoadParameters(const Checkpoint& checkpoint, bool averaged,
                    ParamStore* params) {
  CheckFit(checkpoint, *params, averaged, nullptr);
  const at::NoGradGuard no_grad;
  for (const ParamStore::Entry& entry : params->entries()) {
    entry.tensor.detach().copy_(
        SourceOf(checkpoint, entry.name, averaged)->second);
  }
}

Checkpoint ReadWarmStart(const std::string& from, const RunIdentity& here) {
  Checkpoint checkpoint;
  if (IsDirectory(from)) {
    std::optional<Checkpoint> latest = LoadLatestCheckpoint(from);
    if (!latest) {
      throw MissingError("--warm_start_from=" + from + " holds no checkpoint",
                         "model.ckpt-<step>.safetensors");
    }
    checkpoint = std::move(*latest);
  } else {
    checkpoint = LoadCheckpoint(from);
  }
  try {
    CheckVocabularies(IdentityIn(checkpoint.meta), here, checkpoint.path);
  } catch (const Error& error) {
    if (error.code() != ExitCode::kMismatch) throw;
    // Of use all the same, where the languages have much in common.
    Warn(std::string("--warm_start_from: ") + error.what());
  }
  return checkpoint;
}

void WarmStart(const Checkpoint& checkpoint, ParamStore* params) {
  const at::NoGradGuard no_grad;
  for (const ParamStore::Entry& entry : params->entries()) {
    const auto found = checkpoint.tensors.find(entry.name);
    if (found == checkpoint.tensors.end()) continue;
    CheckShape(entry.name, found->second.sizes(), entry.tensor.sizes());
    entry.tensor.detach().copy_(found->second);
  }
}

void CheckWarmStart(const std::string& from, const Checkpoint& checkpoint,
                    const ParamStore& params) {
  if (Absent(checkpoint, params).size() < params.entries().size()) return;
  throw MismatchError(
      "--warm_start_from=" + from + " has no parameter of this model",
      "a checkpoint of a like model");
}

void LogWarmStart(const std::string& from, const Checkpoint& checkpoint,
                  const ParamStore& params) {
  const std::vector<std::string> absent = Absent(checkpoint, params);
  const size_t taken = params.entries().size() - absent.size();
  Log("warm start: " + Count(static_cast<int64_t>(taken), "parameter") +
      " from " + from);
  if (absent.empty()) return;
  Warn("not in it, so that they start at random: " +
       Count(static_cast<int64_t>(absent.size()), "parameter") + ", " +
       absent.front() + (absent.size() > 1 ? ", ..." : ""));
}

}  // namespace t2t
