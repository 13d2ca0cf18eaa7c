#include "t2t/train/evaluation.h"

#include <cstdio>

#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/train/eval_metrics.h"
#include "t2t/train/progress.h"

namespace t2t {

std::vector<std::string> EvaluatedMetrics(const Problem& problem) {
  std::vector<std::string> metrics;
  for (const std::string& name : problem.EvalMetrics()) {
    if (SupportedMetrics({name}).empty()) {
      Warn("the metric " + name + " is left out of evaluations");
    } else {
      metrics.push_back(name);
    }
  }
  return metrics;
}

void RecordEvaluation(const std::string& problem, int64_t step,
                      const std::map<std::string, double>& results,
                      double seconds, EventWriter* events) {
  std::map<std::string, double> tags;
  std::string line = "evaluation at step " + std::to_string(step) + ":";
  std::string metric_lines;
  for (const auto& [name, value] : results) {
    const std::string number = Format("%.6f", value);
    line += "  " + name + " " + number;
    metric_lines += kMetricLinePrefix + name + "=" + number +
                    " step=" + std::to_string(step) + "\n";
    tags[name == "loss" ? name : "metrics-" + problem + "/targets/" + name] =
        value;
  }
  Log(line + "  (" + DurationText(seconds) + ")");
  std::fputs(metric_lines.c_str(), stderr);
  events->Write(step, tags);
}

}  // namespace t2t
