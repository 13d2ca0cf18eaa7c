#ifndef T2T_PARALLEL_TENSOR_PARALLEL_GROUP_H_
#define T2T_PARALLEL_TENSOR_PARALLEL_GROUP_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "t2t/distributed/mesh.h"
#include "t2t/distributed/process_group.h"
#include "t2t/nn/tensor_parallel.h"

namespace t2t {

// Tensor, sequence and expert parallelism over the ranks of the mesh's axis
// `model`. A model is made for it by ParamOptions; its sums are those of one
// process to within rounding, and so is what dropout drops.
class TensorParallelGroup : public TensorParallel {
 public:
  // group: of the axis model; outlives this.
  TensorParallelGroup(ProcessGroup* group, const Layout& layout)
      : TensorParallel(layout, group->rank(), group->size()), group_(group) {}

  ProcessGroup* group() const { return group_; }

  // What is sharded of the models that were made for it, by the parameter's
  // name.
  const std::map<std::string, Sharding>& shardings() const {
    return shardings_;
  }
  // A rank's shard along the sharding's dimension.
  ShardRange RangeOf(const Sharding& sharding, int64_t rank) const;
  // This rank's shard of the whole (a copy), and the whole out of all shards:
  // to be called by all ranks.
  at::Tensor Slice(const at::Tensor& whole, const Sharding& sharding) const;
  at::Tensor Whole(const at::Tensor& shard, const Sharding& sharding) const;

  at::Tensor Param(const Scope& scope, const std::string& name,
                   const Sharding& sharding, const Initializer& init) override;
  at::Tensor Enter(const at::Tensor& x, bool split) const override;
  at::Tensor Leave(const at::Tensor& y, bool split) const override;
  at::Tensor Between(const at::Tensor& parameter) const override;
  at::Tensor CopyIn(const at::Tensor& x) const override;
  at::Tensor SumOut(const at::Tensor& x) const override;
  at::Tensor Gather(const at::Tensor& shard, int64_t dim,
                    int64_t whole) const override;
  at::Tensor TakeShard(const at::Tensor& whole, int64_t dim) const override;
  at::Tensor RunExperts(const at::Tensor& rows,
                        const std::vector<int64_t>& counts,
                        const Experts& own_experts) const override;
  at::Tensor AllGather(const at::Tensor& x, const char* what) const override;

 private:
  // As Gather() and SumOut() + TakeShard(), around what is split.
  at::Tensor GatherIn(const at::Tensor& shard, int64_t dim,
                      int64_t whole) const;
  at::Tensor SumShard(const at::Tensor& x, int64_t dim) const;
  // Rows to and from each rank: so many, in the order of the ranks.
  at::Tensor ExchangeRows(const at::Tensor& rows,
                          const std::vector<int64_t>& sent,
                          const std::vector<int64_t>& received) const;

  // The same without a gradient.
  at::Tensor GatherAlong(const at::Tensor& shard, int64_t dim,
                         int64_t whole) const;
  at::Tensor SumAndTake(const at::Tensor& x, int64_t dim) const;
  at::Tensor MoveRows(const at::Tensor& rows, const std::vector<int64_t>& sent,
                      const std::vector<int64_t>& received) const;

  friend struct TensorParallelFunctions;

  ProcessGroup* const group_;
  std::map<std::string, Sharding> shardings_;
};

}  // namespace t2t

#endif  // T2T_PARALLEL_TENSOR_PARALLEL_GROUP_H_
