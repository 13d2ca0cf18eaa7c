#ifndef T2T_LAUNCH_RENDER_SWEEP_H_
#define T2T_LAUNCH_RENDER_SWEEP_H_

#include <string>
#include <vector>

#include "launch/render/pod.h"

namespace t2t {

std::vector<ParamSpec> SweepParams();
// Trials of a train component: a Job each, or a Katib Experiment.
std::vector<Json> RenderSweep(const Component& component);

// The trials' changes of hparams ("learning_rate=0.1,num_heads=4"): all of the
// grid in order, or `trials` points drawn with the seed (no point twice).
std::vector<std::string> SweepPoints(const Component& component);

// The trials as components, each with its own hparams; a thousand at most.
std::vector<Component> SweepTrials(const Component& component);

}  // namespace t2t

#endif  // T2T_LAUNCH_RENDER_SWEEP_H_
