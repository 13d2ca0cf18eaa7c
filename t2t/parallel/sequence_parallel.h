#ifndef T2T_PARALLEL_SEQUENCE_PARALLEL_H_
#define T2T_PARALLEL_SEQUENCE_PARALLEL_H_

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "t2t/nn/tensor_parallel.h"

namespace t2t {

// Sequence parallelism (Korthikanti et al. 2022, arXiv:2205.05198): while it
// lives, tensors [batch, length, hidden] between the layers are sharded along
// the length, where the layout says so and every rank gets some of it.
class SequenceParallel {
 public:
  // parallel: null where the model is whole. length: of the whole.
  SequenceParallel(TensorParallel* parallel, int64_t length);
  ~SequenceParallel();
  SequenceParallel(const SequenceParallel&) = delete;
  SequenceParallel& operator=(const SequenceParallel&) = delete;

  // From the whole to this rank's shard, and back.
  at::Tensor Split(const at::Tensor& x) const;
  at::Tensor Join(const at::Tensor& x) const;
  // This rank's shard of [batch, length] that has no gradient.
  at::Tensor Own(const at::Tensor& x) const;

 private:
  TensorParallel* const parallel_;  // null: nothing is sharded
  const int64_t length_;
  const int64_t before_;
};

}  // namespace t2t

#endif  // T2T_PARALLEL_SEQUENCE_PARALLEL_H_
