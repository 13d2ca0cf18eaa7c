#include "t2t/train/evaluation.h"

#include <cstdio>
#include <optional>

#include "t2t/base/error.h"
#include "t2t/base/log.h"
#include "t2t/base/progress.h"
#include "t2t/base/strings.h"
#include "t2t/metrics/metric_registry.h"
#include "t2t/problem/modality_traits.h"

namespace t2t {

namespace {

std::string TagOf(const std::string& problem, const std::string& metric) {
  if (metric == kLossMetric) return metric;
  const size_t slash = metric.find('/');
  if (slash == std::string::npos) {
    return "metrics-" + problem + "/targets/" + metric;
  }
  return "metrics-" + metric.substr(0, slash) + "/targets/" +
         metric.substr(slash + 1);
}

}  // namespace

std::vector<std::string> EvaluatedMetrics(const Problem& problem) {
  const auto targets = problem.features.find("targets");
  const bool of_ids =
      targets == problem.features.end() ||
      TraitsOfModality(targets->second.modality).targets_are_ids;
  std::vector<std::string> metrics;
  for (const std::string& name : problem.metrics) {
    // (Written as images next to the numbers.)
    if (name == "image_summary") continue;
    const Metric* const metric = FindMetric(name);
    if (metric == nullptr || metric->needs_outputs == of_ids) {
      Warn("the metric " + name + " is left out of evaluations");
    } else {
      metrics.push_back(name);
    }
  }
  return metrics;
}

void LogEvaluation(int64_t step, const std::map<std::string, double>& results,
                   double seconds) {
  std::string line = "evaluation at step " + std::to_string(step) + ":";
  std::string metric_lines;
  for (const auto& [name, value] : results) {
    const std::string number = Format("%.6f", value);
    line += "  " + name + " " + number;
    metric_lines += kMetricLinePrefix + name + "=" + number +
                    " step=" + std::to_string(step) + "\n";
  }
  Log(line + "  (" + DurationText(seconds) + ")");
  std::fputs(metric_lines.c_str(), stderr);
}

void WriteEvaluation(const std::string& problem, int64_t step,
                     const std::map<std::string, double>& results,
                     const std::vector<Image>& images, EventWriter* events) {
  const std::string prefix = "metrics-" + problem + "/targets/";
  std::map<std::string, double> tags;
  for (const auto& [name, value] : results) {
    tags[TagOf(problem, name)] = value;
  }
  events->Write(step, tags);
  if (images.empty()) return;
  std::vector<TaggedImage> tagged;
  for (const Image& image : images) {
    tagged.push_back(
        {prefix + "image_summary/" + std::to_string(tagged.size()), image});
  }
  events->WriteImages(step, tagged);
}

void WriteEvaluationIfPossible(const std::string& problem, int64_t step,
                               const std::map<std::string, double>& results,
                               const std::vector<Image>& images,
                               const std::string& folder,
                               std::unique_ptr<EventWriter>* events) {
  try {
    if (*events == nullptr) {
      *events = std::make_unique<EventWriter>(folder, std::nullopt);
    }
    WriteEvaluation(problem, step, results, images, events->get());
  } catch (const Error& error) {
    if (error.code() != ExitCode::kIo) throw;
    Warn(std::string("no events were written: ") + error.what());
  }
}

}  // namespace t2t
