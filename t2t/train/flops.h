#ifndef T2T_TRAIN_FLOPS_H_
#define T2T_TRAIN_FLOPS_H_

#include <ATen/record_function.h>

#include <atomic>

namespace t2t {

// Counts the floating point operations of the matrix products, convolutions and
// attention that this thread (and the backward passes it starts) does while the
// counter lives, two for each multiplication and addition. One at a time.
class FlopCounter {
 public:
  FlopCounter();
  ~FlopCounter();
  FlopCounter(const FlopCounter&) = delete;
  FlopCounter& operator=(const FlopCounter&) = delete;

  double flops() const { return flops_; }

 private:
  static void Count(const at::RecordFunction& function, double* flops);

  static std::atomic<FlopCounter*> running_;
  double flops_ = 0;
  at::CallbackHandle handle_;
};

// What a rank's threads, or its GPU, get out of one large matrix product of
// that type: FLOP a second, the best of a few that take a tenth of a second
// together. A stand-in for the machine's peak where nobody states it.
double MeasurePeakFlops(at::ScalarType type);

}  // namespace t2t

#endif  // T2T_TRAIN_FLOPS_H_
