#include "launch/render/job.h"

#include <utility>
#include <vector>

#include "t2t/base/error.h"

namespace t2t {

std::vector<ParamSpec> JobParams(int64_t retries) {
  using T = ParamType;
  return {
      {"retries", T::kInt, retries, "how often it is tried again", {}, 0, 1000},
      {"deadline_seconds", T::kInt, 0, "ends it after so long; 0: never"},
      {"ttl_seconds", T::kInt, 604800, "how long it stays when it is done"},
      {"queue", T::kName, "", "a Kueue queue that starts it"},
  };
}

const std::vector<int>& PermanentExitCodes() {
  // 126 and 127: the image's command can't be run or is not there.
  static const std::vector<int>* const codes =
      new std::vector<int>{static_cast<int>(ExitCode::kInternal),
                           static_cast<int>(ExitCode::kUsage),
                           static_cast<int>(ExitCode::kBadData),
                           static_cast<int>(ExitCode::kMissing),
                           static_cast<int>(ExitCode::kIo),
                           static_cast<int>(ExitCode::kDiverged),
                           static_cast<int>(ExitCode::kMismatch),
                           126,
                           127};
  return *codes;
}

Json PodFailurePolicy(const std::string& container) {
  Json codes = Json::Array();
  for (const int code : PermanentExitCodes()) codes.Append(Json(code));
  return Object(
      {{"rules",
        List({Object({{"action", "FailJob"},
                      {"onExitCodes", Object({{"containerName", container},
                                              {"operator", "In"},
                                              {"values", codes}})}}),
              // A node that goes away is nobody's failure.
              Object({{"action", "Ignore"},
                      {"onPodConditions",
                       List({Object({{"type", "DisruptionTarget"},
                                     {"status", "True"}})})}})})}});
}

Json JobSpec(const Component& component, Json pod_template,
             const std::string& container, int64_t completions,
             int64_t parallelism, int64_t backoff_limit) {
  Json spec = Json::Object();
  if (completions > 0) {
    spec.Set("completionMode", "Indexed");
    spec.Set("completions", completions);
    spec.Set("parallelism", parallelism);
  }
  spec.Set("backoffLimit", backoff_limit);
  spec.Set("podFailurePolicy", PodFailurePolicy(container));
  spec.Set("podReplacementPolicy", "Failed");
  if (component.params.Int("deadline_seconds") > 0) {
    spec.Set("activeDeadlineSeconds", component.params.Int("deadline_seconds"));
  }
  spec.Set("ttlSecondsAfterFinished", component.params.Int("ttl_seconds"));
  spec.Set("template", std::move(pod_template));
  return spec;
}

}  // namespace t2t
