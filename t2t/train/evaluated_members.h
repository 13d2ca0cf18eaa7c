#ifndef T2T_TRAIN_EVALUATED_MEMBERS_H_
#define T2T_TRAIN_EVALUATED_MEMBERS_H_

#include <functional>
#include <map>
#include <string>

#include "t2t/hparams/hparams.h"
#include "t2t/problem/problem.h"

namespace t2t {

// Evaluates a problem: calls evaluate(problem), or for a mixture once for each
// member that is looked at, with the member. A mixture's results are those of
// each member, "<member>/<metric>", and under each metric's own name their
// mean, in which all members count alike.
std::map<std::string, double> EvaluateMembers(
    const Problem& problem, const ProblemInfo& info, const HParams& hparams,
    const std::function<std::map<std::string, double>(const Problem& member)>&
        evaluate);

}  // namespace t2t

#endif  // T2T_TRAIN_EVALUATED_MEMBERS_H_
