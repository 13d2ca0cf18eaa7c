#ifndef T2T_NN_TENSOR_PARALLEL_H_
#define T2T_NN_TENSOR_PARALLEL_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "t2t/distributed/mesh.h"
#include "t2t/nn/params.h"
#include "t2t/ops/dropout_bits.h"

namespace t2t {

// What layers ask of tensor parallelism: Shoeybi et al. 2019, "Megatron-LM",
// arXiv:1909.08053. The ranks of a group compute the same batches together:
// each holds a shard of the parameters and exchanges what the others need.
// t2t/parallel implements it (TensorParallelGroup); a layer gets it from its
// scope, null where the model is whole.
//
// Every rank makes the same calls in the same order, in the forward and in the
// backward pass. A tensor that all ranks hold has, on all of them, the whole
// gradient.
class TensorParallel {
 public:
  // How a parameter is sharded: along one dimension, in shards of whole units.
  struct Sharding {
    std::vector<int64_t> shape;  // of the whole
    int64_t dim = 0;
    int64_t unit = 1;
  };

  virtual ~TensorParallel() = default;
  TensorParallel(const TensorParallel&) = delete;
  TensorParallel& operator=(const TensorParallel&) = delete;

  // Which kinds of layers are split.
  const Layout& layout() const { return layout_; }
  int64_t rank() const { return rank_; }
  int64_t size() const { return size_; }
  // Which of `total` heads, ids, .. are this rank's.
  ShardRange Own(int64_t total) const {
    return ShardRangeOf(total, size_, rank_);
  }

  // This rank's shard of a parameter, a slice of the tensor that one process
  // would make.
  virtual at::Tensor Param(const Scope& scope, const std::string& name,
                           const Sharding& sharding,
                           const Initializer& init) = 0;

  // The following are differentiable.

  // A layer's input and output, between which the ranks compute different
  // things (split) or the same.
  virtual at::Tensor Enter(const at::Tensor& x, bool split) const = 0;
  virtual at::Tensor Leave(const at::Tensor& y, bool split) const = 0;
  // A parameter that all ranks hold, used between the layers.
  virtual at::Tensor Between(const at::Tensor& parameter) const = 0;
  // Within a layer, around what is split: what all ranks hold goes in (its
  // gradient is the sum of all ranks'), and their sum comes out. The paper's f
  // and g.
  virtual at::Tensor CopyIn(const at::Tensor& x) const = 0;
  virtual at::Tensor SumOut(const at::Tensor& x) const = 0;
  // All ranks' shards along a dimension, for what all ranks then compute alike,
  // and this rank's shard of what they did.
  virtual at::Tensor Gather(const at::Tensor& shard, int64_t dim,
                            int64_t whole) const = 0;
  virtual at::Tensor TakeShard(const at::Tensor& whole, int64_t dim) const = 0;

  // Expert parallelism: Lepikhin et al. 2020, "GShard", arXiv:2006.16668.
  // rows: sorted by expert, counts[i] of expert i of all. Sends them to the
  // ranks that hold their experts, which make outputs of the same order and
  // number by `own_experts`, and brings those back.
  using Experts = std::function<at::Tensor(const at::Tensor& rows,
                                           const std::vector<int64_t>& counts)>;
  virtual at::Tensor RunExperts(const at::Tensor& rows,
                                const std::vector<int64_t>& counts,
                                const Experts& own_experts) const = 0;

  // [ranks, ...]: each rank's x, without a gradient. what: for messages.
  virtual at::Tensor AllGather(const at::Tensor& x, const char* what) const = 0;

  // Sequence parallelism: Korthikanti et al. 2022, arXiv:2205.05198. Where it
  // is not 0, tensors [batch, length, hidden] between the layers are sharded
  // along the length, which is so long in all (SequenceParallel in t2t/parallel
  // sets it around a stack).
  int64_t length() const { return length_; }
  void set_length(int64_t length) { length_ = length; }
  // This rank's shard of a tensor [batch, length, ...] without a gradient.
  at::Tensor OwnLength(const at::Tensor& x) const {
    const ShardRange own = Own(length_);
    return x.narrow(1, own.begin, own.size());
  }
  // Where a tensor between the layers lies in the whole.
  DropoutShard PartBetween(const at::Tensor& x) const;

 protected:
  TensorParallel(const Layout& layout, int64_t rank, int64_t size)
      : layout_(layout), rank_(rank), size_(size) {}

 private:
  const Layout layout_;
  const int64_t rank_;
  const int64_t size_;
  int64_t length_ = 0;
};

// Kernel [in, out] sharded by columns of whole units: each rank makes its shard
// of the outputs. Whole where parallel is null.
class ColumnParallelDense {
 public:
  ColumnParallelDense() = default;
  ColumnParallelDense(const Scope& scope, int64_t in, int64_t out,
                      bool use_bias, TensorParallel* parallel,
                      int64_t unit = 1);

  // x after Enter(x, true).
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  at::Tensor kernel_;
  at::Tensor bias_;
};

// Kernel [in, out] sharded by rows: each rank has its shard of the inputs.
class RowParallelDense {
 public:
  RowParallelDense() = default;
  RowParallelDense(const Scope& scope, int64_t in, int64_t out, bool use_bias,
                   TensorParallel* parallel, int64_t unit = 1);

  // Does Leave(y, true).
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  TensorParallel* parallel_ = nullptr;
  at::Tensor kernel_;
  at::Tensor bias_;
};

}  // namespace t2t

#endif  // T2T_NN_TENSOR_PARALLEL_H_
