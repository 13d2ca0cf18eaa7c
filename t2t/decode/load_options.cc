#include "t2t/decode/load_options.h"

#include <map>
#include <memory>

#include "hparams/model_fit.h"
#include "hparams/model_names.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/base/json_file.h"
#include "t2t/base/strings.h"
#include "t2t/checkpoint/run_identity.h"
#include "t2t/hparams/key_rules.h"

namespace t2t {
namespace {

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

// What an export says of itself; take_in may throw, and returns a result.
template <typename TakeIn>
auto ReadExport(const std::string& export_dir, const TakeIn& take_in) {
  const std::string path = JoinPath(export_dir, kExportedProblem);
  if (!Exists(path)) {
    throw MissingError("there is no exported model in " + export_dir,
                       "a folder with " + std::string(kExportedProblem),
                       "write one with t2t-exporter");
  }
  return ReadJsonFile(path, take_in);
}

ModelNames NamesOfExport(const std::string& export_dir) {
  ModelNames names;
  ReadExport(export_dir, [&](const Json& json) {
    names.model = json.At("model").AsString();
    names.hparams_set = json.At("hparams_set").AsString();
    names.problem = json.At("problem").AsString();
  });
  names.data_dir = export_dir;
  names.hparams_path = JoinPath(export_dir, kExportedHParams);
  names.exported = true;
  return names;
}

}  // namespace

void AddWeightsFlags(const std::string& mean, WeightsOptions* options,
                     Flags* flags) {
  flags->Add("checkpoint_path", &options->checkpoint_path,
             "A checkpoint (file, or model.ckpt-<step>) to take instead of "
             "the newest in output_dir.");
  flags->Add("avg_checkpoints", &options->average, mean, Range::AtLeast(0));
  flags->Add("use_ema", &options->use_ema,
             "Take the parameters' moving averages where the checkpoint has "
             "them.");
}

void AddModelFlags(const std::string& data_dir, LoadModelOptions* options,
                   Flags* flags) {
  flags->Add("data_dir", &options->data_dir, data_dir);
  flags->Add("problem", &options->problem, "Problem name.");
  flags->Add("model", &options->model, "Model name.");
  flags->Add("hparams_set", &options->hparams_set, "Hyperparameter set.");
  flags->Add("hparams", &options->hparams,
             "Changes of hyperparameters: name=value,name=value.",
             Flags::Kind::kSettings);
}

void TakeSavedNames(LoadModelOptions* options) {
  const auto saved =
      ReadFlagsText(JoinPath(ModelFolder(options->weights), "flags.txt"));
  Resolve(saved, "model", &options->model);
  Resolve(saved, "hparams_set", &options->hparams_set);
  Resolve(saved, "problem", &options->problem);
  Resolve(saved, "data_dir", &options->data_dir);
}

ModelNames ResolveNames(const LoadModelOptions& options) {
  ModelNames names;
  if (!options.export_dir.empty()) {
    names = NamesOfExport(ExpandUser(options.export_dir));
  } else {
    const std::string folder = ModelFolder(options.weights);
    if (folder.empty()) {
      throw UsageError("neither --output_dir nor --checkpoint_path is given",
                       "where the trained model is", "give --output_dir");
    }
    LoadModelOptions named = options;
    TakeSavedNames(&named);
    names.model = named.model;
    names.hparams_set = named.hparams_set;
    names.problem = named.problem;
    names.data_dir = ExpandUser(named.data_dir);
    names.hparams_path = JoinPath(folder, kExportedHParams);
  }
  Require("model", names.model);
  Require("problem", names.problem);
  return names;
}

HParams ResolveHParams(const ModelNames& names, const std::string& overrides,
                       const Problem& problem,
                       std::vector<std::string>* notes) {
  const bool saved = Exists(names.hparams_path);
  // The exported hparams are whole; the set isn't needed any more.
  const std::string set = names.exported ? "" : names.hparams_set;
  if (set.empty() && !saved) Require("hparams_set", set);
  HParams hparams;
  if (set.empty()) {
    hparams = ReadJsonFile(names.hparams_path, [](const Json& json) {
      return HParams::FromJson(json);
    });
  } else {
    hparams = HParamsSets().Get(set)();
    problem.AdjustHParams(&hparams);
    if (saved) {
      const std::vector<std::string> unknown = ReadJsonFile(
          names.hparams_path,
          [&](const Json& json) { return hparams.MergeJson(json); });
      if (notes != nullptr) {
        notes->push_back("hparams from " + names.hparams_path);
        if (!unknown.empty()) {
          notes->push_back("note: " + names.hparams_path +
                           " has hparams that " + set +
                           " doesn't know, left out: " + Join(unknown, ", "));
        }
      }
    }
  }
  hparams.Parse(overrides);
  CheckHParams(hparams);
  return hparams;
}

void CheckModel(const LoadModelOptions& options) {
  const ModelNames names = ResolveNames(options);
  CheckModelName(names.model);
  const std::unique_ptr<Problem> problem = MakeProblem(names.problem);
  CheckModelFits(names.model, *problem);
  ResolveHParams(names, options.hparams, *problem, /*notes=*/nullptr);
  problem->Info(names.data_dir);
}

void CheckGivenNames(const LoadModelOptions& options) {
  if (!options.problem.empty()) MakeProblem(options.problem);
  if (!options.model.empty()) CheckModelName(options.model);
  if (options.hparams_set.empty()) return;
  HParams hparams = HParamsSets().Get(options.hparams_set)();
  hparams.Parse(options.hparams);
}

std::string ExportedDecodeHParams(const std::string& export_dir) {
  if (export_dir.empty()) return "";
  return ReadExport(ExpandUser(export_dir), [](const Json& json) {
    const Json* const kept = json.Find("decode_hparams");
    return kept == nullptr ? std::string() : kept->AsString();
  });
}

void CheckExportDir(const std::string& export_dir) {
  const std::string target = ExpandUser(export_dir);
  if (target.empty()) {
    throw UsageError("--export_dir is missing", "a folder to write",
                     "give --export_dir");
  }
  if (Exists(target)) {
    throw UsageError(target + " is already there", "a new folder",
                     "remove it, or choose another --export_dir");
  }
}

}  // namespace t2t
