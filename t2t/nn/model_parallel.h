#ifndef T2T_NN_MODEL_PARALLEL_H_
#define T2T_NN_MODEL_PARALLEL_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "t2t/distributed/mesh.h"
#include "t2t/distributed/process_group.h"
#include "t2t/nn/params.h"
#include "t2t/ops/dropout.h"

namespace t2t {

// How a model is split over the ranks of the mesh's axis `model`, which compute
// the same batches together. Layers that are made for it (ParamOptions) hold
// their part of the parameters and exchange what the others need; the sums are
// those of one process to within rounding, and so is what dropout drops.
//
// Every rank makes the same calls in the same order, in the forward and in the
// backward pass. A tensor that all ranks hold has, on all of them, the whole
// gradient.
class ModelParallel {
 public:
  // group: of the axis model; outlives this.
  ModelParallel(ProcessGroup* group, const Layout& layout)
      : group_(group), layout_(layout) {}
  ModelParallel(const ModelParallel&) = delete;
  ModelParallel& operator=(const ModelParallel&) = delete;

  const Layout& layout() const { return layout_; }
  int64_t rank() const { return group_->rank(); }
  int64_t size() const { return group_->size(); }
  ProcessGroup* group() const { return group_; }

  // A parameter split along a dimension in parts of whole units; what of it
  // this rank holds.
  struct Piece {
    std::vector<int64_t> shape;  // of the whole
    int64_t dim = 0;
    int64_t unit = 1;
  };
  // This rank's part of a parameter, the part of the tensor that one process
  // would make.
  at::Tensor Param(const Scope& scope, const std::string& name,
                   const Piece& piece, const Initializer& init);
  // By the parameter's name.
  const std::map<std::string, Piece>& pieces() const { return pieces_; }
  PartRange RangeOf(const Piece& piece, int64_t rank) const;
  // A rank's part of the whole (a copy), and the whole out of all parts: to be
  // called by all ranks.
  at::Tensor Slice(const at::Tensor& whole, const Piece& piece) const;
  at::Tensor Whole(const at::Tensor& part, const Piece& piece) const;

  // The following are differentiable.

  // Where what follows is `split` over the ranks: what all ranks hold goes in
  // (its gradient is the sum of all ranks'), and their sum comes out.
  at::Tensor CopyIn(const at::Tensor& x) const;
  at::Tensor SumOut(const at::Tensor& x) const;
  // All ranks' parts along a dimension, for what all ranks then compute alike;
  // and this rank's part of what they did.
  at::Tensor Gather(const at::Tensor& part, int64_t dim, int64_t whole) const;
  at::Tensor TakePart(const at::Tensor& whole, int64_t dim) const;
  // As Gather() and SumOut() + TakePart(), around what is split.
  at::Tensor GatherIn(const at::Tensor& part, int64_t dim, int64_t whole) const;
  at::Tensor SumPart(const at::Tensor& x, int64_t dim) const;
  // Rows to and from each rank: so many, in the order of the ranks.
  at::Tensor ExchangeRows(const at::Tensor& rows,
                          const std::vector<int64_t>& sent,
                          const std::vector<int64_t>& received) const;

  // Between the layers, tensors [batch, length, hidden] are split along the
  // length while one lives (layout().length): each rank holds its part of
  // `length` positions.
  class SplitLength {
   public:
    SplitLength(ModelParallel* parallel, int64_t length);
    ~SplitLength();
    SplitLength(const SplitLength&) = delete;
    SplitLength& operator=(const SplitLength&) = delete;

    at::Tensor Split(const at::Tensor& x) const;
    at::Tensor Join(const at::Tensor& x) const;
    // This rank's part of [batch, length] that has no gradient.
    at::Tensor Own(const at::Tensor& x) const;

   private:
    ModelParallel* const parallel_;  // null: nothing is split
    const int64_t length_;
    int64_t before_ = 0;
  };

  // A layer's input and output, between which the ranks compute different
  // things (split) or the same.
  at::Tensor Enter(const at::Tensor& x, bool split) const;
  at::Tensor Leave(const at::Tensor& y, bool split) const;
  // A parameter that all ranks hold, used between the layers.
  at::Tensor Between(const at::Tensor& parameter) const;
  // Where the tensor between the layers lies in the whole.
  DropoutPart PartBetween(const at::Tensor& x) const;
  // Whether a SplitLength lives, the length it splits, and this rank's part of
  // a tensor [batch, length, ...] without a gradient.
  bool SplitsLength() const { return length_ != 0; }
  int64_t length() const { return length_; }
  at::Tensor OwnLength(const at::Tensor& x) const;

 private:
  at::Tensor GatherAlong(const at::Tensor& part, int64_t dim,
                         int64_t whole) const;
  at::Tensor SumAndTake(const at::Tensor& x, int64_t dim) const;
  at::Tensor MoveRows(const at::Tensor& rows, const std::vector<int64_t>& sent,
                      const std::vector<int64_t>& received) const;

  friend struct ModelParallelFunctions;

  ProcessGroup* const group_;
  const Layout layout_;
  std::map<std::string, Piece> pieces_;
  int64_t length_ = 0;  // 0: not split
};

// Kernel [in, out] split by columns of whole units: each rank makes its part of
// the outputs. Whole where parallel is null.
class ColumnDense {
 public:
  ColumnDense() = default;
  ColumnDense(const Scope& scope, int64_t in, int64_t out, bool use_bias,
              ModelParallel* parallel, int64_t unit = 1);

  // x after Enter(x, true).
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  at::Tensor kernel_;
  at::Tensor bias_;
};

// Kernel [in, out] split by rows: each rank has its part of the inputs.
class RowDense {
 public:
  RowDense() = default;
  RowDense(const Scope& scope, int64_t in, int64_t out, bool use_bias,
           ModelParallel* parallel, int64_t unit = 1);

  // Does Leave(y, true).
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  ModelParallel* parallel_ = nullptr;
  at::Tensor kernel_;
  at::Tensor bias_;
};

}  // namespace t2t

#endif  // T2T_NN_MODEL_PARALLEL_H_
