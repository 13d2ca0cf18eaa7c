#ifndef T2T_BASE_RANGE_H_
#define T2T_BASE_RANGE_H_

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "t2t/base/strings.h"

namespace t2t {

// The numbers that a flag or an hparam may have. Never NaN.
struct Range {
  static constexpr double kInfinity = std::numeric_limits<double>::infinity();

  double low = -kInfinity;
  double high = kInfinity;
  bool without_low = false;  // only what is above low
  bool without_high = false;

  static constexpr Range Between(double low, double high) {
    return {low, high, false, false};
  }
  static constexpr Range AtLeast(double low) {
    return {low, kInfinity, false, false};
  }
  static constexpr Range Above(double low) {
    return {low, kInfinity, true, false};
  }
  // Of shares and probabilities: 1 is not in it.
  static constexpr Range FromZeroBelow(double high) {
    return {0.0, high, false, true};
  }

  // Any int64: of seeds.
  static constexpr Range AnyInt() { return Between(-0x1p63, 0x1p63); }
  // Of --threads: 0 is one a core.
  static constexpr Range Threads() { return Between(0, 1024); }

  bool Contains(double value) const {
    return (without_low ? value > low : value >= low) &&
           (without_high ? value < high : value <= high);
  }

  // "0 or more", "above 0", "1 to 1024", "0 or more and below 1".
  std::string Text() const {
    const bool has_low = low > -kInfinity;
    const bool has_high = high < kInfinity;
    if (has_low && has_high && !without_low && !without_high) {
      return DoubleToString(low) + " to " + DoubleToString(high);
    }
    std::string text;
    if (has_low) {
      text = without_low ? "above " + DoubleToString(low)
                         : DoubleToString(low) + " or more";
    }
    if (has_high) {
      if (has_low) text += " and ";
      text += without_high ? "below " + DoubleToString(high)
                           : DoubleToString(high) + " at most";
    }
    return text.empty() ? "a number" : text;
  }
};

// "a, b or c": of the values that a flag or an hparam may have.
inline std::string ChoicesText(const std::vector<std::string>& choices) {
  if (choices.size() < 2) return Join(choices, "");
  return Join({choices.begin(), choices.end() - 1}, ", ") + " or " +
         choices.back();
}

}  // namespace t2t

#endif  // T2T_BASE_RANGE_H_
