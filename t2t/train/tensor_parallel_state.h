#ifndef T2T_TRAIN_TENSOR_PARALLEL_STATE_H_
#define T2T_TRAIN_TENSOR_PARALLEL_STATE_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "t2t/train/state.h"
#include "t2t/train/tensor_parallel_mesh.h"

namespace t2t {

// Tensor parallelism: `replica` is the state of this rank's shard of the model,
// over the ranks that hold the same shard. A checkpoint has whole tensors; they
// are sliced on their way in and put together on their way out.
class TensorParallelState : public TrainState {
 public:
  TensorParallelState(std::unique_ptr<TrainState> replica,
                      TensorParallelMesh* mesh, const ParamStore* params);

  void AddWeightNoise(double learning_rate) override;
  double Update(const std::vector<at::Tensor>& gradients,
                const std::vector<bool>& used, double learning_rate,
                int64_t step) override;
  void SwapAverages() override;

  ProcessGroup* replicas() const override { return replica_->replicas(); }
  // What the whole job holds: the tensors that are not split.
  NamedTensors Replicated() const override;
  std::vector<std::pair<ProcessGroup*, NamedTensors>> SameTensors()
      const override;
  bool counts() const override { return mesh_->counts(); }

  Tensors Gather() override;
  void Restore(const Restored& restored) override;
  Writer writer() const override;
  TensorShards OwnShards() const override;
  void RestoreShards(const ShardReader& read) override;

  std::shared_ptr<const Partition> owners() const override {
    return replica_->owners();
  }
  ShardedParameters* sharded_parameters() const override {
    return replica_->sharded_parameters();
  }

  int64_t OptimizerBytes() const override;
  int64_t ParameterBytes() const override;
  int64_t PeakParameterBytes() const override;

 private:
  bool IsSplit(const std::string& name) const;
  // The places of this rank's shard become places in whole tensors.
  TensorShards InWhole(TensorShards shards) const;
  void CheckFits(const Restored& restored) const;

  const std::unique_ptr<TrainState> replica_;
  TensorParallelMesh* const mesh_;
  const ParamStore* const params_;
};

}  // namespace t2t

#endif  // T2T_TRAIN_TENSOR_PARALLEL_STATE_H_
