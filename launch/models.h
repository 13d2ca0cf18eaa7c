#ifndef T2T_LAUNCH_MODELS_H_
#define T2T_LAUNCH_MODELS_H_

#include <string>
#include <vector>

namespace t2t {

// The models' names. (Their registry is in the part of the code that needs
// LibTorch; a test compares the two.)
const std::vector<std::string>& ModelNames();

}  // namespace t2t

#endif  // T2T_LAUNCH_MODELS_H_
