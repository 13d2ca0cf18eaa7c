#include "t2t/problem/data_facts.h"

#include <memory>
#include <set>

#include "t2t/problem/problem.h"

namespace t2t {
namespace {

// Two members may have the same data (a problem and its "_rev").
DataFacts FactsOfMembers(const Problem& mixture) {
  DataFacts all;
  std::set<std::string> seen;
  for (const std::string& member : mixture.mixture->members) {
    if (!seen.insert(MakeProblem(member)->data_name).second) continue;
    const DataFacts facts = DataFactsOf(member);
    all.train_shards += facts.train_shards;
    all.other_shards += facts.other_shards;
    all.downloads |= facts.downloads;
  }
  return all;
}

}  // namespace

DataFacts DataFactsOf(const std::string& name) {
  const std::unique_ptr<Problem> problem = MakeProblem(name);
  if (problem->mixture) return FactsOfMembers(*problem);
  DataFacts facts;
  for (const SplitSpec& split : problem->splits) {
    (split.split == DataSplit::kTrain ? facts.train_shards
                                      : facts.other_shards) += split.num_shards;
  }
  facts.downloads = problem->Downloads();
  facts.dev_inputs = problem->dev_inputs;
  facts.dev_targets = problem->dev_targets;
  return facts;
}

}  // namespace t2t
