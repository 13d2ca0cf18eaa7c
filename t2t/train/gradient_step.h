#ifndef T2T_TRAIN_GRADIENT_STEP_H_
#define T2T_TRAIN_GRADIENT_STEP_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "t2t/distributed/gradient_sum.h"
#include "t2t/distributed/phase.h"
#include "t2t/distributed/process_group.h"
#include "t2t/input/input.h"
#include "t2t/model/model.h"
#include "t2t/parallel/sharded_parameters.h"

namespace t2t {

// The loss and gradients of a step that takes one batch of the stream for each
// micro-batch. Every rank plans the whole stream, and reads and computes the
// batches of its own micro-batches. The loss is the mean over all the step's
// tokens. What is random in a batch depends on the step's seed and the batch's
// place in it, not on the rank.
//
// A step of one batch in one process takes the mean before the backward pass:
// its gradients need no sum, and are used as autograd returns them.
class GradientStep {
 public:
  struct Options {
    int64_t micro_batches = 1;
    GradientSum::Options sum;
    // The ranks that take different batches; null: all of the group's. The
    // others' losses are those of these; `counts` on one of each.
    ProcessGroup* data_group = nullptr;
    bool counts = true;
    // ZeRO stage 3: the model's, where `sum` says in_step; or null.
    ShardedParameters* parameters = nullptr;
  };

  // group: null where there is one process.
  GradientStep(Model* model, ProcessGroup* group, const Options& options);

  // What each rank tells, and knows of all ranks afterwards.
  struct Signals {
    int stop = 0;       // SIGTERM or SIGINT, where a rank got one
    bool save = false;  // rank 0 finds a checkpoint due
  };
  struct Result {
    double loss = 0;
    double weight = 0;  // of all tokens: their number, if all count as one
    Signals signals;
    // Of the parameters, or with ZeRO of this rank's runs of them
    // (GradientSum::runs()). Undefined for parameters that no batch uses. Valid
    // until the next step.
    std::vector<at::Tensor> gradients;
    std::vector<bool> used;      // by parameter, by any rank
    double exposed_seconds = 0;  // of waiting for other ranks
    // In which something was on its way between ranks; 0: not known.
    double communication_seconds = 0;
    StepTimes times;        // of this rank; the optimizer's is not in it
    double own_tokens = 0;  // of this rank
    // By rank; empty where there is one process.
    std::vector<double> rank_seconds;  // of input, forward and backward
    std::vector<double> rank_batches;
    std::vector<double> rank_tokens;
  };
  // Afterwards ATen's generator is at the same place on every rank.
  Result Run(InputPipeline* input, uint64_t step_seed, const Signals& signals);

  int64_t micro_batches() const { return options_.micro_batches; }
  // Whether a step is one batch of one process.
  bool one_batch() const { return !sum_.has_value(); }
  // Not where it is one_batch().
  const GradientSum& gradient_sum() const { return *sum_; }

 private:
  // The loss of a batch, times its weight (where it is one_batch(), not).
  struct WeightedLoss {
    at::Tensor loss;
    at::Tensor weight;
  };
  // By micro-batch.
  using Batches = std::map<int64_t, Batch>;
  using Losses = std::vector<std::pair<int64_t, WeightedLoss>>;

  const std::vector<int64_t>& OwnBatches() const;
  Batches Read(InputPipeline* input, StepTimes* times) const;
  // Forward and backward passes of this rank's batches.
  Losses Compute(Batches batches, uint64_t step_seed, Result* result);
  WeightedLoss Forward(const Features& features, uint64_t seed);
  std::vector<at::Tensor> Backward(const at::Tensor& loss);
  // Seconds, for other ranks.
  double Waited() const;
  void ReadLosses(const Losses& found, Result* result,
                  std::vector<double>* losses,
                  std::vector<double>* tokens) const;
  void Exchange(const Losses& found, Result* result);
  void SumGradients(Result* result);

  Model* const model_;
  ProcessGroup* const group_;
  const Options options_;
  const std::vector<at::Tensor> trainable_;
  std::optional<GradientSum> sum_;
};

}  // namespace t2t

#endif  // T2T_TRAIN_GRADIENT_STEP_H_
