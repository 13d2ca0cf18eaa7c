#include "t2t/problem/problem.h"

#include <algorithm>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/formats/shards.h"

namespace t2t {
namespace {

void CheckHasInputs(const Problem& problem) {
  if (problem.features.count("inputs") > 0) return;
  throw UsageError("the problem " + problem.name + " has no inputs to copy", "",
                   "use " + problem.data_name);
}

void RefuseMixture(const Problem& problem, const char* what) {
  if (!problem.mixture) return;
  throw UsageError("the mixture " + problem.data_name + " can't be " + what,
                   "its members, of which each may be: " +
                       Join(problem.mixture->members, ", "));
}

// What two features share is read once: `read` has it by its file.
FeatureInfo InfoOf(
    const FeatureSpec& feature, const std::string& problem,
    const std::string& data_dir,
    std::map<std::string, std::shared_ptr<const TextEncoder>>* read) {
  FeatureInfo info;
  info.modality = feature.modality;
  info.vocab_path = VocabularyPath(feature.vocabulary, data_dir);
  std::shared_ptr<const TextEncoder>& encoder =
      (*read)[feature.vocabulary.file];
  if (encoder == nullptr || !feature.vocabulary.has_file()) {
    encoder = LoadVocabulary(feature.vocabulary, problem, data_dir);
  }
  info.encoder = encoder;
  info.vocab_size =
      encoder != nullptr ? encoder->vocab_size() : feature.vocabulary.size;
  info.shape = feature.shape;
  info.ends_at_eos = feature.ends_at_eos;
  return info;
}

}  // namespace

ProblemInfo Problem::Info(const std::string& data_dir) const {
  if (was_copy) CheckHasInputs(*this);
  ProblemInfo info;
  info.name = name;
  info.was_reversed = was_reversed;
  info.was_copy = was_copy;
  info.loss_multiplier = loss_multiplier;
  std::map<std::string, std::shared_ptr<const TextEncoder>> read;
  const std::string owner =
      Problems().Has(data_name) ? data_name : ParseProblemName(name).base_name;
  for (const auto& [feature_name, feature] : features) {
    if (feature.in_shards_only) continue;
    info.features[feature_name] = InfoOf(feature, owner, data_dir, &read);
  }
  if (mixture) AddTasks(*this, data_dir, &info);
  const auto space = [&](const char* of) -> int64_t {
    const auto found = features.find(of);
    return found == features.end() ? 0 : found->second.space_id;
  };
  if (info.features.count("targets") == 0) {
    throw UsageError(
        "the problem " + name + " has no targets", "a problem that has",
        info.features.count("inputs") > 0
            ? "its images are to be drawn: use " + name + "_rev"
            : "its data are for a problem of your own (--t2t_usr_dir)");
  }
  info.input_space_id = space("inputs");
  info.target_space_id = space("targets");
  return info;
}

std::vector<std::string> Problem::DataFiles(const std::string& data_dir,
                                            DataSplit split) const {
  if (!mixture) return FindShards(data_dir, data_name, SplitName(split));
  std::vector<std::string> files;
  for (const std::string& member : mixture->members) {
    for (std::string& file : MakeProblem(member)->DataFiles(data_dir, split)) {
      files.push_back(std::move(file));
    }
  }
  return files;
}

bool Problem::Preprocess(Example* example, Mode mode, const HParams& hparams,
                         uint64_t seed) const {
  Rng rng(seed);
  return RunSteps(steps, 0, steps.size(), example, {mode, hparams, rng});
}

bool Problem::RunFixedSteps(Example* example, Mode mode,
                            const HParams& hparams) const {
  Rng unused(0);
  return RunSteps(steps, 0, FirstDrawingStep(steps, mode), example,
                  {mode, hparams, unused});
}

std::optional<LengthsStep> Problem::FixedStepsOnLengths(
    Mode mode, const HParams& hparams) const {
  return StepsOnLengths(steps, 0, FirstDrawingStep(steps, mode), mode, hparams);
}

void Problem::RunDrawnSteps(Example* example, Mode mode, const HParams& hparams,
                            uint64_t seed) const {
  Rng rng(seed);
  if (RunSteps(steps, FirstDrawingStep(steps, mode), steps.size(), example,
               {mode, hparams, rng})) {
    return;
  }
  throw Error(ExitCode::kInternal,
              "a step of " + name + " drops an example after one that draws",
              "steps that drop before those that draw");
}

bool Problem::Draws(Mode mode) const {
  return FirstDrawingStep(steps, mode) < steps.size();
}

void Problem::AdjustHParams(HParams* hparams) const {
  if (adjust_hparams != nullptr) adjust_hparams(hparams);
}

bool Problem::TakesVocabulary() const {
  std::string model_file;
  for (const auto& [feature_name, feature] : features) {
    const Vocabulary& vocabulary = feature.vocabulary;
    if (vocabulary.model_file.empty() || !vocabulary.of_problem.empty() ||
        (!model_file.empty() && vocabulary.model_file != model_file)) {
      return false;
    }
    model_file = vocabulary.model_file;
  }
  return !model_file.empty();
}

bool Problem::Downloads() const {
  if (mixture) {
    return std::ranges::any_of(mixture->members, [](const std::string& member) {
      return MakeProblem(member)->Downloads();
    });
  }
  return std::any_of(corpora.begin(), corpora.end(), [](const CorpusUse& use) {
    return use.need != CorpusUse::Need::kWhereItLies &&
           (!use.corpus.addresses.empty() ||
            (!use.corpus.files.empty() &&
             !use.corpus.files.front().address.empty()));
  });
}

ProblemRegistry& Problems() {
  static auto* const registry = new ProblemRegistry("problem");
  return *registry;
}

ProblemSpec ParseProblemName(const std::string& name) {
  ProblemSpec spec;
  spec.base_name = name;
  for (;;) {
    const bool rev = EndsWith(spec.base_name, "_rev");
    if (!rev && !EndsWith(spec.base_name, "_copy")) return spec;
    bool* const seen = rev ? &spec.was_reversed : &spec.was_copy;
    const std::string suffix = rev ? "_rev" : "_copy";
    if (*seen) {
      throw UsageError(
          "the problem's name '" + name + "' has '" + suffix + "' twice",
          "each of _rev and _copy once at most");
    }
    *seen = true;
    spec.base_name.resize(spec.base_name.size() - suffix.size());
  }
}

Problem Reversed(Problem problem) {
  RefuseMixture(problem, "reversed");
  auto inputs = problem.features.extract("inputs");
  auto targets = problem.features.extract("targets");
  if (!inputs.empty()) {
    inputs.key() = "targets";
    problem.features.insert(std::move(inputs));
  }
  if (!targets.empty()) {
    targets.key() = "inputs";
    problem.features.insert(std::move(targets));
  }
  problem.steps.push_back(SwapInputsAndTargets());
  std::swap(problem.dev_inputs, problem.dev_targets);
  problem.was_reversed = true;
  if (problem.on_reversed != nullptr) problem.on_reversed(&problem);
  return problem;
}

Problem Copied(Problem problem) {
  RefuseMixture(problem, "copied");
  const auto inputs = problem.features.find("inputs");
  if (inputs != problem.features.end()) {
    problem.features["targets"] = inputs->second;
  }
  problem.steps.push_back(CopyInputsToTargets(problem.name));
  problem.dev_targets = problem.dev_inputs;
  problem.was_copy = true;
  return problem;
}

std::unique_ptr<Problem> MakeProblem(const std::string& name) {
  ProblemSpec spec;
  spec.base_name = name;
  // A problem may be registered under such a name outright.
  if (!Problems().Has(name)) spec = ParseProblemName(name);
  Problem problem = Problems().Get(spec.base_name)();
  problem.name = name;
  if (problem.data_name.empty()) problem.data_name = spec.base_name;
  if (spec.was_reversed) problem = Reversed(std::move(problem));
  if (spec.was_copy) problem = Copied(std::move(problem));
  return std::make_unique<Problem>(std::move(problem));
}

void RemoveSteps(const std::string& name, Problem* problem) {
  std::erase_if(problem->steps,
                [&](const Step& step) { return step.name == name; });
}

std::vector<std::string> DefaultEvalMetrics() {
  return {"accuracy", "accuracy_top5", "accuracy_per_sequence",
          "neg_log_perplexity"};
}

std::vector<std::string> TextEvalMetrics() {
  std::vector<std::string> metrics = DefaultEvalMetrics();
  for (const char* const name :
       {"approx_bleu_score", "rouge_2_fscore", "rouge_L_fscore"}) {
    metrics.emplace_back(name);
  }
  return metrics;
}

}  // namespace t2t
