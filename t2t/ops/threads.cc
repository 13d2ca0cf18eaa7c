#include "t2t/ops/threads.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <thread>

#include "t2t/base/simd_target.h"

namespace t2t {

int UseThreads(int threads) {
  if (threads <= 0) {
    threads =
        std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  }
  at::set_num_threads(threads);
  CurrentSimdTarget();  // an error in its variable shows before the work
  // Sums into an index in a fixed order; but no filling of new memory.
  at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/true);
  at::globalContext().setDeterministicFillUninitializedMemory(false);
  return threads;
}

}  // namespace t2t
