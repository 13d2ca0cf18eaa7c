#ifndef T2T_PARALLEL_VOCAB_PARALLEL_H_
#define T2T_PARALLEL_VOCAB_PARALLEL_H_

#include <ATen/ATen.h>

#include "t2t/distributed/mesh.h"
#include "t2t/nn/tensor_parallel.h"

namespace t2t {

// Vocabulary parallelism (Megatron-LM): tables of a vector for each id are
// sharded by rows; this rank has those of the ids in `own`.

// The vectors of ids [...]: [..., hidden], on all ranks.
at::Tensor VocabParallelEmbedding(const TensorParallel& parallel,
                                  const at::Tensor& table, ShardRange own,
                                  const at::Tensor& ids);

// FusedCrossEntropy() (t2t/ops/cross_entropy.h) with softmax split. For each
// row four numbers of each rank go to the others, never its logits.
at::Tensor VocabParallelCrossEntropy(const TensorParallel& parallel,
                                     const at::Tensor& x,
                                     const at::Tensor& softmax, ShardRange own,
                                     int64_t classes, const at::Tensor& targets,
                                     const at::Tensor& weights,
                                     double smoothing);

}  // namespace t2t

#endif  // T2T_PARALLEL_VOCAB_PARALLEL_H_
