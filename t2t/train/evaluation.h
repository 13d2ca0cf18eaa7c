#ifndef T2T_TRAIN_EVALUATION_H_
#define T2T_TRAIN_EVALUATION_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "t2t/formats/events.h"
#include "t2t/problem/problem.h"

namespace t2t {

// The problem's metrics that an evaluation computes; warns of the others.
std::vector<std::string> EvaluatedMetrics(const Problem& problem);

// How a line on stderr begins that holds one metric of an evaluation,
// "t2t-metric: loss=1.234567 step=9", for programs such as Katib's collector
// that read metrics out of a log. No other line of any program begins so.
constexpr char kMetricLinePrefix[] = "t2t-metric: ";

// Logs the results of an evaluation in one line, and for each metric in a line
// of its own.
void LogEvaluation(int64_t step, const std::map<std::string, double>& results,
                   double seconds);

// Writes them as events, under T2T's tags
// ("metrics-<problem>/targets/<metric>", of a mixture's members their names).
// `images`: T2T's image_summary.
void WriteEvaluation(const std::string& problem, int64_t step,
                     const std::map<std::string, double>& results,
                     const std::vector<Image>& images, EventWriter* events);

// The same into a folder where it can be written, else a warning: for those
// who only want to know. *events is made where it is null.
void WriteEvaluationIfPossible(const std::string& problem, int64_t step,
                               const std::map<std::string, double>& results,
                               const std::vector<Image>& images,
                               const std::string& folder,
                               std::unique_ptr<EventWriter>* events);

}  // namespace t2t

#endif  // T2T_TRAIN_EVALUATION_H_
