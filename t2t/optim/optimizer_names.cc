#include "t2t/optim/optimizer_names.h"

#include <algorithm>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/problem/registries.h"

namespace t2t {
namespace {

// (A test holds them to RegisterOptimizers().)
constexpr const char* kOptimizers[] = {
    "adadelta", "adafactor", "adagrad",    "adam",           "adam_w",
    "adamw",    "ftrl",      "momentum",   "multistep_adam", "rms_prop",
    "sgd",      "true_adam", "yellow_fin",
};

}  // namespace

std::vector<std::string> OptimizerNames() {
  std::vector<std::string> names = Optimizers().Names();
  names.insert(names.end(), std::begin(kOptimizers), std::end(kOptimizers));
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::string RegisteredOptimizer(const std::string& name) {
  if (name == "SGD") return "sgd";
  if (name == "RMSProp") return "rms_prop";
  return CamelToSnake(name);
}

void CheckOptimizerName(const std::string& name) {
  const std::string registered = RegisteredOptimizer(name);
  const std::vector<std::string> names = OptimizerNames();
  if (std::binary_search(names.begin(), names.end(), registered)) return;
  throw UsageError("there is no optimizer '" + registered + "'",
                   DidYouMean(registered, names),
                   "t2t-trainer --registry_help lists them all");
}

}  // namespace t2t
