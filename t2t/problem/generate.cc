#include "t2t/problem/generate.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "t2t/base/build_lock.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json_file.h"
#include "t2t/base/log.h"
#include "t2t/base/parallel.h"
#include "t2t/base/plural.h"
#include "t2t/base/rng.h"
#include "t2t/base/strings.h"
#include "t2t/formats/shards.h"
#include "t2t/problem/pack.h"

namespace t2t {
namespace {

constexpr size_t kChunk = 8192;
// Examples that a thread takes at a time.
constexpr size_t kBlock = 64;
constexpr int64_t kShuffleBytes = int64_t{256} << 20;
constexpr double kProgressSeconds = 5;

std::string OriginPath(const std::string& problem,
                       const GenerateOptions& options) {
  return JoinPath(options.data_dir, problem + ".datagen.json");
}

int TotalShards(const std::vector<SplitPlan>& plans) {
  int total = 0;
  for (const SplitPlan& plan : plans) total += plan.num_shards;
  return total;
}

// The shards of the plan that this run is to make; `first` is the task of its
// first shard.
std::vector<bool> WantedShards(const SplitPlan& plan, int first,
                               const GenerateOptions& options) {
  std::vector<bool> wanted(plan.num_shards, options.task_id < 0);
  const int shard = options.task_id - first;
  if (options.task_id >= 0 && shard >= 0 && shard < plan.num_shards) {
    wanted[shard] = true;
  }
  return wanted;
}

bool AnyOf(const std::vector<bool>& flags) {
  return std::find(flags.begin(), flags.end(), true) != flags.end();
}

// The number of shards of a whole set that is there; 0 where there is none or
// it isn't whole.
int WholeSet(const std::string& problem, DataSplit split,
             const GenerateOptions& options) {
  try {
    return static_cast<int>(
        FindShards(options.data_dir, problem, SplitName(split)).size());
  } catch (const Error& error) {
    if (error.code() == ExitCode::kMissing ||
        error.code() == ExitCode::kBadData) {
      return 0;
    }
    throw;
  }
}

bool PlanIsThere(const std::string& problem, const SplitPlan& plan, int first,
                 const GenerateOptions& options) {
  if (options.task_id < 0) {
    const int there = WholeSet(problem, plan.split, options);
    if (there > 0 && there != plan.num_shards && !options.overwrite &&
        options.num_shards > 0 && plan.split == DataSplit::kTrain) {
      throw UsageError(
          options.data_dir + " has " + std::to_string(there) + " " +
              SplitName(plan.split) + " shards of " + problem + " already",
          std::to_string(plan.num_shards) + " shards, as --num_shards says",
          "leave --num_shards out, name another --data_dir, or make them "
          "again with --overwrite");
    }
    return there > 0;
  }
  const std::vector<bool> wanted = WantedShards(plan, first, options);
  for (int shard = 0; shard < plan.num_shards; ++shard) {
    if (wanted[shard] &&
        !Exists(ShardPath(options.data_dir, problem, SplitName(plan.split),
                          shard, plan.num_shards))) {
      return false;
    }
  }
  return true;
}

// Every shard of the split, of whatever set.
void RemoveShards(const std::string& problem, DataSplit split,
                  const std::string& data_dir) {
  const std::string prefix = problem + "-" + SplitName(split) + "-";
  for (const std::string& name : ListDirectory(data_dir)) {
    if (!StartsWith(name, prefix)) continue;
    const std::string_view rest = std::string_view(name).substr(prefix.size());
    const size_t of = rest.find("-of-");
    int64_t number;
    if (of == std::string_view::npos ||
        !ParseInt(rest.substr(0, of), &number) ||
        !ParseInt(rest.substr(of + 4), &number)) {
      continue;
    }
    RemoveFile(JoinPath(data_dir, name));
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

void GenerateSplit(const std::string& problem, const SplitPlan& plan,
                   const std::vector<bool>& wanted,
                   const GenerateOptions& options) {
  const double start = NowSeconds();
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

  const std::unique_ptr<ExampleSource> source = plan.open();
  const auto shards = static_cast<size_t>(plan.num_shards);
  std::vector<std::string> records(kChunk);
  int64_t done = 0;
  int64_t written = 0;
  double progress = start;
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
    ParallelFor((count + kBlock - 1) / kBlock, options.threads,
                [&](size_t block, int) {
                  const size_t end = std::min(count, (block + 1) * kBlock);
                  for (size_t i = block * kBlock; i < end; ++i) {
                    if (!wanted[(done + i) % shards]) continue;
                    records[i] = MakeRecord(*source, i, done, problem, split);
                  }
                });
    for (size_t i = 0; i < count; ++i) {
      const size_t shard = (done + i) % shards;
      if (!wanted[shard]) continue;
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

  // Shards left over from a run that was killed, perhaps in another number.
  if (options.task_id < 0) RemoveShards(problem, plan.split, options.data_dir);
  ParallelFor(writers.size(), options.threads, [&](size_t shard, int) {
    if (writers[shard] != nullptr) writers[shard]->Commit();
  });
  const auto made = std::count(wanted.begin(), wanted.end(), true);
  Log(Format("  %s: %s in %s (%.1f s)", split.c_str(),
             Count(written, "example").c_str(), Count(made, "shard").c_str(),
             NowSeconds() - start));
}

}  // namespace

int NumShards(DataSplit split, int default_shards,
              const GenerateOptions& options) {
  if (split != DataSplit::kTrain || options.num_shards <= 0) {
    return default_shards;
  }
  // The names have five digits.
  if (options.num_shards > 99999) {
    throw UsageError("--num_shards=" + std::to_string(options.num_shards),
                     "99999 at most");
  }
  return options.num_shards;
}

bool ShardsAreThere(const std::string& problem,
                    const std::vector<SplitPlan>& plans,
                    const GenerateOptions& options) {
  const int total = TotalShards(plans);
  if (options.task_id >= total) {
    throw UsageError("there is no task " + std::to_string(options.task_id) +
                         " of " + problem,
                     "--task_id from 0 to " + std::to_string(total - 1) +
                         ", one for each shard");
  }
  int first = 0;
  for (const SplitPlan& plan : plans) {
    if (!PlanIsThere(problem, plan, first, options)) return false;
    first += plan.num_shards;
  }
  return true;
}

Json MakeOrigin(const std::vector<SplitPlan>& plans,
                const GenerateOptions& options) {
  Json origin = Json::Object();
  origin.Set("seed", options.seed);
  origin.Set("max_cases", options.max_cases);
  Json examples = Json::Object();
  for (const SplitPlan& plan : plans) {
    if (plan.num_examples == kUnknownSize) continue;
    examples.Set(SplitName(plan.split), plan.num_examples);
  }
  origin.Set("examples", std::move(examples));
  return origin;
}

void CheckOrigin(const std::string& problem, const Json& origin,
                 const GenerateOptions& options) {
  const std::string path = OriginPath(problem, options);
  if (options.overwrite || !Exists(path)) return;
  const Json old = ReadJsonFile(path, [](const Json& json) { return json; });
  for (const auto& [key, value] : origin.members()) {
    const Json* const before = old.Find(key);
    if (before != nullptr && before->ToString() == value.ToString()) continue;
    throw UsageError(
        options.data_dir + " has data of " + problem +
            " already, made with another '" + key +
            "': " + (before == nullptr ? "none" : before->ToString()),
        value.ToString(),
        "name another --data_dir, or make the data again with --overwrite");
  }
}

void WriteOrigin(const std::string& problem, const Json& origin,
                 const GenerateOptions& options) {
  WriteFileAtomically(OriginPath(problem, options), origin.ToString(2) + "\n");
}

void RemoveOrigin(const std::string& problem, const GenerateOptions& options) {
  RemoveFile(OriginPath(problem, options));
}

std::string DatagenLockPath(const std::string& problem,
                            const GenerateOptions& options) {
  return OriginPath(problem, options) + ".lock";
}

void RemoveDatagenLeftovers(const std::string& problem,
                            const GenerateOptions& options) {
  RemoveUnusedBuildLock(DatagenLockPath(problem, options));
  for (const std::string& stem : {problem, "vocab." + problem}) {
    for (const std::string& kept : RemoveLeftovers(options.data_dir, stem)) {
      // Of several tasks others run on other hosts: nothing to be said.
      if (options.task_id >= 0) continue;
      Log("  " + kept +
          " may be another host's (or of before a restart of this one); "
          "remove it where nothing writes it");
    }
  }
}

void ClearShards(const std::string& problem,
                 const std::vector<SplitPlan>& plans,
                 const GenerateOptions& options) {
  if (options.task_id >= 0) return;
  for (const SplitPlan& plan : plans) {
    RemoveShards(problem, plan.split, options.data_dir);
  }
}

void GenerateShards(const std::string& problem,
                    const std::vector<SplitPlan>& plans,
                    const GenerateOptions& options) {
  int first = 0;
  for (const SplitPlan& plan : plans) {
    const std::vector<bool> wanted = WantedShards(plan, first, options);
    if (AnyOf(wanted)) {
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

}  // namespace t2t
