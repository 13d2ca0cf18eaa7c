#ifndef T2T_PROBLEM_DATAGEN_FILES_H_
#define T2T_PROBLEM_DATAGEN_FILES_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "t2t/base/json.h"
#include "t2t/problem/source.h"

namespace t2t {

// The files that t2t-datagen makes of a problem besides its vocabularies: the
// shards, what they were made from, its lock, and what killed runs leave.

struct SplitPlan {
  DataSplit split = DataSplit::kTrain;
  int num_shards = 1;
  bool shuffle = false;
  int64_t num_examples = 0;   // kUnknownSize: those that there are
  int64_t most_examples = 0;  // where their number is unknown; 0: all
  int64_t packed_length = 0;  // Problem::packed_length
  std::function<std::unique_ptr<ExampleSource>()> open;
};

// The shards of a split that options ask for: options.num_shards of training
// where it is set.
int NumShards(DataSplit split, int default_shards,
              const GenerateOptions& options);

// The shards of the plan that this run is to make: all of them, or the one of
// options.task_id. first: the task of the plan's first shard.
std::vector<bool> WantedShards(const SplitPlan& plan, int first,
                               const GenerateOptions& options);

// Whether those are there. Throws as ShardsAreThere() does.
bool PlanIsThere(const std::string& problem, const SplitPlan& plan, int first,
                 const GenerateOptions& options);

// True where the shards are there that this run is to make (all of them, or
// the one of options.task_id). Throws a usage error where they are there in
// another number than options.num_shards.
bool ShardsAreThere(const std::string& problem,
                    const std::vector<SplitPlan>& plans,
                    const GenerateOptions& options);

// Next to the shards, <problem>.datagen.json says what they were made from.
// The first throws a usage error where that is something else than `origin`
// and options.overwrite isn't set; no such file is no error (data that T2T
// made).
void CheckOrigin(const std::string& problem, const Json& origin,
                 const GenerateOptions& options);
void WriteOrigin(const std::string& problem, const Json& origin,
                 const GenerateOptions& options);
void RemoveOrigin(const std::string& problem, const GenerateOptions& options);
// An origin with what all have: the seed, max_cases and the examples.
Json MakeOrigin(const std::vector<SplitPlan>& plans,
                const GenerateOptions& options);

// Where a BuildLock for what all processes of a problem need is: the vocabulary
// for tasks, all that is made for a run that makes all of it.
std::string DatagenLockPath(const std::string& problem,
                            const GenerateOptions& options);
// Removes what killed runs left half-written of the problem and its vocabulary;
// says which files may be another host's and are kept.
void RemoveDatagenLeftovers(const std::string& problem,
                            const GenerateOptions& options);

// Removes the problem's shards, whatever their number; before anything that
// they depend on is written anew, so that a run that is killed leaves no old
// shards with a new vocabulary. Does nothing for one task of several.
void ClearShards(const std::string& problem,
                 const std::vector<SplitPlan>& plans,
                 const GenerateOptions& options);

// Removes every shard of the split, of whatever number.
void RemoveShards(const std::string& problem, DataSplit split,
                  const std::string& data_dir);

}  // namespace t2t

#endif  // T2T_PROBLEM_DATAGEN_FILES_H_
