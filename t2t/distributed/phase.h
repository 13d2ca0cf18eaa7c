#ifndef T2T_DISTRIBUTED_PHASE_H_
#define T2T_DISTRIBUTED_PHASE_H_

#include <ATen/record_function.h>

#include "t2t/base/log.h"

namespace t2t {

// Seconds of a step by what they went into.
struct StepTimes {
  double input = 0;
  double forward = 0;
  double backward = 0;  // what of it was not waiting for other ranks
  double optimizer = 0;
};

// Adds the time that it lives to *seconds, and shows in a profile by its name.
class Phase {
 public:
  Phase(const char* name, double* seconds)
      : record_(at::RecordScope::USER_SCOPE),
        seconds_(seconds),
        start_(NowSeconds()) {
    if (record_.isActive()) record_.before(name);
  }
  ~Phase() { *seconds_ += NowSeconds() - start_; }
  Phase(const Phase&) = delete;
  Phase& operator=(const Phase&) = delete;

 private:
  at::RecordFunction record_;
  double* const seconds_;
  const double start_;
};

}  // namespace t2t

#endif  // T2T_DISTRIBUTED_PHASE_H_
