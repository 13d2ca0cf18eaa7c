#include "t2t/problem/data_facts.h"

#include <memory>

#include "t2t/problem/problem.h"

namespace t2t {

DataFacts DataFactsOf(const std::string& name) {
  const std::unique_ptr<Problem> problem = MakeProblem(name);
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
