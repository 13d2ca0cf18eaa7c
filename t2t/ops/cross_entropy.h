#ifndef T2T_OPS_CROSS_ENTROPY_H_
#define T2T_OPS_CROSS_ENTROPY_H_

#include <ATen/ATen.h>

#include <cstdint>

namespace t2t {

// T2T's smoothing_cross_entropy: the cross entropy of logits [..., classes]
// (taken as fp32, or fp64 where they are) with targets [...] of probability
// 1 - smoothing, the rest spread evenly over the other classes, less the least
// value that it can have. smoothing in [0, 1). Differentiable: [...].
at::Tensor SmoothedCrossEntropy(const at::Tensor& logits,
                                const at::Tensor& targets, double smoothing);

// The sum over rows of weights[i] times the above, for logits = x softmax^T:
// a scalar. x [rows, hidden], softmax [classes, hidden], targets and weights
// [rows]. Works by chunks of rows, so that no more than a few megabytes of
// logits are there at any time; the gradients to x and softmax are made in the
// same sweep. Rows of weight 0 are not touched at all. x may be bf16: then so
// are the products; sums are fp32. (No gradient goes to weights.)
at::Tensor FusedCrossEntropy(const at::Tensor& x, const at::Tensor& softmax,
                             const at::Tensor& targets,
                             const at::Tensor& weights, double smoothing);

// How many rows of `classes` logits such a chunk has.
int64_t CrossEntropyChunkRows(int64_t classes);

// Throws where a target is none of the classes: the data is another problem's.
void CheckTargets(const at::Tensor& targets, int64_t classes);

}  // namespace t2t

#endif  // T2T_OPS_CROSS_ENTROPY_H_
