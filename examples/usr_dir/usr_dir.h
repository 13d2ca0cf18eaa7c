#ifndef USR_DIR_USR_DIR_H_
#define USR_DIR_USR_DIR_H_

#include "t2t/problem/registries.h"

namespace usr_dir {

void RegisterProblem(t2t::ProblemRegistry& problems);
void RegisterModel(const t2t::Registries& registries);

}  // namespace usr_dir

#endif  // USR_DIR_USR_DIR_H_
