#ifndef T2T_TRAIN_ZERO_STATE_H_
#define T2T_TRAIN_ZERO_STATE_H_

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "t2t/train/sharded_optimizer.h"
#include "t2t/train/state.h"

namespace t2t {

// ZeRO: each rank holds a shard of the optimizer state and of the averages; in
// stage 3 of the parameters, too, which come together one FSDP unit at a time
// while the model computes. What is not sharded is replicated.
class ZeroState : public TrainState {
 public:
  // Throws a UsageError for an optimizer or a model that can't be sharded.
  ZeroState(Model* model, const TrainerOptions& options,
            ProcessGroup* replicas);
  ~ZeroState() override;

  void AddWeightNoise(double learning_rate) override;
  double Update(const std::vector<at::Tensor>& gradients,
                const std::vector<bool>& used, double learning_rate,
                int64_t step) override;
  void SwapAverages() override;

  ProcessGroup* replicas() const override { return replicas_; }
  NamedTensors Replicated() const override;
  std::vector<std::pair<ProcessGroup*, NamedTensors>> SameTensors()
      const override {
    return {{replicas_, Replicated()}};
  }

  Tensors Gather() override;
  void Restore(const Restored& restored) override;
  Writer writer() const override {
    return {replicas_->rank(), replicas_->size()};
  }
  TensorShards OwnShards() const override;
  void RestoreShards(const ShardReader& read) override;

  std::shared_ptr<const Partition> owners() const override { return owners_; }
  ShardedParameters* sharded_parameters() const override {
    return parameters_.get();
  }

  int64_t OptimizerBytes() const override { return optimizer_->StateBytes(); }
  int64_t ParameterBytes() const override;
  int64_t PeakParameterBytes() const override;

 private:
  // Stage 3: memory for all parameters on the first replica, filled with
  // initial values where these are wanted.
  void MakeWhole(bool values);
  ShardedParameters::Draw InitialValues() const;
  // What the first replica does before it shares a checkpoint.
  void LoadFirst(const Restored& restored);

  ParamStore* const params_;
  ProcessGroup* const replicas_;
  const bool has_averages_;
  const std::map<std::string, DrawParameter> initial_values_;
  std::shared_ptr<const Partition> owners_;
  std::unique_ptr<ShardedParameters> parameters_;  // stage 3
  std::unique_ptr<ShardedOptimizer> optimizer_;    // and averages
};

}  // namespace t2t

#endif  // T2T_TRAIN_ZERO_STATE_H_
