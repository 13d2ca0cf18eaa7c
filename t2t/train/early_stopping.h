#ifndef T2T_TRAIN_EARLY_STOPPING_H_
#define T2T_TRAIN_EARLY_STOPPING_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "t2t/base/json.h"

namespace t2t {

// T2T's rule: training stops where the metric has not got better by delta for
// num_steps.
class EarlyStopping {
 public:
  // num_steps 0: never stops.
  EarlyStopping(int64_t num_steps, double delta, bool minimize)
      : num_steps_(num_steps), delta_(delta), minimize_(minimize) {}

  void Add(int64_t step, double value) { history_.emplace_back(step, value); }
  // Whether there is a value of that step or a later one.
  bool HasValueSince(int64_t step) const {
    return !history_.empty() && history_.back().first >= step;
  }
  bool Plateaued() const;

  Json ToJson() const;
  void Load(const Json& json);

 private:
  const int64_t num_steps_;
  const double delta_;
  const bool minimize_;
  std::vector<std::pair<int64_t, double>> history_;
};

}  // namespace t2t

#endif  // T2T_TRAIN_EARLY_STOPPING_H_
