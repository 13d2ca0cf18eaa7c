#ifndef T2T_LAUNCH_RENDER_TRAIN_H_
#define T2T_LAUNCH_RENDER_TRAIN_H_

#include <string>
#include <vector>

#include "launch/render/pod.h"

namespace t2t {

// What runs a training job of several Pods.
const std::vector<std::string>& TrainBackends();
// The backend of a component: "auto" is the best of what its environment has.
std::string ChooseBackend(const Component& component);

std::vector<ParamSpec> TrainParams();
std::vector<Json> RenderTrain(const Component& component);

// A one-Pod Job of t2t-trainer, for a sweep's trials. `arguments` take the
// place of the flags that they name.
Json TrialJob(const Component& component, const std::string& name,
              const std::vector<std::string>& arguments);

}  // namespace t2t

#endif  // T2T_LAUNCH_RENDER_TRAIN_H_
