#ifndef T2T_OPTIM_FLUSH_TINY_H_
#define T2T_OPTIM_FLUSH_TINY_H_

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace t2t {

// Moments of parameters without gradients die away into numbers so small that
// the processor takes a hundred times as long: these are 0 while it lives.
class FlushTinyNumbers {
 public:
#if defined(__SSE2__)
  FlushTinyNumbers() : before_(_mm_getcsr()) {
    constexpr unsigned kFlushResults = 1U << 15;
    constexpr unsigned kFlushInputs = 1U << 6;
    _mm_setcsr(before_ | kFlushResults | kFlushInputs);
  }
  ~FlushTinyNumbers() { _mm_setcsr(before_); }

 private:
  const unsigned before_;
#else
  FlushTinyNumbers() {}
#endif
};

}  // namespace t2t

#endif  // T2T_OPTIM_FLUSH_TINY_H_
