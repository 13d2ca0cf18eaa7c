#ifndef T2T_LAUNCH_APP_VALIDATE_H_
#define T2T_LAUNCH_APP_VALIDATE_H_

#include <string>
#include <vector>

#include "launch/render/pod.h"

namespace t2t {

// What is wrong with a component before anything is sent: names of problems,
// models, sets and hyperparameters against the registries, flags of the
// programs. Empty where all is well.
std::vector<std::string> CheckComponent(const Component& component);

// What schemas do not see in rendered objects: names and their lengths,
// selectors that select nothing, references to what is not there, limits below
// requests, policies that need another restartPolicy, texts that no program can
// be started with, what the webhooks of KServe and Seldon refuse, steps of
// workflows that wait for none.
std::vector<std::string> CheckObjects(const std::vector<Json>& objects);

}  // namespace t2t

#endif  // T2T_LAUNCH_APP_VALIDATE_H_
