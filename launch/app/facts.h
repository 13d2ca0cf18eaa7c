#ifndef T2T_LAUNCH_APP_FACTS_H_
#define T2T_LAUNCH_APP_FACTS_H_

#include <memory>

#include "launch/app/costs.h"
#include "launch/render/pod.h"

namespace t2t {

// Puts what the registries of problems, models and hyperparameter sets know,
// and what t2t-trainer has said of costs, given the component's other
// parameters, in the place of the prototype's defaults (Params::SetFact):
//   train, evaluate  model and hparams_set, the one by the other; memory, by
//                    the estimate, on CPUs
//   train            preemption_grace_seconds, where a checkpoint is large
//   datagen          eval_shards, the problem's
//   sweep            direction, by the metric; the largest trial's memory
//   pipeline         source and reference, the problem's dev text
// The same on every machine that has the app's costs.json. Where nothing is
// known (a name that is wrong, a cost that nobody could be asked for), the
// default stays.
void AddFacts(Component* component, const std::shared_ptr<Costs>& costs);

}  // namespace t2t

#endif  // T2T_LAUNCH_APP_FACTS_H_
