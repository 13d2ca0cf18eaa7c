#include "t2t/problem/datagen.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "t2t/base/build_lock.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/parallel.h"
#include "t2t/base/plural.h"
#include "t2t/base/rng.h"
#include "t2t/base/strings.h"
#include "t2t/formats/shards.h"
#include "t2t/formats/text_reader.h"
#include "t2t/problem/build_vocabulary.h"
#include "t2t/problem/datagen_files.h"
#include "t2t/problem/encoded_examples.h"
#include "t2t/problem/fetch.h"
#include "t2t/problem/pack.h"

namespace t2t {
namespace {

constexpr size_t kChunk = 8192;
// Examples that a thread takes at a time.
constexpr size_t kBlock = 64;
constexpr int64_t kShuffleBytes = int64_t{256} << 20;
constexpr double kProgressSeconds = 5;

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

// Writes the records of one shard, shuffled or as they come, then packed.
class ShardWriter {
 public:
  ShardWriter(const std::string& path, const SplitPlan& plan, uint64_t seed)
      : file_(path) {
    if (plan.shuffle) {
      shuffled_ = std::make_unique<ShuffledShardWriter>(
          std::vector<std::string>{path}, seed,
          kShuffleBytes / plan.num_shards);
    }
    if (plan.packed_length > 0) {
      packer_ = std::make_unique<ExamplePacker>(
          plan.packed_length, [this](const Example& example) {
            file_.Write(SerializeExample(example));
          });
    }
  }

  void Write(std::string_view record) {
    if (shuffled_ != nullptr) {
      shuffled_->Write(record);
    } else {
      WriteInOrder(record);
    }
  }

  void Commit() {
    if (shuffled_ != nullptr) {
      shuffled_->ForEach(
          [&](std::string_view record) { WriteInOrder(record); });
    }
    if (packer_ != nullptr) packer_->Finish();
    file_.Commit();
  }

 private:
  void WriteInOrder(std::string_view record) {
    if (packer_ != nullptr) {
      packer_->Add(ParseExample(record));
    } else {
      file_.Write(record);
    }
  }

