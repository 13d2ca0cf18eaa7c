#ifndef T2T_SERVE_METRICS_H_
#define T2T_SERVE_METRICS_H_

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace t2t {

// Counters, gauges and histograms by name, in Prometheus' text format. A name
// may carry labels: `t2t_requests_total{code="200"}`.
class Metrics {
 public:
  void Describe(const std::string& family, const std::string& type,
                const std::string& help);
  void Count(const std::string& name, int64_t by = 1);
  void Set(const std::string& name, double value);
  // Upper bounds of the buckets, ascending; before the first Observe().
  void AddHistogram(const std::string& name, const std::string& help,
                    std::vector<double> bounds);
  void Observe(const std::string& name, double value);

  int64_t Value(const std::string& counter) const;  // 0 where unknown
  std::string ToText() const;

 private:
  struct Family {
    std::string type, help;
  };
  struct Histogram {
    std::string help;
    std::vector<double> bounds;
    std::vector<int64_t> counts;  // one more than bounds
    double sum = 0;
  };

  mutable std::mutex mutex_;
  std::map<std::string, Family> families_;
  std::map<std::string, int64_t> counters_;
  std::map<std::string, double> gauges_;
  std::map<std::string, Histogram> histograms_;
};

}  // namespace t2t

#endif  // T2T_SERVE_METRICS_H_
