#ifndef MODELS_IMAGE_INPUTS_H_
#define MODELS_IMAGE_INPUTS_H_

#include <cstdint>
#include <string>

#include "t2t/problem/problem.h"

namespace t2t {

// The channels of a problem's images; a usage error where its inputs are no
// images, or not all of one number of channels, for the model `name`.
int64_t ImageChannels(const ProblemInfo& info, const std::string& name);

}  // namespace t2t

#endif  // MODELS_IMAGE_INPUTS_H_
