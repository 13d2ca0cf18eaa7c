#include "t2t/problem/text_kinds.h"

#include <utility>

#include "t2t/problem/text_source.h"

namespace t2t {
namespace {

// T2T's loss_multiplier of characters.
constexpr double kBytesLossMultiplier = 2.0;

Problem Named(const std::string& name) {
  Problem problem;
  problem.name = name;
  problem.data_name = name;
  problem.steps = {CropAndPrepend()};
  problem.splits = TrainDev(100);
  return problem;
}

}  // namespace

Problem TextToText(const std::string& name, const Vocabulary& inputs,
                   const Vocabulary& targets) {
  Problem problem = Named(name);
  problem.features["inputs"].vocabulary = inputs;
  problem.features["targets"].vocabulary = targets;
  problem.metrics = TextEvalMetrics();
  if (targets.kind == Vocabulary::Kind::kBytes) {
    problem.loss_multiplier = kBytesLossMultiplier;
  }
  return problem;
}

Problem TextToClass(const std::string& name, int64_t vocab_size) {
  Problem problem = Named(name);
  Vocabulary inputs = SharedSubwords(name, vocab_size);
  inputs.model_file.clear();  // T2T has subwords here, nothing else
  problem.features["inputs"].vocabulary = std::move(inputs);
  FeatureSpec& targets = problem.features["targets"];
  targets.modality = "class_label";
  targets.ends_at_eos = false;
  targets.vocabulary.kind = Vocabulary::Kind::kLabelFile;
  targets.vocabulary.file = "vocab." + name + ".labels";
  targets.vocabulary.list_file = "labels.txt";
  problem.metrics = DefaultEvalMetrics();
  return problem;
}

Problem TextToSelf(const std::string& name, const Vocabulary& targets) {
  Problem problem = TextToText(name, targets, targets);
  problem.features.erase("inputs");
  return problem;
}

Problem TextToLabel(const std::string& name, const Vocabulary& inputs,
                    std::vector<std::string> labels) {
  Problem problem = Named(name);
  problem.features["inputs"].vocabulary = inputs;
  problem.features["inputs"].joined_by = "$";
  FeatureSpec& targets = problem.features["targets"];
  targets.modality = "class_label";
  targets.ends_at_eos = false;
  targets.vocabulary = Labels(std::move(labels));
  problem.metrics = TextEvalMetrics();
  return problem;
}

Problem QuestionToText(const std::string& name, const Vocabulary& vocabulary) {
  Problem problem = TextToText(name, vocabulary, vocabulary);
  problem.features["context"].vocabulary = vocabulary;
  return problem;
}

void JoinContext(Problem* problem) {
  problem->features.at("context").in_shards_only = true;
  problem->steps.insert(
      problem->steps.begin(),
      {"join question and context", [](Example* example, const StepContext&) {
         const auto found = example->features.find("context");
         if (found == example->features.end()) return true;
         std::vector<int64_t> joined = example->Ints("inputs");
         const std::vector<int64_t>& context = example->Ints("context");
         joined.push_back(kEndOfQuestionId);
         joined.insert(joined.end(), context.begin(), context.end());
         example->features["inputs"] = std::move(joined);
         example->features.erase(found);
         return true;
       }});
}

Vocabulary VocabularyOf(const std::string& problem) {
  Vocabulary vocabulary =
      Problems().Get(problem)().features.at("targets").vocabulary;
  if (vocabulary.of_problem.empty()) vocabulary.of_problem = problem;
  return vocabulary;
}

Vocabulary Words(const std::string& problem, int64_t size) {
  Vocabulary words;
  words.kind = Vocabulary::Kind::kWords;
  words.file = "vocab." + problem + ".tokens";
  words.size = size;
  return words;
}

void SetPrefixes(const std::string& inputs, const std::string& targets,
                 Problem* problem) {
  if (problem->features.count("inputs") > 0) {
    problem->features["inputs"].prefix = inputs;
  }
  problem->features["targets"].prefix = targets;
}

std::vector<SplitSpec> TrainDev(int train_shards) {
  return {{DataSplit::kTrain, train_shards, true}, {DataSplit::kDev, 1, false}};
}

std::vector<SplitSpec> TrainDevTest(int train_shards) {
  std::vector<SplitSpec> splits = TrainDev(train_shards);
  splits.push_back({DataSplit::kTest, 1, false});
  return splits;
}

TranslationVocabulary Shared(int64_t size) {
  TranslationVocabulary vocabulary;
  vocabulary.size = size;
  return vocabulary;
}

TranslationVocabulary Characters() { return {}; }

TranslationVocabulary Of(const std::string& problem) {
  TranslationVocabulary vocabulary;
  vocabulary.of_problem = problem;
  return vocabulary;
}

TranslationVocabulary PerSide(const std::string& source,
                              const std::string& target, int64_t size,
                              double sample_characters) {
  TranslationVocabulary vocabulary = Shared(size);
  vocabulary.source = source;
  vocabulary.target = target;
  vocabulary.sample_characters = sample_characters;
  return vocabulary;
}

Problem Translation(const std::string& name, std::vector<CorpusUse> corpora,
                    const TranslationVocabulary& vocabulary) {
  const auto of = [&](const std::string& language) {
    if (!vocabulary.of_problem.empty()) {
      return VocabularyOf(vocabulary.of_problem);
    }
    if (vocabulary.size == 0) return Bytes();
    Vocabulary made = language.empty()
                          ? SharedSubwords(name, vocabulary.size)
                          : SubwordsOf(language, name, vocabulary.size);
    made.sample_characters = vocabulary.sample_characters;
    if (!vocabulary.file.empty()) made.file = vocabulary.file;
    return made;
  };
  Problem problem =
      TextToText(name, of(vocabulary.source), of(vocabulary.target));
  problem.corpora = std::move(corpora);
  problem.open = OpenTranslation;
  return problem;
}

}  // namespace t2t
