#include "t2t/problem/datagen.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "t2t/base/build_lock.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/formats/text_reader.h"
#include "t2t/problem/build_vocabulary.h"
#include "t2t/problem/fetch.h"
#include "t2t/problem/generate.h"

namespace t2t {
namespace {

struct FeatureEncoder {
  std::shared_ptr<const TextEncoder> encoder;
  bool appends_eos = true;
};
using FeatureEncoders = std::map<std::string, FeatureEncoder>;

FeatureEncoders LoadEncoders(const Problem& problem,
                             const std::string& data_dir) {
  FeatureEncoders encoders;
  const ProblemInfo info = problem.Info(data_dir);
  for (const auto& [name, feature] : problem.features) {
    encoders[name] = {info.features.at(name).encoder,
                      feature.vocabulary.appends_eos()};
  }
  return encoders;
}

// A source's samples with their texts as ids.
class EncodedExamples : public ExampleSource {
 public:
  EncodedExamples(std::unique_ptr<ExampleSource> samples,
                  const FeatureEncoders& encoders)
      : samples_(std::move(samples)), encoders_(encoders) {}

  size_t Read(size_t count) override { return samples_->Read(count); }

  Example Make(size_t i) const override {
    Example example = samples_->Make(i);
    for (const auto& [name, feature] : encoders_) {
      const auto found = example.features.find(name);
      if (found == example.features.end() || feature.encoder == nullptr) {
        continue;
      }
      const auto* const texts =
          std::get_if<std::vector<std::string>>(&found->second);
      if (texts == nullptr) continue;
      std::vector<int64_t> ids = feature.encoder->Encode(texts->at(0));
      if (feature.appends_eos) ids.push_back(kEosId);
      found->second = std::move(ids);
    }
    return example;
  }

 private:
  std::unique_ptr<ExampleSource> samples_;
  const FeatureEncoders& encoders_;
};

std::vector<SplitPlan> EmptyPlans(const Problem& problem,
                                  const GenerateOptions& options) {
  std::vector<SplitPlan> plans;
  for (const SplitSpec& split : problem.splits) {
    SplitPlan plan;
    plan.split = split.split;
    plan.num_shards = NumShards(split.split, split.num_shards, options);
    plan.shuffle = split.shuffle;
    plans.push_back(std::move(plan));
  }
  return plans;
}

void FillPlans(const Source& source, const FeatureEncoders& encoders,
               const GenerateOptions& options, std::vector<SplitPlan>* plans) {
  for (SplitPlan& plan : *plans) {
    plan.num_examples = source.size(plan.split);
    if (options.max_cases > 0) {
      plan.num_examples = std::min(plan.num_examples, options.max_cases);
    }
    plan.open = [&source, &encoders, split = plan.split] {
      return std::make_unique<EncodedExamples>(source.Open(split), encoders);
    };
  }
}

// To be called with the lock; another process may have made it meanwhile.
void MakeVocabularies(const Problem& problem, const Source& source,
                      const std::vector<SplitPlan>& plans, const Json& origin,
                      const GenerateOptions& options) {
  if (!options.overwrite && VocabulariesAreThere(problem, options)) {
    Log("  vocabulary: another process has made it");
    return;
  }
  ClearShards(problem.name, plans, options);
  // Before the vocabulary, so that one that a killed run left is not taken for
  // that of another text.
  WriteOrigin(problem.name, origin, options);
  try {
    BuildVocabularies(problem, source, options);
  } catch (...) {
    // (Of several tasks another one may have data of this origin.)
    if (options.task_id < 0) RemoveOrigin(problem.name, options);
    throw;
  }
}

void GenerateOwn(const Problem& problem, const GenerateOptions& options) {
  const std::string& name = problem.name;
  std::vector<SplitPlan> plans = EmptyPlans(problem, options);
  const bool shards_there = ShardsAreThere(name, plans, options);
  const bool redo =
      options.overwrite || !VocabulariesAreThere(problem, options);
  const bool complete = shards_there && !redo;
  Log(name + " into " + options.data_dir);
  const FetchingFinder corpora(options);
  const std::unique_ptr<Source> source =
      problem.open({problem, options, corpora, !complete});
  if (source == nullptr) {
    Log("  already there");
    return;
  }

  FeatureEncoders encoders;
  FillPlans(*source, encoders, options, &plans);
  Json origin = MakeOrigin(plans, options);
  const auto [key, fingerprint] = source->Fingerprint();
  if (!fingerprint.is_null()) origin.Set(key, fingerprint);
  CheckOrigin(name, origin, options);

  const bool is_task = options.task_id >= 0;
  RemoveDatagenLeftovers(name, options);
  if (complete) {
    source->WriteExtras(options);
    Log("  already there");
    return;
  }
  MakeDirectories(options.data_dir);
  std::optional<BuildLock> lock;
  if (redo || !is_task) {
    lock.emplace(DatagenLockPath(name, options),
                 (is_task ? "the vocabulary of " : "the data of ") + name);
  }
  if (redo) MakeVocabularies(problem, *source, plans, origin, options);
  if (is_task) lock.reset();
  WriteOrigin(name, origin, options);
  encoders = LoadEncoders(problem, options.data_dir);
  GenerateShards(name, plans, options);
  source->WriteExtras(options);
}

}  // namespace

void GenerateData(const Problem& problem, const GenerateOptions& given) {
  GenerateOptions options = given;
  options.vocab = Rereadable(given.vocab, given.tmp_dir);
  if (problem.data_name == problem.name) {
    GenerateOwn(problem, options);
  } else {
    GenerateOwn(*MakeProblem(problem.data_name), options);
  }
}

}  // namespace t2t
