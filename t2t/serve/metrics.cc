#include "t2t/serve/metrics.h"

#include <algorithm>
#include <utility>

#include "t2t/base/strings.h"

namespace t2t {

void Metrics::Describe(const std::string& family, const std::string& type,
                       const std::string& help) {
  const std::lock_guard<std::mutex> lock(mutex_);
  families_[family] = {type, help};
}

void Metrics::Count(const std::string& name, int64_t by) {
  const std::lock_guard<std::mutex> lock(mutex_);
  counters_[name] += by;
}

void Metrics::Set(const std::string& name, double value) {
  const std::lock_guard<std::mutex> lock(mutex_);
  gauges_[name] = value;
}

void Metrics::AddHistogram(const std::string& name, const std::string& help,
                           std::vector<double> bounds) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Histogram& histogram = histograms_[name];
  histogram.help = help;
  histogram.counts.assign(bounds.size() + 1, 0);
  histogram.bounds = std::move(bounds);
}

void Metrics::Observe(const std::string& name, double value) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Histogram& histogram = histograms_.at(name);
  const auto bound =
      std::lower_bound(histogram.bounds.begin(), histogram.bounds.end(), value);
  ++histogram.counts[bound - histogram.bounds.begin()];
  histogram.sum += value;
}

int64_t Metrics::Value(const std::string& counter) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = counters_.find(counter);
  return found == counters_.end() ? 0 : found->second;
}

std::string Metrics::ToText() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::map<std::string, std::string> samples;  // by family
  const auto add = [&](const std::string& name, const std::string& value) {
    samples[name.substr(0, name.find('{'))] += name + " " + value + "\n";
  };
  for (const auto& [name, value] : counters_) add(name, std::to_string(value));
  for (const auto& [name, value] : gauges_) add(name, DoubleToString(value));
  std::string text;
  for (const auto& [family, lines] : samples) {
    const auto found = families_.find(family);
    if (found != families_.end()) {
      text += "# HELP " + family + " " + found->second.help + "\n# TYPE " +
              family + " " + found->second.type + "\n";
    }
    text += lines;
  }
  for (const auto& [name, histogram] : histograms_) {
    text += "# HELP " + name + " " + histogram.help + "\n# TYPE " + name +
            " histogram\n";
    int64_t count = 0;
    for (size_t i = 0; i < histogram.counts.size(); ++i) {
      count += histogram.counts[i];
      const std::string bound = i < histogram.bounds.size()
                                    ? DoubleToString(histogram.bounds[i])
                                    : "+Inf";
      text += name + "_bucket{le=\"" + bound + "\"} " + std::to_string(count) +
              "\n";
    }
    text += name + "_sum " + DoubleToString(histogram.sum) + "\n" + name +
            "_count " + std::to_string(count) + "\n";
  }
  return text;
}

}  // namespace t2t
