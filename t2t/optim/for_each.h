#ifndef T2T_OPTIM_FOR_EACH_H_
#define T2T_OPTIM_FOR_EACH_H_

#include <ATen/Parallel.h>

#include <cstdint>

#include "t2t/ops/device.h"

namespace t2t {

// body(begin, end) over [0, size): in parallel on the CPU; a device has one
// thread that gives it its work.
template <typename F>
void ForEach(int64_t size, int64_t grain, const F& body) {
  if (ComputeDevice().is_cpu()) {
    at::parallel_for(0, size, grain, body);
  } else if (size > 0) {
    body(0, size);
  }
}

}  // namespace t2t

#endif  // T2T_OPTIM_FOR_EACH_H_
