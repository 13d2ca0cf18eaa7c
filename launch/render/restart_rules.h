#ifndef T2T_LAUNCH_RENDER_RESTART_RULES_H_
#define T2T_LAUNCH_RENDER_RESTART_RULES_H_

#include <string>

#include "t2t/base/json.h"

namespace t2t {

// What an operator does when a container of a workload ends.
enum class PodEnd {
  kDone,
  kRestart,  // that Pod, or all of them: tried again
  kFail,     // the whole workload has failed
};

// The operator's own rule, read out of the manifest: podFailurePolicy of Jobs
// (in JobSets and TrainingRuntimes too), Kubeflow's ExitCode policy, a
// container's restartPolicy. `role` is the replica type ("Worker").
// Limits on the number of restarts are not looked at. For a step of an Argo
// workflow, `workload` is {kind: Step, spec: {retryStrategy}}.
PodEnd DecidePodEnd(const Json& workload, const std::string& role,
                    int exit_code);

// How often the workload is started again in all.
int64_t RestartLimit(const Json& workload);

}  // namespace t2t

#endif  // T2T_LAUNCH_RENDER_RESTART_RULES_H_
