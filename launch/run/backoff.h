#ifndef T2T_LAUNCH_RUN_BACKOFF_H_
#define T2T_LAUNCH_RUN_BACKOFF_H_

#include <algorithm>

namespace t2t {

// The pauses before what has ended is started again: each twice the one
// before, as kubelet's and the operators' are (theirs in tens of seconds),
// until one run has lasted.
class Backoff {
 public:
  Backoff(double first, double most, double lasting)
      : first_(first), most_(most), lasting_(lasting), next_(first) {}

  // After a run of so many seconds.
  double Next(double ran) {
    if (ran >= lasting_) next_ = first_;
    const double pause = std::min(next_, most_);
    next_ = 2 * pause;
    return pause;
  }

 private:
  double first_, most_, lasting_, next_;
};

}  // namespace t2t

#endif  // T2T_LAUNCH_RUN_BACKOFF_H_
