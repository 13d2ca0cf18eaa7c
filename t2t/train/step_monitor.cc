#include "t2t/train/step_monitor.h"

#include <algorithm>

#include "t2t/base/strings.h"

namespace t2t {
namespace {

void AddTo(std::vector<double>* sums, const std::vector<double>& values) {
  sums->resize(std::max(sums->size(), values.size()));
  for (size_t i = 0; i < values.size(); ++i) (*sums)[i] += values[i];
}

}  // namespace

std::vector<std::string> StepMonitor::Add(const Step& step) {
  ++steps_;
  tokens_ += step.tokens;
  waited_ += step.waited;
  under_way_ += step.under_way;
  times_.input += step.times.input;
  times_.forward += step.times.forward;
  times_.backward += step.times.backward;
  times_.optimizer += step.times.optimizer;
  if (step.own_flops > 0) {
    counted_flops_ += step.own_flops;
    counted_tokens_ += step.own_tokens;
  }
  AddTo(&rank_seconds_, step.rank_seconds);
  AddTo(&rank_tokens_, step.rank_tokens);
  if (step.rank_seconds.size() < 2) return {};
  std::vector<double> each = step.rank_seconds;
  for (size_t rank = 0; rank < each.size(); ++rank) {
    each[rank] /= std::max(1.0, step.rank_batches[rank]);
  }
  return finder_.Add(each);
}

double StepMonitor::Efficiency(double seconds) const {
  const double ranks = static_cast<double>(options_.ranks);
  if (options_.one_rank_tokens_per_second > 0) {
    return tokens_ / (seconds * ranks * options_.one_rank_tokens_per_second);
  }
  double busy = times_.optimizer * ranks;  // takes each rank the same
  for (const double rank : rank_seconds_) busy += rank;
  return busy / (seconds * ranks);
}

double StepMonitor::HiddenCommunication() const {
  return under_way_ > 0 ? std::max(0.0, 1 - waited_ / under_way_) : 0;
}

double StepMonitor::Utilisation(double seconds) const {
  if (options_.peak_flops <= 0 || counted_tokens_ <= 0) return 0;
  // Where ranks share a batch, each has counted a part.
  double computed = 0;
  for (const double rank : rank_tokens_) computed += rank;
  if (rank_tokens_.empty()) computed = tokens_;
  return counted_flops_ / counted_tokens_ * computed /
         (seconds * static_cast<double>(options_.ranks) * options_.peak_flops);
}

std::string StepMonitor::LineText(double seconds) const {
  std::string text;
  if (options_.ranks > 1) {
    text += Format("  %.0f a rank  efficiency %.0f%%",
                   tokens_ / seconds / static_cast<double>(options_.ranks),
                   100 * Efficiency(seconds));
  }
  if (options_.peak_flops > 0 && counted_tokens_ > 0) {
    text += Format("  MFU %.1f%%", 100 * Utilisation(seconds));
  }
  const auto share = [&](double part) { return 100 * part / seconds; };
  text += Format("  in %.0f%% fw %.0f%% bw %.0f%%", share(times_.input),
                 share(times_.forward), share(times_.backward));
  if (options_.ranks > 1) text += Format(" wait %.0f%%", share(waited_));
  if (under_way_ > 0) {
    text += Format(" (hidden %.0f%%)", 100 * HiddenCommunication());
  }
  return text + Format(" opt %.0f%%", share(times_.optimizer));
}

std::map<std::string, double> StepMonitor::Values(double seconds) const {
  const double steps = std::max(1.0, static_cast<double>(steps_));
  std::map<std::string, double> values = {
      {"step_seconds/input", times_.input / steps},
      {"step_seconds/forward", times_.forward / steps},
      {"step_seconds/backward", times_.backward / steps},
      {"step_seconds/optimizer", times_.optimizer / steps}};
  if (options_.peak_flops > 0 && counted_tokens_ > 0) {
    values["model_flops_utilisation"] = Utilisation(seconds);
    values["flops_per_token"] = counted_flops_ / counted_tokens_;
  }
  if (options_.ranks == 1) return values;
  values["exposed_communication_seconds"] = waited_ / steps;
  if (under_way_ > 0) {
    values["communication_seconds"] = under_way_ / steps;
    values["hidden_communication_fraction"] = HiddenCommunication();
  }
  values["scaling_efficiency"] = Efficiency(seconds);
  values["tokens_per_second_per_rank"] =
      tokens_ / seconds / static_cast<double>(options_.ranks);
  for (size_t rank = 0; rank < rank_tokens_.size(); ++rank) {
    values[Format("rank_%zu/tokens_per_second", rank)] =
        rank_tokens_[rank] / seconds;
    values[Format("rank_%zu/compute_seconds", rank)] =
        rank_seconds_[rank] / steps;
  }
  return values;
}

void StepMonitor::Reset() {
  steps_ = 0;
  tokens_ = 0;
  waited_ = 0;
  under_way_ = 0;
  times_ = {};
  rank_seconds_.clear();
  rank_tokens_.clear();
}

}  // namespace t2t
