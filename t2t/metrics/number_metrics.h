#ifndef T2T_METRICS_NUMBER_METRICS_H_
#define T2T_METRICS_NUMBER_METRICS_H_

#include <vector>

#include "t2t/metrics/metric_registry.h"

namespace t2t {

// T2T's metrics of targets that are numbers: errors of a regression, and of
// classes that are given as a 1 among zeros. A part of the registry.
std::vector<Metric> NumberMetrics();

}  // namespace t2t

#endif  // T2T_METRICS_NUMBER_METRICS_H_
