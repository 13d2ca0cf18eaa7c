#include "t2t/decode/load_model.h"

#include <map>
#include <utility>

#include "t2t/base/build_lock.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/base/json_file.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/checkpoint/checkpoint.h"
#include "t2t/checkpoint/run_identity.h"
#include "t2t/decode/decode_hparams.h"
#include "t2t/hparams/key_rules.h"
#include "t2t/hparams/without_effect.h"
#include "t2t/nn/parameter_units.h"
#include "t2t/ops/tensor_memory.h"

namespace t2t {
namespace {

constexpr char kWeightsFile[] = "model.safetensors";
constexpr char kHParamsFile[] = "hparams.json";
constexpr char kProblemFile[] = "problem.json";

// Where t2t-trainer's hparams.json and flags.txt are.
std::string ModelFolder(const WeightsOptions& options) {
  if (!options.model_dir.empty()) return ExpandUser(options.model_dir);
  const std::string path = ExpandUser(options.checkpoint_path);
  return IsDirectory(path) ? path : DirName(path);
}

void Resolve(const std::map<std::string, std::string>& saved,
             const std::string& name, std::string* value) {
  const auto found = saved.find(name);
  if (value->empty() && found != saved.end()) *value = found->second;
}

void Require(const std::string& name, const std::string& value) {
  if (!value.empty()) return;
  throw UsageError("--" + name + " is missing",
                   "a name, or an --output_dir whose flags.txt says it",
                   "give --" + name);
}

HParams ResolveHParams(const std::string& set, const std::string& saved_path,
                       const std::string& overrides, const Problem& problem) {
  const bool saved = Exists(saved_path);
  if (set.empty() && !saved) Require("hparams_set", set);
  HParams hparams;
  if (set.empty()) {
    hparams = ReadJsonFile(
        saved_path, [](const Json& json) { return HParams::FromJson(json); });
  } else {
    hparams = HParamsSets().Get(set)();
    problem.AdjustHParams(&hparams);
    if (saved) {
      Log("hparams from " + saved_path);
      const std::vector<std::string> unknown = ReadJsonFile(
          saved_path,
          [&](const Json& json) { return hparams.MergeJson(json); });
      if (!unknown.empty()) {
        Log("note: " + saved_path + " has hparams that " + set +
            " doesn't know, left out: " + Join(unknown, ", "));
      }
    }
  }
  hparams.Parse(overrides);
  CheckHParams(hparams);
  return hparams;
}

// What an export says of itself; take_in may throw, and returns a result.
template <typename TakeIn>
auto ReadExport(const std::string& export_dir, const TakeIn& take_in) {
  const std::string path = JoinPath(export_dir, kProblemFile);
  if (!Exists(path)) {
    throw MissingError("there is no exported model in " + export_dir,
                       "a folder with " + std::string(kProblemFile),
                       "write one with t2t-exporter");
  }
  return ReadJsonFile(path, take_in);
}

void CopyFileTo(const std::string& from, const std::string& to) {
  AtomicWriter writer(to);
  writer.Write(MappedFile(from).data());
  writer.Commit();
}

// The files in data_dir that are no shards: vocabularies of whatever name.
std::vector<std::string> VocabularyFiles(const std::string& data_dir) {
  std::vector<std::string> files;
  if (data_dir.empty() || !IsDirectory(data_dir)) return files;
  for (const std::string& name : ListDirectory(data_dir)) {
    if (IsTemporaryName(name)) continue;
    const bool is_vocabulary =
        StartsWith(name, "vocab.") || EndsWith(name, ".subwords") ||
        EndsWith(name, ".tokens") || EndsWith(name, ".labels") ||
        EndsWith(name, ".model");
    if (is_vocabulary && !IsDirectory(JoinPath(data_dir, name))) {
      files.push_back(name);
    }
  }
  return files;
}

// Throws where the vocabularies are others than the weights were trained with;
// another name is said.
void CheckIdentity(const LoadedModel& loaded, const std::string& flags_folder) {
  const RunIdentity saved = WithFlagsText(loaded.weights.run, flags_folder);
  const std::string& file = loaded.weights.files.front();
  CheckVocabularies(saved, loaded.run, file);
  const std::string changed = ChangedNames(saved, loaded.run);
  if (!changed.empty()) {
    Warn(file + " was trained otherwise: " + changed);
  }
}

// Puts the weights that were read into the model.
void TakeWeights(LoadedModel* loaded) {
  Weights& weights = loaded->weights;
  PutWeights(&weights, &loaded->model->params());
  Log("model " + loaded->model_name + ", step " + std::to_string(weights.step) +
      " of " + weights.files.front() +
      (weights.files.size() > 1
           ? " (mean of " + std::to_string(weights.files.size()) + ")"
           : "") +
      (weights.are_ema ? ", moving averages" : ""));
}

}  // namespace

void TakeSavedNames(LoadModelOptions* options) {
  const auto saved =
      ReadFlagsText(JoinPath(ModelFolder(options->weights), "flags.txt"));
  Resolve(saved, "model", &options->model);
  Resolve(saved, "hparams_set", &options->hparams_set);
  Resolve(saved, "problem", &options->problem);
  Resolve(saved, "data_dir", &options->data_dir);
}

std::string LoadedModel::Identity() const {
  return "model " + model_name + ", hparams " + hparams_set + " " +
         model->hparams().ToJson(-1) + ", problem " + problem_name +
         ", weights " + weights.identity + ", run " + run.ToJson().ToString();
}

LoadedModel LoadModel(const LoadModelOptions& options) {
  LoadedModel loaded;
  loaded.model_name = options.model;
  loaded.hparams_set = options.hparams_set;
  loaded.problem_name = options.problem;
  loaded.data_dir = ExpandUser(options.data_dir);
  const std::string export_dir = ExpandUser(options.export_dir);
  const bool exported = !export_dir.empty();
  std::string hparams_path;
  if (exported) {
    ReadExport(export_dir, [&](const Json& json) {
      loaded.model_name = json.At("model").AsString();
      loaded.hparams_set = json.At("hparams_set").AsString();
      loaded.problem_name = json.At("problem").AsString();
    });
    loaded.data_dir = export_dir;
    hparams_path = JoinPath(export_dir, kHParamsFile);
  } else {
    const std::string folder = ModelFolder(options.weights);
    if (folder.empty()) {
      throw UsageError("neither --output_dir nor --checkpoint_path is given",
                       "where the trained model is", "give --output_dir");
    }
    LoadModelOptions named = options;
    TakeSavedNames(&named);
    loaded.model_name = named.model;
    loaded.hparams_set = named.hparams_set;
    loaded.problem_name = named.problem;
    loaded.data_dir = ExpandUser(named.data_dir);
    hparams_path = JoinPath(folder, kHParamsFile);
  }
  Require("model", loaded.model_name);
  Require("problem", loaded.problem_name);
  const auto make_model = Models().Get(loaded.model_name);
  loaded.problem = MakeProblem(loaded.problem_name);
  // The exported hparams are whole; the set isn't needed any more.
  HParams hparams =
      ResolveHParams(exported ? "" : loaded.hparams_set, hparams_path,
                     options.hparams, *loaded.problem);
  const ProblemInfo info = loaded.problem->Info(loaded.data_dir);
  const auto targets = info.features.find("targets");
  for (const std::string& note : NotesOnHParams(
           hparams, options.hparams,
           {loaded.model_name,
            targets == info.features.end() ? "" : targets->second.modality})) {
    Log("note: " + note);
  }
  loaded.weights = exported
                       ? ReadExportedWeights(JoinPath(export_dir, kWeightsFile))
                       : ReadWeights(options.weights);
  loaded.run = MakeRunIdentity(loaded.problem_name, loaded.model_name,
                               loaded.hparams_set, info);
  CheckIdentity(loaded, DirName(hparams_path));
  {
    // The weights' memory becomes the model's.
    const AbsentParameters absent;
    loaded.model = make_model(hparams, info, /*seed=*/0);
  }
  TakeWeights(&loaded);
  return loaded;
}

void ReloadWeights(const WeightsOptions& options, LoadedModel* loaded) {
  for (const at::Tensor& tensor : loaded->model->params().Trainable()) {
    DropMemory(tensor);
  }
  loaded->weights = ReadWeights(options);
  CheckVocabularies(loaded->weights.run, loaded->run,
                    loaded->weights.files.front());
  TakeWeights(loaded);
}

std::string ExportedDecodeHParams(const std::string& export_dir) {
  if (export_dir.empty()) return "";
  return ReadExport(ExpandUser(export_dir), [](const Json& json) {
    const Json* const kept = json.Find("decode_hparams");
    return kept == nullptr ? std::string() : kept->AsString();
  });
}

void ExportModel(const LoadModelOptions& options,
                 const std::string& export_dir) {
  const std::string target = ExpandUser(export_dir);
  if (target.empty()) {
    throw UsageError("--export_dir is missing", "a folder to write",
                     "give --export_dir");
  }
  if (Exists(target)) {
    throw UsageError(target + " is already there", "a new folder",
                     "remove it, or choose another --export_dir");
  }
  for (const std::string& note :
       NotesOnDecodeHParams(DecodeHParams(options.decode_hparams))) {
    Log(note);
  }
  const LoadedModel loaded = LoadModel(options);
  if (!DirName(target).empty()) MakeDirectories(DirName(target));
  // So that what is at the temporary name was left by one that was killed.
  const BuildLock lock(target + ".lock", "the exported model " + target);
  if (Exists(target)) {
    throw UsageError("another process has written " + target + " meanwhile",
                     "one exporter for each --export_dir");
  }
  const std::string temporary = target + ".tmp";
  RemoveTree(temporary);
  MakeDirectories(temporary);
  try {
    std::map<std::string, at::Tensor> tensors;
    for (const ParamStore::Entry& entry : loaded.model->params().entries()) {
      tensors[entry.name] = entry.tensor.detach();
    }
    WriteSafetensors(JoinPath(temporary, kWeightsFile), tensors,
                     {{"step", std::to_string(loaded.weights.step)},
                      {kRunKey, loaded.run.ToJson().ToString()}});
    WriteFileAtomically(JoinPath(temporary, kHParamsFile),
                        loaded.model->hparams().ToJson() + "\n");
    Json json = Json::Object();
    json.Set("problem", loaded.problem_name);
    json.Set("model", loaded.model_name);
    json.Set("hparams_set", loaded.hparams_set);
    json.Set("step", loaded.weights.step);
    if (!options.decode_hparams.empty()) {
      json.Set("decode_hparams", options.decode_hparams);
    }
    WriteFileAtomically(JoinPath(temporary, kProblemFile),
                        json.ToString(2) + "\n");
    for (const std::string& name : VocabularyFiles(loaded.data_dir)) {
      CopyFileTo(JoinPath(loaded.data_dir, name), JoinPath(temporary, name));
    }
    // What the folder lacks shows now and not on another machine.
    loaded.problem->Info(temporary);
    Rename(temporary, target);
  } catch (...) {
    RemoveTree(temporary);
    throw;
  }
}

}  // namespace t2t
