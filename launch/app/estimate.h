#ifndef T2T_LAUNCH_APP_ESTIMATE_H_
#define T2T_LAUNCH_APP_ESTIMATE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "launch/app/costs.h"
#include "launch/render/pod.h"

namespace t2t {

struct TrainingEstimate {
  // Why there is none; the rest is 0 then.
  std::string none;
  int64_t targets = 0;            // size of their vocabulary
  bool vocabulary_known = false;  // else it is the problem's approximate size
  ModelCost cost;
  int64_t processes = 1;
  int64_t gpus = 0;  // of all Pods
  std::string memory_of;
  double memory_needed = 0;   // of one process, or of a Pod without a GPU
  double memory_certain = 0;  // of it what no other batch size makes less
  double memory_there = 0;    // 0: not known
  int64_t checkpoints = 0;    // that are kept
  // 0 where the kind of GPU, or the price, is not known.
  double step_seconds = 0;
  double hours = 0;
  double price = 0;
};

// What a process has besides the model.
inline constexpr double kProgramBytes = 0.4e9;

// "2.4 GB", "17 MB".
std::string BytesText(double bytes);

// Of a train component, by what costs know or ask. data_dirs: where its
// vocabulary may be on this machine.
TrainingEstimate EstimateTraining(const Component& component,
                                  const std::vector<std::string>& data_dirs,
                                  Costs* costs);

// For people; lines that end in '\n'.
std::string EstimateText(const TrainingEstimate& estimate);

// What can't work (at most one), and what probably won't.
std::vector<std::string> EstimateErrors(const TrainingEstimate& estimate);
std::vector<std::string> EstimateWarnings(const TrainingEstimate& estimate);

}  // namespace t2t

#endif  // T2T_LAUNCH_APP_ESTIMATE_H_
