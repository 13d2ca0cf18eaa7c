#ifndef T2T_OPTIM_OPTIMIZER_NAMES_H_
#define T2T_OPTIM_OPTIMIZER_NAMES_H_

#include <string>
#include <vector>

// What the hparam "optimizer" may be, without LibTorch.

namespace t2t {

// T2T's names, plus "adamw" (decoupled decay as in PyTorch) and "adadelta";
// those of plug-ins too.
std::vector<std::string> OptimizerNames();

// The registered name of one: T2T's older ones, which some of its sets still
// have, are others (Adafactor, RMSProp).
std::string RegisteredOptimizer(const std::string& name);

// Throws a usage error with did-you-mean where there is no such optimizer.
void CheckOptimizerName(const std::string& name);

}  // namespace t2t

#endif  // T2T_OPTIM_OPTIMIZER_NAMES_H_
