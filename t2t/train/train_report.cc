#include "t2t/train/train_report.h"

#include <algorithm>
#include <map>
#include <string>

#include "t2t/base/log.h"

namespace t2t {
namespace {

// From one measurement of the machine's peak, which takes a tenth of a second,
// to the next.
constexpr double kMeasureSeconds = 120;

}  // namespace

TrainReport::TrainReport(const TrainerOptions& options, int64_t step)
    : options_(options),
      first_(IsFirst(options.group)),
      progress_(step, options.train_steps),
      monitor_(options.monitor),
      last_measured_(NowSeconds()),
      interval_start_(NowSeconds()) {
  if (first_) {
    events_ = std::make_unique<EventWriter>(options.output_dir, step + 1);
  }
}

void TrainReport::Add(int64_t step, const StepResult& result) {
  for (const std::string& text : monitor_.Add(result.measured)) {
    if (!first_) break;
    EndLine();
    Warn(text);
  }
  loss_ += result.loss;
  tokens_ += result.tokens;
  ++steps_;
  const bool log =
      step == options_.train_steps || step % options_.log_steps == 0;
  const double seconds = std::max(NowSeconds() - interval_start_, 1e-9);
  if (first_) {
    progress_.Report(step, loss_ / static_cast<double>(steps_),
                     result.learning_rate,
                     static_cast<double>(tokens_) / seconds, log,
                     monitor_.LineText(seconds));
  }
  if (!log) return;
  if (first_) WriteEvents(step, result, seconds);
  MeasurePeak();
  interval_start_ = NowSeconds();
  loss_ = 0;
  steps_ = 0;
  tokens_ = 0;
  monitor_.Reset();
}

void TrainReport::WriteEvents(int64_t step, const StepResult& result,
                              double seconds) {
  const double steps = static_cast<double>(steps_);
  std::map<std::string, double> values = {
      {"loss", loss_ / steps},
      {"learning_rate", result.learning_rate},
      {"global_norm/gradient_norm", result.gradient_norm},
      {"global_step/sec", steps / seconds},
      {"tokens_per_second", static_cast<double>(tokens_) / seconds}};
  values.merge(monitor_.Values(seconds));
  events_->Write(step, values);
}

void TrainReport::MeasurePeak() {
  if (options_.measure_peak == nullptr ||
      NowSeconds() - last_measured_ <= kMeasureSeconds) {
    return;
  }
  monitor_.set_peak_flops(options_.measure_peak());
  last_measured_ = NowSeconds();
}

}  // namespace t2t
