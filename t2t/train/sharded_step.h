#ifndef T2T_TRAIN_SHARDED_STEP_H_
#define T2T_TRAIN_SHARDED_STEP_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "t2t/distributed/gradient_sum.h"
#include "t2t/distributed/phase.h"
#include "t2t/distributed/process_group.h"
#include "t2t/input/input.h"
#include "t2t/model/model.h"
#include "t2t/parallel/sharded_parameters.h"

namespace t2t {

// The loss and gradients of a step that takes several batches of the stream: a
// batch for each virtual rank. Every rank reads the
// whole stream and computes the batches of its own virtual ranks. The loss is
// the mean over all the step's tokens. What is random in a batch depends on the
// step's seed and the batch's place in it, not on the rank.
class ShardedStep {
 public:
  struct Options {
    int64_t virtual_ranks = 1;
    GradientSum::Options sum;
    // The ranks that take different batches; null: all of the group's. The
    // others' losses are those of these; `counts` on one of each.
    ProcessGroup* data_group = nullptr;
    bool counts = true;
    // ZeRO stage 3: the model's, where `sum` says in_step; or null.
    ShardedParameters* parameters = nullptr;
  };

  // group: null where there is one process.
  ShardedStep(Model* model, ProcessGroup* group, const Options& options);

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
    // (GradientSum::runs()). Undefined for parameters that no shard uses. Valid
    // until the next step.
    std::vector<at::Tensor> gradients;
    std::vector<bool> used;      // by parameter, by any rank
    double exposed_seconds = 0;  // of waiting for other ranks
    // In which something was on its way between ranks; 0: not known.
    double communication_seconds = 0;
    StepTimes times;  // of this rank; the optimizer's is not in it
    // By rank.
    std::vector<double> rank_seconds;  // of input, forward and backward
    std::vector<double> rank_batches;
    std::vector<double> rank_tokens;
  };
  Result Run(InputPipeline* input, uint64_t step_seed, const Signals& signals);

  int64_t virtual_ranks() const { return options_.virtual_ranks; }
  const GradientSum& gradient_sum() const { return sum_; }

 private:
  // The loss of a batch, times its weight.
  struct WeightedLoss {
    at::Tensor loss;
    at::Tensor weight;
  };
  WeightedLoss Forward(const Features& features, uint64_t seed);
  void Backward(const at::Tensor& loss);
  // Seconds, for other ranks.
  double Waited() const;
  void Exchange(const std::vector<double>& losses,
                const std::vector<double>& tokens, Result* result);

  Model* const model_;
  ProcessGroup* const group_;
  const Options options_;
  const std::vector<at::Tensor> trainable_;
  GradientSum sum_;
};

}  // namespace t2t

#endif  // T2T_TRAIN_SHARDED_STEP_H_
