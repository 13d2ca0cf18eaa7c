#ifndef T2T_LAUNCH_RENDER_SERVER_H_
#define T2T_LAUNCH_RENDER_SERVER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "launch/render/pod.h"

namespace t2t {

// What components that listen have in common.
Json HttpProbe(const std::string& path, const std::string& port, int64_t period,
               int64_t failures);
// scaled: the number of replicas is left to an autoscaler.
Json DeploymentOf(const Component& component, const PodOptions& options,
                  int64_t replicas, bool scaled);
Json ServiceOf(const Component& component, const PodOptions& options);
std::vector<int64_t> PortNumbers(const PodOptions& options);

std::vector<ParamSpec> ServeParams();
// Model servers: a Deployment with Service, HorizontalPodAutoscaler and
// PodDisruptionBudget, a KServe InferenceService, or a SeldonDeployment.
std::vector<Json> RenderServe(const Component& component);

}  // namespace t2t

#endif  // T2T_LAUNCH_RENDER_SERVER_H_
