#include "t2t/problem/datagen_files.h"

#include <utility>

#include "t2t/base/build_lock.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json_file.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/formats/shards.h"

namespace t2t {
namespace {

std::string OriginPath(const std::string& problem,
                       const GenerateOptions& options) {
  return JoinPath(options.data_dir, problem + ".datagen.json");
}

int TotalShards(const std::vector<SplitPlan>& plans) {
  int total = 0;
  for (const SplitPlan& plan : plans) total += plan.num_shards;
  return total;
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

std::vector<bool> WantedShards(const SplitPlan& plan, int first,
                               const GenerateOptions& options) {
  std::vector<bool> wanted(plan.num_shards, options.task_id < 0);
  const int shard = options.task_id - first;
  if (options.task_id >= 0 && shard >= 0 && shard < plan.num_shards) {
    wanted[shard] = true;
  }
  return wanted;
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

void ClearShards(const std::string& problem,
                 const std::vector<SplitPlan>& plans,
                 const GenerateOptions& options) {
  if (options.task_id >= 0) return;
  for (const SplitPlan& plan : plans) {
    RemoveShards(problem, plan.split, options.data_dir);
  }
}

}  // namespace t2t
