#include "t2t/ops/vectors.h"

namespace t2t {

const ExpLimits kExpLimits = {-87.0f, 87.0f};

}  // namespace t2t
