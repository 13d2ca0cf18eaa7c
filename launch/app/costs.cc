#include "launch/app/costs.h"

#include <memory>
#include <utility>

#include "hparams/all_hparams.h"
#include "hparams/model_names.h"
#include "launch/render/trainer_arguments.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/sha256.h"
#include "t2t/base/strings.h"
#include "t2t/problem/expected_info.h"
#include "t2t/problem/problem.h"

namespace t2t {
namespace {

// Of the trainer's answers that are understood here (t2t/train/dry_run_json.h),
// and so of the file.
constexpr int64_t kVersion = 1;
// A command asks no longer than this; what is left is asked by the next one.
constexpr double kMostSeconds = 240;

// What rates are never changes a shape; sweeps change little else.
constexpr char kWithoutCost[] = "learning_rate";

std::string HParamsSum(const HParams& hparams) {
  const Json all = hparams.ToJsonValue();
  Json that_count = Json::Object();
  for (const auto& [name, value] : all.members()) {
    if (!StartsWith(name, kWithoutCost)) that_count.Set(name, value);
  }
  return Sha256(that_count.ToString()).substr(0, 16);
}

std::string TextOf(const std::map<std::string, int64_t>& vocabularies) {
  std::string text;
  for (const auto& [feature, size] : vocabularies) {
    text += (text.empty() ? "" : ", ") + feature + " " + std::to_string(size);
  }
  return text;
}

ExpectedInfo FindInfo(const Problem& problem,
                      const std::vector<std::string>& data_dirs,
                      std::string* data_dir) {
  for (const std::string& folder : data_dirs) {
    if (!IsDirectory(folder)) continue;
    ExpectedInfo expected = ExpectInfo(problem, folder);
    if (!expected.vocabulary_known) continue;
    *data_dir = folder;
    return expected;
  }
  return ExpectInfo(problem, "");
}

// The members that are kept of an answer.
Json Kept(const CostQuestion& question, const Json& answer) {
  Json kept = Json::Object();
  kept.Set("hparams_set", question.hparams_set);
  kept.Set("hparams", question.hparams);
  for (const char* const name :
       {"parameters", "weight_bytes", "gradient_bytes", "optimizer_bytes",
        "checkpoint_bytes", "computes_in_16_bits"}) {
    kept.Set(name, answer.At(name));
  }
  const Json& step = answer.At("step");
  if (step.is_null()) {
    kept.Set("why_no_step", answer.At("why_no_step"));
    return kept;
  }
  kept.Set("flops", step.At("flops"));
  kept.Set("activation_bytes", step.At("activation_bytes"));
  return kept;
}

ModelCost CostIn(const Json& kept) {
  ModelCost cost;
  cost.parameters = kept.At("parameters").AsInt();
  cost.weight_bytes = kept.At("weight_bytes").AsDouble();
  cost.gradient_bytes = kept.At("gradient_bytes").AsDouble();
  cost.optimizer_bytes = kept.At("optimizer_bytes").AsDouble();
  cost.checkpoint_bytes = kept.At("checkpoint_bytes").AsDouble();
  cost.half = kept.At("computes_in_16_bits").AsBool();
  if (const Json* const why = kept.Find("why_no_step")) {
    cost.why_no_step = why->AsString();
    return cost;
  }
  cost.step_known = true;
  cost.flops = kept.At("flops").AsDouble();
  cost.activation_bytes = kept.At("activation_bytes").AsDouble();
  return cost;
}

// Those of another version say nothing here.
std::map<std::string, Json> ReadAnswers(const std::string& path) {
  std::map<std::string, Json> answers;
  if (!Exists(path)) return answers;
  try {
    const Json file = Json::Parse(ReadFile(path));
    if (file.At("version").AsInt() != kVersion) return answers;
    for (const auto& [key, kept] : file.At("costs").members()) {
      CostIn(kept);
      answers[key] = kept;
    }
  } catch (const Error& error) {
    throw DataError(path + ": " + error.what(), "what t2t-launch wrote there",
                    "remove it: it is made again by asking t2t-trainer");
  }
  return answers;
}

void CheckAnswer(const CostQuestion& question, const Json& answer) {
  if (answer.At("version").AsInt() != kVersion) {
    throw MismatchError("t2t-trainer is of another version than t2t-launch");
  }
  for (const auto& [feature, size] : question.vocabularies) {
    const Json* const found = answer.At("vocabularies").Find(feature);
    if (found != nullptr && found->AsInt() == size) continue;
    throw MismatchError("t2t-trainer knows the problem " + question.problem +
                        " otherwise than t2t-launch");
  }
}

}  // namespace

CostQuestion CostQuestion::Of(const Component& component,
                              const std::vector<std::string>& data_dirs) {
  const Params& params = component.params;
  CostQuestion question;
  question.problem = params.String("problem");
  question.model = params.String("model");
  question.hparams_set = params.String("hparams_set");
  question.hparams = params.Has("trainer_args") ? TrainerHParams(component)
                                                : params.String("hparams");
  CheckModelName(question.model);
  const std::unique_ptr<Problem> problem = MakeProblem(question.problem);
  HParams hparams = HParamsSets().Get(question.hparams_set)();
  problem->AdjustHParams(&hparams);
  hparams.Parse(question.hparams);
  const ExpectedInfo expected =
      FindInfo(*problem, data_dirs, &question.data_dir);
  question.vocabulary_known = expected.vocabulary_known;
  for (const auto& [name, feature] : expected.info.features) {
    question.vocabularies[name] = feature.vocab_size;
  }
  question.key = question.model + " on " + question.problem + ", " +
                 TextOf(question.vocabularies) + ", hparams " +
                 HParamsSum(hparams);
  return question;
}

Costs::Costs(const std::string& path)
    : path_(path), answers_(ReadAnswers(path)) {}

ModelCost Costs::Of(const CostQuestion& question) {
  const auto found = answers_.find(question.key);
  if (found != answers_.end()) return CostIn(found->second);
  const auto failed = failed_.find(question.key);
  if (failed != failed_.end()) throw UsageError(failed->second);
  const std::string name = question.model + " on " + question.problem;
  if (ask_ == nullptr) {
    throw MissingError("no estimate: t2t-trainer was not asked about " + name);
  }
  const double start = NowSeconds();
  try {
    if (seconds_ > kMostSeconds) {
      throw UsageError(
          Format("t2t-trainer was asked for %.0f s already; the "
                 "same command again asks on",
                 seconds_));
    }
    const Json answer = ask_(question);
    CheckAnswer(question, answer);
    Keep(question, answer);
  } catch (const Error& error) {
    const std::string what = error.what();
    const std::string why = "no estimate: " + what.substr(0, what.find('\n'));
    failed_[question.key] = why;
    if (error.code() == ExitCode::kMissing && !std::exchange(said_, true)) {
      Log("note: " + name + ": " + why +
          ", so memory is as components set it or at its default "
          "(scripts/install.sh installs t2t-trainer; " +
          (path_.empty() ? "costs.json" : path_) + " keeps what it says)");
    }
    throw UsageError(why);
  }
  seconds_ += NowSeconds() - start;
  return CostIn(answers_.at(question.key));
}

void Costs::Keep(const CostQuestion& question, const Json& answer) {
  answers_[question.key] = Kept(question, answer);
  if (path_.empty()) return;
  // Another command may have added to it.
  for (const auto& [key, kept] : ReadAnswers(path_))
    answers_.emplace(key, kept);
  Json costs = Json::Object();
  for (const auto& [key, kept] : answers_) costs.Add(key, kept);
  Json file = Json::Object();
  file.Set("version", kVersion);
  file.Set("costs", costs);
  WriteFileAtomically(path_, file.ToString(2) + "\n");
}

}  // namespace t2t
