#ifndef T2T_LAUNCH_RENDER_JOB_H_
#define T2T_LAUNCH_RENDER_JOB_H_

#include <cstdint>
#include <string>
#include <vector>

#include "launch/render/component.h"
#include "t2t/base/json.h"

namespace t2t {

// The parameters that every batch/v1 Job has; retries: the default.
std::vector<ParamSpec> JobParams(int64_t retries);

// podFailurePolicy by the table of exit codes in t2t/base/error.h.
Json PodFailurePolicy(const std::string& container);
// Those of the codes that must not be tried again.
const std::vector<int>& PermanentExitCodes();

// batch/v1 Job's spec. completions > 0: an indexed Job.
Json JobSpec(const Component& component, Json pod_template,
             const std::string& container, int64_t completions,
             int64_t parallelism, int64_t backoff_limit);

}  // namespace t2t

#endif  // T2T_LAUNCH_RENDER_JOB_H_
