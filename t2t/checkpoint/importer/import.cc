#include "t2t/checkpoint/importer/import.h"

#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/base/json_file.h"
#include "t2t/base/log.h"
#include "t2t/base/plural.h"
#include "t2t/base/strings.h"
#include "t2t/checkpoint/checkpoint.h"
#include "t2t/checkpoint/run_identity.h"
#include "t2t/hparams/hparams.h"
#include "t2t/model/model.h"
#include "t2t/problem/problem.h"

namespace t2t {
namespace {

using FlagValues = std::map<std::string, std::string>;

// The option given, or the first of T2T's flags that says it.
std::string Resolve(const std::string& given, const FlagValues& flags,
                    const std::vector<std::string>& names) {
  if (!given.empty()) return given;
  for (const std::string& name : names) {
    const auto found = flags.find(name);
    if (found != flags.end() && !found->second.empty()) return found->second;
  }
  throw UsageError("the T2T directory's flags.txt does not say --" + names[0],
                   "a name", "give --" + names[0]);
}

// A set of ours to start from: the one named, or the model's own where that
// is the user's.
std::string KnownSet(const std::string& set, const std::string& model,
                     bool given) {
  if (HParamsSets().Has(set) || given) {
    HParamsSets().Get(set);
    return set;
  }
  for (const std::string& other : {model, model + "_base"}) {
    if (!HParamsSets().Has(other)) continue;
    Warn("there is no hparams set '" + set + "' here: starting from '" + other +
         "', with all that hparams.json says");
    return other;
  }
  HParamsSets().Get(set);  // throws
  return set;
}

std::vector<std::string> VocabularyFiles(const std::string& folder) {
  std::vector<std::string> files;
  for (const std::string& name : ListDirectory(folder)) {
    const bool is_vocabulary =
        StartsWith(name, "vocab.") || EndsWith(name, ".subwords") ||
        EndsWith(name, ".tokens") || EndsWith(name, ".labels") ||
        EndsWith(name, ".model");
    if (is_vocabulary && !IsDirectory(JoinPath(folder, name))) {
      files.push_back(name);
    }
  }
  return files;
}

void CopyFiles(const std::vector<std::string>& names, const std::string& from,
               const std::string& to) {
  for (const std::string& name : names) {
    AtomicWriter writer(JoinPath(to, name));
    writer.Write(MappedFile(JoinPath(from, name)).data());
    writer.Commit();
  }
}

// Those of a folder's vocabulary files that are named after the problem.
std::vector<std::string> OwnVocabularyFiles(const std::string& folder,
                                            const std::string& problem) {
  const std::string base = ParseProblemName(problem).base_name;
  std::vector<std::string> own = VocabularyFiles(folder);
  std::erase_if(own, [&](const std::string& name) {
    return name.find(base) == std::string::npos;
  });
  return own;
}

// The problem as far as it is known here.
struct FoundProblem {
  ProblemInfo info;
  std::unique_ptr<Problem> problem;  // null: not one of ours
  std::string vocabulary_dir;        // empty: no vocabulary was found
};

FoundProblem FindProblem(const std::string& name,
                         const std::vector<std::string>& folders,
                         const BundleReader& reader) {
  FoundProblem found;
  const std::string base = ParseProblemName(name).base_name;
  if (!Problems().Has(name) && !Problems().Has(base)) {
    Warn("there is no problem '" + name +
         "' here: the sizes of its vocabularies are taken from the "
         "checkpoint, and decoding will need --problem");
    found.info = InfoFromVariables(reader, name);
    for (const std::string& folder : folders) {
      if (folder.empty() || !IsDirectory(folder)) continue;
      if (OwnVocabularyFiles(folder, name).empty()) continue;
      found.vocabulary_dir = folder;
      break;
    }
    return found;
  }
  found.problem = MakeProblem(name);
  std::optional<Error> reason;
  for (const std::string& folder : folders) {
    if (folder.empty() || !IsDirectory(folder)) continue;
    try {
      found.info = found.problem->Info(folder);
      found.info.name = name;
      found.vocabulary_dir = folder;
      return found;
    } catch (const Error& error) {
      if (error.code() != ExitCode::kMissing) throw;
      reason = error;
    }
  }
  Warn("no vocabulary was found (" +
       std::string(reason ? reason->what() : "no data_dir") +
       "): its size is taken from the checkpoint; put it into the data_dir "
       "before decoding");
  found.info = InfoFromVariables(reader, name);
  return found;
}

// The vocabulary files named after the problem, or all of them where those do
// not do.
std::vector<std::string> CopyVocabulary(const FoundProblem& found,
                                        const std::string& output_dir) {
  const std::string& from = found.vocabulary_dir;
  if (from.empty()) return {};
  const std::vector<std::string> own =
      OwnVocabularyFiles(from, found.info.name);
  CopyFiles(own, from, output_dir);
  if (found.problem == nullptr) return own;
  try {
    found.problem->Info(output_dir);
    return own;
  } catch (const Error& error) {
    if (error.code() != ExitCode::kMissing) throw;
  }
  const std::vector<std::string> all = VocabularyFiles(from);
  CopyFiles(all, from, output_dir);
  return all;
}

std::string CheckpointPrefix(const ImportOptions& options,
                             const std::string& t2t_dir) {
  std::string prefix = ExpandUser(options.checkpoint_path);
  if (prefix.empty()) return LatestBundlePrefix(t2t_dir);
  if (IsDirectory(prefix)) return LatestBundlePrefix(prefix);
  constexpr std::string_view kIndex = ".index";
  if (EndsWith(prefix, kIndex)) prefix.resize(prefix.size() - kIndex.size());
  return prefix;
}

int64_t StepOf(BundleReader* reader) {
  int64_t step = 0;
  if (reader->Has("global_step")) {
    const at::Tensor value = ReadVariable(reader, "global_step");
    if (value.numel() == 1) step = value.to(at::kLong).item<int64_t>();
  } else {
    const std::string& prefix = reader->prefix();
    ParseInt(prefix.substr(prefix.rfind('-') + 1), &step);
  }
  if (step < 0) {
    throw DataError(reader->prefix() + " has a negative global_step");
  }
  return step;
}

}  // namespace

std::string ImportReport::Text() const {
  std::string text = "read     " + checkpoint + " (step " +
                     std::to_string(step) + ")\n" + "model    " + model + ", " +
                     hparams_set + ", " + problem + "\n";
  for (const std::string& line : variables.mapped)
    text += "mapped   " + line + "\n";
  for (const std::string& name : variables.unused)
    text += "UNUSED   " + name + "\n";
  for (const std::string& name : unknown_hparams) {
    text += "hparam   " + name + " is not known here\n";
  }
  for (const std::string& name : vocabulary) text += "copied   " + name + "\n";
  text += "total    " +
          Count(static_cast<int64_t>(variables.mapped.size()), "tensor") +
          " (" + Count(parameters, "parameter") + ") mapped, " +
          std::to_string(variables.unused.size()) + " unused, " +
          std::to_string(variables.bookkeeping.size()) +
          " of training's bookkeeping left out, the optimizer's state " +
          (variables.has_optimizer ? "taken over" : "not taken over") + "\n" +
          "written  " + written + "\n";
  return text;
}

namespace {

void CheckFolders(const std::string& t2t_dir, const std::string& output_dir) {
  if (t2t_dir.empty() || output_dir.empty()) {
    throw UsageError(
        t2t_dir.empty() ? "--t2t_dir is missing" : "--output_dir is missing",
        "--t2t_dir=<T2T's model directory> --output_dir=<new>");
  }
  if (!IsDirectory(t2t_dir)) {
    throw MissingError("there is no folder " + t2t_dir, "T2T's output_dir");
  }
  if (!ListCheckpoints(output_dir).empty()) {
    throw UsageError(output_dir + " holds checkpoints already", "a new folder",
                     "choose another --output_dir");
  }
}

// As the run's hparams.json says, or where there is none, its flags.
HParams HParamsOf(const ImportOptions& options, const std::string& t2t_dir,
                  const FlagValues& flags, const FoundProblem& problem,
                  ImportReport* report) {
  HParams hparams = HParamsSets().Get(report->hparams_set)();
  if (problem.problem != nullptr) problem.problem->AdjustHParams(&hparams);
  const std::string json_path = JoinPath(t2t_dir, "hparams.json");
  if (Exists(json_path)) {
    report->unknown_hparams = ReadJsonFile(
        json_path, [&](const Json& json) { return hparams.MergeJson(json); });
  } else {
    Warn(json_path + " is not there: the hparams are " + report->hparams_set +
         "'s and --hparams'");
    const auto saved = flags.find("hparams");
    if (saved != flags.end()) hparams.Parse(saved->second);
  }
  hparams.Parse(options.hparams);
  return hparams;
}

// The run's flags.txt, with the names as they were found.
std::string FlagsText(const FlagValues& flags, const ImportReport& report,
                      const std::string& output_dir) {
  FlagValues kept = flags;
  for (const char* name : {"problems", "hparams", "output_dir"}) {
    kept.erase(name);
  }
  kept["problem"] = report.problem;
  kept["model"] = report.model;
  kept["hparams_set"] = report.hparams_set;
  if (!report.vocabulary.empty()) kept["data_dir"] = output_dir;
  std::string text;
  for (const auto& [name, value] : kept) {
    text += "--" + name + "=" + value + "\n";
  }
  return text;
}

}  // namespace

ImportReport Import(const ImportOptions& options) {
  const std::string t2t_dir = ExpandUser(options.t2t_dir);
  const std::string output_dir = ExpandUser(options.output_dir);
  CheckFolders(t2t_dir, output_dir);
  const FlagValues flags = ReadFlagsText(JoinPath(t2t_dir, "flags.txt"));
  ImportReport report;
  report.problem = Resolve(options.problem, flags, {"problem", "problems"});
  report.model = Resolve(options.model, flags, {"model"});
  const auto make_model = Models().Get(report.model);
  report.hparams_set =
      KnownSet(Resolve(options.hparams_set, flags, {"hparams_set"}),
               report.model, !options.hparams_set.empty());

  BundleReader reader(CheckpointPrefix(options, t2t_dir));
  reader.Verify();
  report.checkpoint = reader.prefix();
  report.step = StepOf(&reader);

  const auto saved_dir = flags.find("data_dir");
  const FoundProblem problem = FindProblem(
      report.problem,
      {ExpandUser(options.data_dir), t2t_dir,
       saved_dir == flags.end() ? "" : ExpandUser(saved_dir->second)},
      reader);

  const HParams hparams = HParamsOf(options, t2t_dir, flags, problem, &report);
  const std::unique_ptr<Model> model =
      make_model(hparams, problem.info, /*seed=*/0);
  report.parameters = model->params().NumParameters();
  report.variables = MapVariables(
      &reader, model->params(),
      hparams.Has("optimizer") ? hparams.GetString("optimizer") : "");
  Checkpoint checkpoint;
  checkpoint.step = report.step;
  checkpoint.tensors = std::exchange(report.variables.tensors, {});
  PutIdentity(MakeRunIdentity(report.problem, report.model, report.hparams_set,
                              problem.info),
              &checkpoint.meta);

  MakeDirectories(output_dir);
  report.vocabulary = CopyVocabulary(problem, output_dir);
  WriteFileAtomically(JoinPath(output_dir, "hparams.json"),
                      hparams.ToJson() + "\n");
  WriteFileAtomically(JoinPath(output_dir, "flags.txt"),
                      FlagsText(flags, report, output_dir));
  SaveCheckpoint(output_dir, checkpoint, /*keep_max=*/0);
  report.written = CheckpointPath(output_dir, report.step);
  return report;
}

}  // namespace t2t
