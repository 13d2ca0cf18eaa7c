#include "t2t/train/slow_rank.h"

#include <algorithm>

#include "t2t/base/plural.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

constexpr double kSlow = 1.5;
constexpr double kNoLongerSlow = 1.25;

// The lower one of the two in the middle: of two ranks the slower one is not
// to be the measure.
double Median(std::vector<double> values) {
  const auto middle =
      values.begin() + static_cast<int64_t>((values.size() - 1) / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

std::vector<std::string> SlowRankFinder::Add(
    const std::vector<double>& seconds) {
  sums_.resize(seconds.size());
  slow_.resize(seconds.size());
  for (size_t rank = 0; rank < seconds.size(); ++rank) {
    sums_[rank] += seconds[rank];
  }
  if (++steps_ < window_) return {};
  std::vector<std::string> texts;
  const double median = std::max(Median(sums_), 1e-9);
  const double steps = static_cast<double>(steps_);
  for (size_t rank = 0; rank < sums_.size(); ++rank) {
    const double ratio = sums_[rank] / median;
    if (!slow_[rank] && ratio >= kSlow) {
      slow_[rank] = true;
      texts.push_back(
          Format("rank %zu is slow: %.1fx the median of the ranks' time to "
                 "compute a batch (%.0f ms to %.0f ms, over %s)",
                 rank, ratio, 1000 * sums_[rank] / steps, 1000 * median / steps,
                 Count(steps_, "step").c_str()));
    } else if (slow_[rank] && ratio < kNoLongerSlow) {
      slow_[rank] = false;
      texts.push_back(Format("rank %zu is no longer slow", rank));
    }
  }
  steps_ = 0;
  sums_.assign(sums_.size(), 0.0);
  return texts;
}

}  // namespace t2t
