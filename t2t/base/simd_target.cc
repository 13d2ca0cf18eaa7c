#include "t2t/base/simd_target.h"

#include <atomic>
#include <cstdlib>
#include <string>

#include "t2t/base/error.h"

namespace t2t {
namespace {

constexpr int kUnknown = -1;
std::atomic<int> current{kUnknown};

SimdTarget BestOfMachine() {
#ifdef T2T_X86_SIMD_TARGETS
  if (__builtin_cpu_supports("x86-64-v4")) return SimdTarget::kAvx512;
  if (__builtin_cpu_supports("x86-64-v3")) return SimdTarget::kAvx2;
#endif
  return SimdTarget::kBaseline;
}

SimdTarget Choose() {
  const SimdTarget best = BestOfMachine();
  const char* const limit = std::getenv("T2T_MAX_ISA");
  if (limit == nullptr || *limit == '\0') return best;
  for (const SimdTarget target :
       {SimdTarget::kBaseline, SimdTarget::kAvx2, SimdTarget::kAvx512}) {
    if (std::string(limit) == SimdTargetName(target)) {
      return target < best ? target : best;
    }
  }
  throw UsageError(
      "the environment variable T2T_MAX_ISA is \"" + std::string(limit) + "\"",
      "baseline, avx2 or avx512",
      "unset it, for the best instructions of this machine");
}

}  // namespace

const char* SimdTargetName(SimdTarget target) {
  switch (target) {
    case SimdTarget::kAvx512:
      return "avx512";
    case SimdTarget::kAvx2:
      return "avx2";
    case SimdTarget::kBaseline:
      break;
  }
  return "baseline";
}

std::vector<SimdTarget> MachineSimdTargets() {
  const SimdTarget best = BestOfMachine();
  std::vector<SimdTarget> targets;
  for (const SimdTarget target :
       {SimdTarget::kBaseline, SimdTarget::kAvx2, SimdTarget::kAvx512}) {
    if (target <= best) targets.push_back(target);
  }
  return targets;
}

SimdTarget CurrentSimdTarget() {
  int target = current.load(std::memory_order_relaxed);
  if (target == kUnknown) {
    target = static_cast<int>(Choose());
    current.store(target, std::memory_order_relaxed);
  }
  return static_cast<SimdTarget>(target);
}

ScopedSimdTarget::ScopedSimdTarget(SimdTarget target)
    : before_(CurrentSimdTarget()) {
  current.store(static_cast<int>(target), std::memory_order_relaxed);
}

ScopedSimdTarget::~ScopedSimdTarget() {
  current.store(static_cast<int>(before_), std::memory_order_relaxed);
}

}  // namespace t2t
