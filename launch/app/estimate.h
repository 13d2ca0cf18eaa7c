#ifndef T2T_LAUNCH_APP_ESTIMATE_H_
#define T2T_LAUNCH_APP_ESTIMATE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "launch/render/pod.h"
#include "t2t/hparams/hparams.h"

namespace t2t {

// What a model is made for: sizes of vocabularies; inputs 0 where there are
// none (language models).
struct Vocabularies {
  int64_t inputs = 0;
  int64_t targets = 0;
};

// What a step of one process costs, out of the hyperparameters alone.
struct ModelCost {
  int64_t parameters = 0;
  double flops = 0;             // matrix products, forwards and backwards
  double state_bytes = 0;       // weights, gradients, the optimizer's state
  double checkpoint_bytes = 0;  // of them what is written down
  double activation_bytes = 0;  // about
  double gradient_bytes = 0;    // that ranks exchange
  bool half = false;            // computes in 16 bits
};

// Of the model transformer (or transformer_scorer) over symbols. Throws a
// usage error that says why where it can't tell.
ModelCost TransformerCost(const HParams& hparams,
                          const Vocabularies& vocabularies);

struct TrainingEstimate {
  // Why there is none; the rest is 0 then.
  std::string none;
  Vocabularies vocabularies;
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

// Of the model of a component that trains or evaluates one; throws as
// TransformerCost() does, and for names that are not there. Files of this
// machine are not looked at: the size of a vocabulary may be the problem's
// approximate one.
ModelCost CostOfModel(const Component& component);

// Of a train component. data_dirs: where its vocabulary may be on this machine.
TrainingEstimate EstimateTraining(const Component& component,
                                  const std::vector<std::string>& data_dirs);

// For people; lines that end in '\n'.
std::string EstimateText(const TrainingEstimate& estimate);

// What can't work (at most one), and what probably won't.
std::vector<std::string> EstimateErrors(const TrainingEstimate& estimate);
std::vector<std::string> EstimateWarnings(const TrainingEstimate& estimate);

}  // namespace t2t

#endif  // T2T_LAUNCH_APP_ESTIMATE_H_
