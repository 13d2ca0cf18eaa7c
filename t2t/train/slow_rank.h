#ifndef T2T_TRAIN_SLOW_RANK_H_
#define T2T_TRAIN_SLOW_RANK_H_

#include <cstdint>
#include <string>
#include <vector>

namespace t2t {

// Finds ranks that compute slower than the others. A rank is slow where its
// time over a window of steps is 1.5 times the ranks' median or more, and no
// longer where it is under 1.25 times: so that each episode is told once.
class SlowRankFinder {
 public:
  explicit SlowRankFinder(int64_t window = 20) : window_(window) {}

  // seconds: by rank, of computing its batches of the step, for a batch.
  // Returns what there is to say, mostly nothing.
  std::vector<std::string> Add(const std::vector<double>& seconds);

 private:
  const int64_t window_;
  int64_t steps_ = 0;
  std::vector<double> sums_;
  std::vector<bool> slow_;
};

}  // namespace t2t

#endif  // T2T_TRAIN_SLOW_RANK_H_
