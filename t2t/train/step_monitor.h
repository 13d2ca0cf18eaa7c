#ifndef T2T_TRAIN_STEP_MONITOR_H_
#define T2T_TRAIN_STEP_MONITOR_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "t2t/distributed/phase.h"
#include "t2t/train/slow_rank.h"

namespace t2t {

// What the steps since the last report took and gave, for the progress line and
// the event file.
class StepMonitor {
 public:
  struct Options {
    int64_t ranks = 1;
    // Of a rank, FLOP a second; 0: no utilisation is told.
    double peak_flops = 0;
    // What one rank alone does; 0: not known.
    double one_rank_tokens_per_second = 0;
  };
  struct Step {
    double tokens = 0;      // of all ranks
    double waited = 0;      // of this rank, for others
    double under_way = 0;   // something was, between ranks; 0: not known
    StepTimes times;        // of this rank
    double own_tokens = 0;  // of this rank
    double own_flops = 0;   // where they were counted
    // By rank; empty where there is one.
    std::vector<double> rank_seconds;  // input, forward, backward
    std::vector<double> rank_batches;
    std::vector<double> rank_tokens;  // of its own batches
  };

  explicit StepMonitor(const Options& options) : options_(options) {}

  // Where a better one has been measured.
  void set_peak_flops(double flops) { options_.peak_flops = flops; }

  // Whether the next step's FLOPs are to be counted: counting costs a little.
  bool WantsFlops() const {
    return options_.peak_flops > 0 && steps_ < kCountedSteps;
  }
  // Returns what is to be said of slow ranks.
  std::vector<std::string> Add(const Step& step);

  // seconds: that the steps since the last Reset() took.
  std::string LineText(double seconds) const;
  std::map<std::string, double> Values(double seconds) const;
  void Reset();

  // With several ranks: what the job does against what as many ranks would that
  // never waited for each other, or where it is known what one rank alone does,
  // against as many times that.
  double Efficiency(double seconds) const;
  // Of the time in which something was under way between ranks, the share in
  // which this one did not wait; what it waits for is on its way. 0: not known.
  double HiddenCommunication() const;
  // Model FLOPs utilisation.
  double Utilisation(double seconds) const;

 private:
  // Of each interval.
  static constexpr int64_t kCountedSteps = 2;

  Options options_;
  SlowRankFinder finder_;
  int64_t steps_ = 0;
  double tokens_ = 0;
  double waited_ = 0;
  double under_way_ = 0;
  StepTimes times_;
  std::vector<double> rank_seconds_;
  std::vector<double> rank_tokens_;
  // Over all intervals: one has few steps that were counted.
  double counted_flops_ = 0;
  double counted_tokens_ = 0;
};

}  // namespace t2t

#endif  // T2T_TRAIN_STEP_MONITOR_H_
