#ifndef T2T_OPS_LABEL_SMOOTHING_H_
#define T2T_OPS_LABEL_SMOOTHING_H_

#include <cmath>
#include <cstdint>
#include <string>

#include "t2t/base/error.h"

namespace t2t {

// The probabilities that are to be learnt, and their entropy.
struct LabelSmoothing {
  LabelSmoothing(double smoothing, int64_t classes) {
    if (!(smoothing >= 0.0 && smoothing < 1.0)) {
      throw UsageError("label_smoothing is " + std::to_string(smoothing),
                       "a number from 0 up to, but not, 1",
                       "change --hparams=label_smoothing=...");
    }
    const double others = static_cast<double>(classes - 1);
    high = 1.0 - smoothing;
    low = classes > 1 ? smoothing / others : 0.0;
    entropy = -(high * std::log(high) + others * low * std::log(low + 1e-20));
  }

  double high;  // of the target
  double low;   // of each other class
  double entropy;
};

}  // namespace t2t

#endif  // T2T_OPS_LABEL_SMOOTHING_H_
