#ifndef T2T_DISTRIBUTED_BUSY_CLOCK_H_
#define T2T_DISTRIBUTED_BUSY_CLOCK_H_

#include <cstdint>
#include <mutex>

namespace t2t {

// How long anything at all was under way: what is so at the same time counts
// once. For several threads.
class BusyClock {
 public:
  // now: in seconds, from any beginning.
  void Begin(double now) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (under_way_++ == 0) since_ = now;
  }
  void End(double now) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (--under_way_ == 0) seconds_ += now - since_;
  }
  double Seconds(double now) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return under_way_ > 0 ? seconds_ + (now - since_) : seconds_;
  }

 private:
  mutable std::mutex mutex_;
  int64_t under_way_ = 0;
  double since_ = 0;
  double seconds_ = 0;
};

}  // namespace t2t

#endif  // T2T_DISTRIBUTED_BUSY_CLOCK_H_
