#include "t2t/decode/load_model.h"

#include <map>
#include <utility>
#include <vector>

#include "t2t/base/build_lock.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/checkpoint/checkpoint.h"
#include "t2t/checkpoint/run_identity.h"
#include "t2t/decode/decode_hparams.h"
#include "t2t/hparams/without_effect.h"
#include "t2t/ops/tensor_memory.h"

namespace t2t {
namespace {

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

std::string LoadedModel::Identity() const {
  return "model " + model_name + ", hparams " + hparams_set + " " +
         model->hparams().ToJson(-1) + ", problem " + problem_name +
         ", weights " + weights.identity + ", run " + run.ToJson().ToString();
}

LoadedModel LoadModel(const LoadModelOptions& options) {
  const ModelNames names = ResolveNames(options);
  LoadedModel loaded;
  loaded.model_name = names.model;
  loaded.hparams_set = names.hparams_set;
  loaded.problem_name = names.problem;
  loaded.data_dir = names.data_dir;
  const auto make_model = Models().Get(names.model);
  loaded.problem = MakeProblem(names.problem);
  std::vector<std::string> notes;
  const HParams hparams =
      ResolveHParams(names, options.hparams, *loaded.problem, &notes);
  for (const std::string& note : notes) Log(note);
  const ProblemInfo info = loaded.problem->Info(loaded.data_dir);
  const auto targets = info.features.find("targets");
  for (const std::string& note : NotesOnHParams(
           hparams, options.hparams,
           {loaded.model_name,
            targets == info.features.end() ? "" : targets->second.modality})) {
    Log("note: " + note);
  }
  loaded.weights =
      names.exported
          ? ReadExportedWeights(JoinPath(names.data_dir, kExportedWeights))
          : ReadWeights(options.weights);
  loaded.run = MakeRunIdentity(loaded.problem_name, loaded.model_name,
                               loaded.hparams_set, info);
  CheckIdentity(loaded, DirName(names.hparams_path));
  // The weights' memory becomes the model's.
  ParamOptions params(/*seed_of_values=*/0);
  params.meta = true;
  loaded.model = make_model(hparams, info, params);
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

void ExportModel(const LoadModelOptions& options,
                 const std::string& export_dir) {
  const std::string target = ExpandUser(export_dir);
  CheckExportDir(export_dir);
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
    WriteSafetensors(JoinPath(temporary, kExportedWeights), tensors,
                     {{"step", std::to_string(loaded.weights.step)},
                      {kRunKey, loaded.run.ToJson().ToString()}});
    WriteFileAtomically(JoinPath(temporary, kExportedHParams),
                        loaded.model->hparams().ToJson() + "\n");
    Json json = Json::Object();
    json.Set("problem", loaded.problem_name);
    json.Set("model", loaded.model_name);
    json.Set("hparams_set", loaded.hparams_set);
    json.Set("step", loaded.weights.step);
    if (!options.decode_hparams.empty()) {
      json.Set("decode_hparams", options.decode_hparams);
    }
    WriteFileAtomically(JoinPath(temporary, kExportedProblem),
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
