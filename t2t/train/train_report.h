#ifndef T2T_TRAIN_TRAIN_REPORT_H_
#define T2T_TRAIN_TRAIN_REPORT_H_

#include <cstdint>
#include <memory>

#include "t2t/base/progress.h"
#include "t2t/formats/events.h"
#include "t2t/train/step_monitor.h"
#include "t2t/train/trainer_options.h"

namespace t2t {

// What a step's report is made of.
struct StepResult {
  double loss = 0;
  double learning_rate = 0;
  double gradient_norm = 0;
  int64_t tokens = 0;
  StepMonitor::Step measured{};
};

// What training tells while it runs: rank 0's progress line and event file, and
// warnings of slow ranks. Loss and speed are means over the steps since the
// last event (log_steps).
class TrainReport {
 public:
  // step: that the run stands at. Rank 0 makes the event file.
  TrainReport(const TrainerOptions& options, int64_t step);

  // Whether the next step's FLOPs are to be counted: counting costs a little.
  bool WantsFlops() const { return monitor_.WantsFlops(); }
  // After a step; `step` steps are done now.
  void Add(int64_t step, const StepResult& result);
  // What saving and evaluating took is no training time.
  void Exclude(double seconds) { interval_start_ += seconds; }
  // Before something else is printed.
  void EndLine() { progress_.EndLine(); }

 private:
  void WriteEvents(int64_t step, const StepResult& result, double seconds);
  void MeasurePeak();

  const TrainerOptions& options_;
  const bool first_;
  std::unique_ptr<EventWriter> events_;  // null but on rank 0
  Progress progress_;
  StepMonitor monitor_;
  double last_measured_;
  // Since the last event.
  double interval_start_;
  double loss_ = 0;
  int64_t steps_ = 0;
  int64_t tokens_ = 0;
};

}  // namespace t2t

#endif  // T2T_TRAIN_TRAIN_REPORT_H_
