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
#include "t2t/problem/encoded_examples.h"
#include "t2t/problem/fetch.h"
#include "t2t/problem/generate.h"

namespace t2t {
namespace {

std::vector<SplitPlan> EmptyPlans(const Problem& problem,
                                  const GenerateOptions& options) {
  std::vector<SplitPlan> plans;
  for (const SplitSpec& split : problem.splits) {
    SplitPlan plan;
    plan.split = split.split;
    plan.num_shards = NumShards(split.split, split.num_shards, options);
    plan.shuffle = split.shuffle;
    plan.packed_length = problem.packed_length;
    plans.push_back(std::move(plan));
  }
  return plans;
}

void FillPlans(const Problem& problem, const Source& source,
               const FeatureEncoders& encoders, const GenerateOptions& options,
               std::vector<SplitPlan>* plans) {
  for (SplitPlan& plan : *plans) {
    plan.num_examples =
        problem.regroup == nullptr ? source.size(plan.split) : kUnknownSize;
    plan.most_examples = options.max_cases;
    if (options.max_cases > 0) {
      plan.num_examples = std::min(plan.num_examples, options.max_cases);
    }
    const uint64_t seed = Rng::Combine(
        Rng::Combine(static_cast<uint64_t>(options.seed), problem.data_name),
        "regroup " + SplitName(plan.split));
    plan.open = [&, seed, split = plan.split] {
      std::unique_ptr<ExampleSource> encoded =
          EncodedExamples(source.Open(split), encoders);
      if (problem.regroup == nullptr) return encoded;
      return RegroupedExamples(std::move(encoded), problem.regroup, seed,
                               options.threads);
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
  ClearShards(problem.data_name, plans, options);
  // Before the vocabulary, so that one that a killed run left is not taken for
  // that of another text.
  WriteOrigin(problem.data_name, origin, options);
  try {
    BuildVocabularies(problem, source, options);
  } catch (...) {
    // (Of several tasks another one may have data of this origin.)
    if (options.task_id < 0) RemoveOrigin(problem.data_name, options);
    throw;
  }
}

void GenerateOwn(const Problem& problem, const GenerateOptions& options) {
  const std::string& name = problem.data_name;
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
  FillPlans(problem, *source, encoders, options, &plans);
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
  // The data may be another problem's, or of a name that is no problem's.
  std::string owner = problem.name;
  if (problem.data_name != problem.name) {
    owner = Problems().Has(problem.data_name)
                ? problem.data_name
                : ParseProblemName(problem.name).base_name;
  }
  if (owner == problem.name) {
    GenerateOwn(problem, options);
  } else {
    GenerateOwn(*MakeProblem(owner), options);
  }
}

}  // namespace t2t