  TfRecordWriter file_;
  std::unique_ptr<ShuffledShardWriter> shuffled_;
  std::unique_ptr<ExamplePacker> packer_;
};

// An error says which example it is about: the first is 1, as the first line of
// a text is.
std::string MakeRecord(const ExampleSource& source, size_t i, int64_t before,
                       const std::string& problem, const std::string& split) {
  try {
    return SerializeExample(source.Make(i));
  } catch (const Error& error) {
    throw Error(error.code(),
                problem + ", example " +
                    std::to_string(before + static_cast<int64_t>(i) + 1) +
                    " of " + split + ": " + error.what());
  }
}

// A writer for each shard that is wanted, null for the others.
std::vector<std::unique_ptr<ShardWriter>> OpenShards(
    const std::string& problem, const SplitPlan& plan,
    const std::vector<bool>& wanted, const GenerateOptions& options) {
  const std::string split = SplitName(plan.split);
  const std::vector<std::string> paths =
      ShardPaths(options.data_dir, problem, split, plan.num_shards);
  const uint64_t seed = Rng::Combine(
      Rng::Combine(static_cast<uint64_t>(options.seed), problem), split);
  std::vector<std::unique_ptr<ShardWriter>> writers(plan.num_shards);
  for (int shard = 0; shard < plan.num_shards; ++shard) {
    if (!wanted[shard]) continue;
    writers[shard] = std::make_unique<ShardWriter>(
        paths[shard], plan, Rng::Combine(seed, static_cast<uint64_t>(shard)));
  }
  return writers;
}

// Writes every example that goes into a shard of `writers`; returns how many.
int64_t WriteExamples(const std::string& problem, const SplitPlan& plan,
                      const std::vector<std::unique_ptr<ShardWriter>>& writers,
                      int threads) {
  const std::string split = SplitName(plan.split);
  const std::unique_ptr<ExampleSource> source = plan.open();
  const auto shards = static_cast<size_t>(plan.num_shards);
  std::vector<std::string> records(kChunk);
  int64_t done = 0;
  int64_t written = 0;
  double progress = NowSeconds();
  const bool is_known = plan.num_examples != kUnknownSize;
  const int64_t most = is_known ? plan.num_examples
                       : plan.most_examples > 0
                           ? plan.most_examples
                           : std::numeric_limits<int64_t>::max();
  while (done < most) {
    const size_t count = source->Read(
        static_cast<size_t>(std::min<int64_t>(kChunk, most - done)));
    if (count == 0 && !is_known) {
      if (done > 0) break;
      throw DataError(problem + " has no example for " + split,
                      "some in the files that it reads",
                      "are they those that the problem is made of?");
    }
    if (count == 0) {
      throw DataError(
          problem + ": " + split + " ended after " + Count(done, "example"),
          std::to_string(plan.num_examples),
          "don't change the files while they are read");
    }
    ParallelFor((count + kBlock - 1) / kBlock, threads, [&](size_t block, int) {
      const size_t end = std::min(count, (block + 1) * kBlock);
      for (size_t i = block * kBlock; i < end; ++i) {
        if (writers[(done + i) % shards] == nullptr) continue;
        records[i] = MakeRecord(*source, i, done, problem, split);
      }
    });
    for (size_t i = 0; i < count; ++i) {
      const size_t shard = (done + i) % shards;
      if (writers[shard] == nullptr) continue;
      writers[shard]->Write(records[i]);
      ++written;
    }
    done += static_cast<int64_t>(count);
    if (NowSeconds() - progress >= kProgressSeconds) {
      progress = NowSeconds();
      Log("  " + split + ": " +
          (is_known ? Format("%.0f%%", 100.0 * static_cast<double>(done) /
                                           static_cast<double>(most))
                    : Count(done, "example")));
    }
  }

  return written;
}

void GenerateSplit(const std::string& problem, const SplitPlan& plan,
                   const std::vector<bool>& wanted,
                   const GenerateOptions& options) {
  const double start = NowSeconds();
  const std::vector<std::unique_ptr<ShardWriter>> writers =
      OpenShards(problem, plan, wanted, options);
  const int64_t written =
      WriteExamples(problem, plan, writers, options.threads);
  // Shards left over from a run that was killed, perhaps in another number.
  if (options.task_id < 0) RemoveShards(problem, plan.split, options.data_dir);
  ParallelFor(writers.size(), options.threads, [&](size_t shard, int) {
    if (writers[shard] != nullptr) writers[shard]->Commit();
  });
  const auto made = std::count(wanted.begin(), wanted.end(), true);
  Log(Format("  %s: %s in %s (%.1f s)", SplitName(plan.split).c_str(),
             Count(written, "example").c_str(), Count(made, "shard").c_str(),
             NowSeconds() - start));
}

// Writes the shards, each whole or not there. Record i of a split goes to
// shard i modulo their number, as in T2T; what the shards hold depends on the
// seed, not on the threads. Splits that are there are kept.
void GenerateShards(const std::string& problem,
                    const std::vector<SplitPlan>& plans,
                    const GenerateOptions& options) {
  int first = 0;
  for (const SplitPlan& plan : plans) {
    const std::vector<bool> wanted = WantedShards(plan, first, options);
    if (std::find(wanted.begin(), wanted.end(), true) != wanted.end()) {
      const bool again = options.overwrite && options.task_id >= 0;
      if (!again && PlanIsThere(problem, plan, first, options)) {
        Log("  " + SplitName(plan.split) + ": already there");
      } else {
        GenerateSplit(problem, plan, wanted, options);
      }
    }
    first += plan.num_shards;
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

// Two members may have the same data (a problem and its "_rev").
void GenerateMembers(const Mixture& mixture, const GenerateOptions& options) {
  std::set<std::string> made;
  for (const std::string& name : mixture.members) {
    const auto member = MakeProblem(name);
    if (made.insert(member->data_name).second) GenerateData(*member, options);
  }
}

}  // namespace

void GenerateData(const Problem& problem, const GenerateOptions& given) {
  if (problem.mixture) {
    GenerateMembers(*problem.mixture, given);
    return;
  }
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
