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

TranslationVocabulary PerSide(const std::string& source,
                              const std::string& target, int64_t size,
                              double sample_characters) {
  return {size, source, target, sample_characters};
}

Problem Translation(const std::string& name, std::vector<CorpusUse> corpora,
                    const TranslationVocabulary& vocabulary) {
  const auto of = [&](const std::string& language) {
    if (vocabulary.size == 0) return Bytes();
    Vocabulary made = language.empty()
                          ? SharedSubwords(name, vocabulary.size)
                          : SubwordsOf(language, name, vocabulary.size);
    made.sample_characters = vocabulary.sample_characters;
    return made;
  };
  Problem problem =
      TextToText(name, of(vocabulary.source), of(vocabulary.target));
  problem.corpora = std::move(corpora);
  problem.open = OpenTranslation;
  return problem;
}

}  // namespace t2t
