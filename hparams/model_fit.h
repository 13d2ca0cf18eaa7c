#ifndef HPARAMS_MODEL_FIT_H_
#define HPARAMS_MODEL_FIT_H_

#include <string>
#include <vector>

#include "t2t/problem/problem.h"

namespace t2t {

// Which models are made for problems of a kind. Throws a usage error where a
// model can't go with the problem (one for images with one of text): it says
// what the model needs, what the problem has and which models fit. Models that
// take anything, and plug-ins' models, pass.
void CheckModelFits(const std::string& model, const Problem& problem);

// Models here that are made for what the problem has, the most used first.
std::vector<std::string> ModelsFor(const Problem& problem);

}  // namespace t2t

#endif  // HPARAMS_MODEL_FIT_H_
