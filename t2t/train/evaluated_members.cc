#include "t2t/train/evaluated_members.h"

#include <cstddef>
#include <vector>

namespace t2t {

std::map<std::string, double> EvaluateMembers(
    const Problem& problem, const ProblemInfo& info, const HParams& hparams,
    const std::function<std::map<std::string, double>(const Problem& member)>&
        evaluate) {
  if (!problem.mixture) return evaluate(problem);
  std::map<std::string, double> results;
  const std::vector<size_t> members =
      EvaluatedMembers(*problem.mixture, hparams);
  for (const size_t i : members) {
    const Problem member = MixtureMember(problem, i, info);
    for (const auto& [metric, value] : evaluate(member)) {
      results[member.name + "/" + metric] = value;
      results[metric] += value / static_cast<double>(members.size());
    }
  }
  return results;
}

}  // namespace t2t
