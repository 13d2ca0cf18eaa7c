#ifndef T2T_BASE_SIMD_TARGET_H_
#define T2T_BASE_SIMD_TARGET_H_

#include <vector>

namespace t2t {

// Instruction sets for which the hand-written kernels are compiled, each
// containing the one before it. The source of a kernel is compiled once for
// each of them (t2t/base/for_each_simd_target.inc); which one runs is chosen
// when the program runs.
enum class SimdTarget {
  kBaseline,  // what the compiler takes for granted: SSE2 or NEON
  kAvx2,      // x86-64-v3: AVX2, FMA
  kAvx512,    // x86-64-v4: AVX-512 F, BW, CD, DQ, VL
};

// "baseline", "avx2" or "avx512".
const char* SimdTargetName(SimdTarget target);

// Those that this machine can run, the best last.
std::vector<SimdTarget> MachineSimdTargets();

// The best of this machine, but none beyond the one named by the environment
// variable T2T_MAX_ISA. Throws UsageError where that names none.
SimdTarget CurrentSimdTarget();

// Makes the kernels run as on a machine without anything better, for tests and
// benchmarks. Not to be used while kernels run.
class ScopedSimdTarget {
 public:
  explicit ScopedSimdTarget(SimdTarget target);
  ~ScopedSimdTarget();
  ScopedSimdTarget(const ScopedSimdTarget&) = delete;
  ScopedSimdTarget& operator=(const ScopedSimdTarget&) = delete;

 private:
  SimdTarget before_;
};

// Of helpers of a kernel, so that each variant compiles them for its machine.
#define T2T_SIMD_INLINE inline __attribute__((always_inline))

// GCC alone takes "#pragma GCC target"; another compiler makes the baseline.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define T2T_X86_SIMD_TARGETS 1

template <typename Function>
Function* PickSimdVariant(Function* baseline, Function* avx2,
                          Function* avx512) {
  switch (CurrentSimdTarget()) {
    case SimdTarget::kAvx512:
      return avx512;
    case SimdTarget::kAvx2:
      return avx2;
    case SimdTarget::kBaseline:
      break;
  }
  return baseline;
}

// The variant of a kernel that is to run.
#define T2T_SIMD_VARIANT(kernel) \
  ::t2t::PickSimdVariant(&baseline::kernel, &avx2::kernel, &avx512::kernel)
#else
#define T2T_SIMD_VARIANT(kernel) (&baseline::kernel)
#endif

}  // namespace t2t

#endif  // T2T_BASE_SIMD_TARGET_H_
