#ifndef T2T_DISTRIBUTED_REDUCTION_TREE_H_
#define T2T_DISTRIBUTED_REDUCTION_TREE_H_

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace t2t {

// [begin, end) of a step's batches.
struct BatchRange {
  int64_t begin;
  int64_t end;
  int64_t size() const { return end - begin; }
};
// The batches of a rank: neighbours, as many for each rank as it goes.
BatchRange BatchesOfRank(int64_t batches, int64_t size, int64_t rank);

// The fixed binary tree by which batches are added up: a node [begin, end) is
// its first half plus its second, the first one being the larger. The largest
// nodes that lie within a range, in order.
std::vector<BatchRange> TreeNodes(int64_t batches, BatchRange range);

// How many sums of two are due once `batch`, the last of some nodes within
// `range`, is there.
int64_t MergesAfter(int64_t batches, BatchRange range, int64_t batch);

// The sum of a whole tree of so many batches, out of the sums of `nodes`, which
// cover it from left to right; writes into these.
at::Tensor SumOfTree(int64_t batches, const std::vector<BatchRange>& nodes,
                     const std::function<at::Tensor(size_t node)>& sum_of);

}  // namespace t2t

#endif  // T2T_DISTRIBUTED_REDUCTION_TREE_H_
