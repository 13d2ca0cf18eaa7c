#ifndef T2T_LAUNCH_RUN_KUBECTL_H_
#define T2T_LAUNCH_RUN_KUBECTL_H_

#include <string>
#include <vector>

#include "launch/app/app.h"

namespace t2t {

struct KubectlResult {
  int code = 0;
  std::string output;  // empty where it was not caught
};

// Runs kubectl (of PATH) in an environment's context and namespace, `input` on
// its standard input. With `catch_output` its standard output is returned,
// else it goes where ours does. Throws a MissingError where there is none.
KubectlResult Kubectl(const AppEnvironment& environment,
                      const std::vector<std::string>& arguments,
                      const std::string& input, bool catch_output);

}  // namespace t2t

#endif  // T2T_LAUNCH_RUN_KUBECTL_H_
