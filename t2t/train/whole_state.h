#ifndef T2T_TRAIN_WHOLE_STATE_H_
#define T2T_TRAIN_WHOLE_STATE_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "t2t/optim/moving_average.h"
#include "t2t/train/state.h"

namespace t2t {

// Every rank holds all parameters (of its model, where tensor parallelism
// splits it), all optimizer state and all averages: data parallelism, and
// training in one process.
class WholeState : public TrainState {
 public:
  // replicas: null where there is one.
  WholeState(Model* model, const TrainerOptions& options,
             ProcessGroup* replicas);

  void AddWeightNoise(double learning_rate) override;
  double Update(const std::vector<at::Tensor>& gradients,
                const std::vector<bool>& used, double learning_rate,
                int64_t step) override;
  void SwapAverages() override;

  ProcessGroup* replicas() const override { return replicas_; }
  NamedTensors Replicated() const override;
  std::vector<std::pair<ProcessGroup*, NamedTensors>> SameTensors()
      const override;

  Tensors Gather() override;
  void Restore(const Restored& restored) override;
  void RestoreShards(const ShardReader& read) override;

  int64_t OptimizerBytes() const override { return optimizer_->StateBytes(); }
  int64_t ParameterBytes() const override;

 private:
  ParamStore* const params_;
  ProcessGroup* const replicas_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<MovingAverage> average_;  // null: none is kept
  // Tensor parallel: the gradients' norm over all shards of the model. Empty:
  // the model is whole here.
  Optimizer::TotalSquares total_squares_;
};

}  // namespace t2t

#endif  // T2T_TRAIN_WHOLE_STATE_H_
