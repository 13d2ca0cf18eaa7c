#ifndef T2T_LAUNCH_RUN_CLUSTER_VERBS_H_
#define T2T_LAUNCH_RUN_CLUSTER_VERBS_H_

#include <string>
#include <vector>

#include "launch/run/cli.h"

namespace t2t {

// The components that the words name, or --all; a usage error without either.
std::vector<Component> NamedComponents(const App& app, const LaunchArgs& args);

// Verbs; each returns the program's exit code.
int Run(const LaunchArgs& args);
int Doctor(const LaunchArgs& args);
int Gc(const LaunchArgs& args);

// RunFlags() and --all.
std::vector<std::string> RunFlagsAndAll();

}  // namespace t2t

#endif  // T2T_LAUNCH_RUN_CLUSTER_VERBS_H_
