#include "t2t/distributed/reduction_tree.h"

#include <ATen/ATen.h>

#include <bit>

namespace t2t {
namespace {

// Where a node's second half begins.
int64_t Middle(int64_t begin, int64_t end) {
  const uint64_t size = static_cast<uint64_t>(end - begin);
  return begin + static_cast<int64_t>(std::bit_floor(size - 1));
}

void AddNodes(int64_t begin, int64_t end, BatchRange range,
              std::vector<BatchRange>* nodes) {
  if (begin >= range.end || end <= range.begin) return;
  if (begin >= range.begin && end <= range.end) {
    nodes->push_back({begin, end});
    return;
  }
  const int64_t middle = Middle(begin, end);
  AddNodes(begin, middle, range, nodes);
  AddNodes(middle, end, range, nodes);
}

}  // namespace

BatchRange BatchesOfRank(int64_t batches, int64_t size, int64_t rank) {
  return {rank * batches / size, (rank + 1) * batches / size};
}

std::vector<BatchRange> TreeNodes(int64_t batches, BatchRange range) {
  std::vector<BatchRange> nodes;
  AddNodes(0, batches, range, &nodes);
  return nodes;
}

int64_t MergesAfter(int64_t batches, BatchRange range, int64_t batch) {
  int64_t merges = 0;
  int64_t begin = 0;
  int64_t end = batches;
  while (end - begin > 1) {
    const bool within = begin >= range.begin && end <= range.end;
    if (within && batch == end - 1) ++merges;
    const int64_t middle = Middle(begin, end);
    (batch < middle ? end : begin) = middle;
  }
  return merges;
}

at::Tensor SumOfTree(int64_t batches, const std::vector<BatchRange>& nodes,
                     const std::function<at::Tensor(size_t node)>& sum_of) {
  size_t next = 0;
  const std::function<at::Tensor(int64_t, int64_t)> sum = [&](int64_t begin,
                                                              int64_t end) {
    if (nodes[next].begin == begin && nodes[next].end == end) {
      return sum_of(next++);
    }
    const int64_t middle = Middle(begin, end);
    at::Tensor first = sum(begin, middle);
    return first.add_(sum(middle, end));
  };
  return sum(0, batches);
}

}  // namespace t2t
