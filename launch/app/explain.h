#ifndef T2T_LAUNCH_APP_EXPLAIN_H_
#define T2T_LAUNCH_APP_EXPLAIN_H_

#include <string>
#include <utility>
#include <vector>

#include "launch/render/prototypes.h"

namespace t2t {

// Fields of manifests that t2t-launch writes, and why they are as they are.
const std::vector<std::pair<std::string, std::string>>& FieldHelps();

// A prototype with its parameters.
std::string DescribePrototype(const Prototype& prototype);
// One of them ("train", "workers").
std::string DescribeParam(const ParamSpec& spec);

// What an exit code of a program or of a container means, and what comes of
// it.
std::string DescribeExitCode(int code);

// A name that is not the app's: an exit code, a prototype or a parameter of one
// ("train.workers"), a hyperparameter set, a hyperparameter, a model, a
// problem, a field of manifests ("spec.podFailurePolicy"). Throws a usage error
// with did-you-mean.
std::string Explain(const std::string& what);

}  // namespace t2t

#endif  // T2T_LAUNCH_APP_EXPLAIN_H_
