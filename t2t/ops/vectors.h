#ifndef T2T_OPS_VECTORS_H_
#define T2T_OPS_VECTORS_H_

// What t2t/ops/vectors.inc wants included before it.
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

#include "t2t/base/simd_target.h"

namespace t2t {

// Beyond what FastExp() takes its argument for the limit. Defined in another
// file, so that the compiler does not know the values: else GCC makes a
// comparison, a blend and more of each where one "max" would do.
struct ExpLimits {
  float least;
  float most;
};
extern const ExpLimits kExpLimits;

}  // namespace t2t

#endif  // T2T_OPS_VECTORS_H_
