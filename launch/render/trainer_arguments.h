#ifndef T2T_LAUNCH_RENDER_TRAINER_ARGUMENTS_H_
#define T2T_LAUNCH_RENDER_TRAINER_ARGUMENTS_H_

#include <string>
#include <vector>

#include "launch/render/pod.h"

namespace t2t {

// The changes of hyperparameters: the parameter hparams, then what trainer_args
// has of them.
std::string TrainerHParams(const Component& component);
// The flags of t2t-trainer that say what is trained, escaped.
std::vector<std::string> TrainerArguments(const Component& component,
                                          const std::string& schedule);
// Puts "--name=value" where that flag is, or else at the end.
void PutFlag(const std::string& argument, std::vector<std::string>* arguments);

}  // namespace t2t

#endif  // T2T_LAUNCH_RENDER_TRAINER_ARGUMENTS_H_
