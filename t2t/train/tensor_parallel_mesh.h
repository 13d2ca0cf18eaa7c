#ifndef T2T_TRAIN_TENSOR_PARALLEL_MESH_H_
#define T2T_TRAIN_TENSOR_PARALLEL_MESH_H_

#include <ATen/ATen.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "t2t/checkpoint/tensor_place.h"
#include "t2t/distributed/mesh.h"
#include "t2t/distributed/process_group.h"
#include "t2t/hparams/hparams.h"
#include "t2t/optim/optimizer.h"
#include "t2t/parallel/tensor_parallel_group.h"

namespace t2t {

// Tensor parallelism (Shoeybi et al. 2019, "Megatron-LM", arXiv:1909.08053) in
// training: the groups of ranks that the mesh's axis `model` makes, and how
// whole tensors, as checkpoints have them, and this rank's shards become each
// other. Tensors go by a checkpoint's names: a parameter's own,
// "ema/<parameter>", "optimizer/<slot>/<parameter>".
class TensorParallelMesh : public OptimizerShards {
 public:
  using State = std::map<std::string, at::Tensor>;

  // Null where the mesh has no such axis. Makes the groups: all ranks call it.
  static std::unique_ptr<TensorParallelMesh> Make(const std::string& mesh_shape,
                                                  const std::string& layout,
                                                  ProcessGroup* world);

  const Mesh& mesh() const { return mesh_; }
  TensorParallelGroup* group() { return &group_; }
  // All ranks of the job.
  ProcessGroup* world() const { return world_; }
  // The ranks that hold what this one holds, and take other batches.
  ProcessGroup* data() const { return data_.get(); }
  // Whether this rank's losses and tokens are to be counted: the others of its
  // model's group have the same.
  bool counts() const { return model_->rank() == 0; }

  // The squares of all parameters of the model, each counted once.
  Optimizer::TotalSquares TotalSquaresOf(
      const std::vector<NamedTensor>& parameters) const;

  // How a tensor is sharded; nullopt where all ranks hold the whole.
  std::optional<TensorParallel::Sharding> ShardingOf(
      const std::string& name) const;
  // For the optimizer.
  std::optional<Shard> ShardOf(const std::string& name) const override;
  void Sum(const at::Tensor& numbers) const override;
  // Where numbers lie in the whole tensor, out of where they lie in this rank's
  // shard of it; the same place where the tensor is not split.
  TensorPlace InWhole(const std::string& name, TensorPlace place) const;
  // Throws a MismatchError where a split tensor has not the whole's shape.
  void CheckShapes(const State& whole) const;
  // Replaces shards by whole tensors on the world's rank 0. The other ranks of
  // its model group must call it, too; any rank may.
  void GatherForFirst(State* state) const;
  // On the ranks that compute rank 0's batches with it: their shards of the
  // whole tensors that rank 0 has in `whole`. On the others nothing.
  State ShardsOfFirst(const State& whole) const;

 private:
  TensorParallelMesh(Mesh mesh, const Layout& layout, ProcessGroup* world,
                     std::unique_ptr<ProcessGroup> data,
                     std::unique_ptr<ProcessGroup> model);

  const Mesh mesh_;
  ProcessGroup* const world_;
  const std::unique_ptr<ProcessGroup> data_;
  const std::unique_ptr<ProcessGroup> model_;
  TensorParallelGroup group_;
};

}  // namespace t2t

#endif  // T2T_TRAIN_TENSOR_PARALLEL_MESH_H_
