#include "t2t/ops/attention_kernels.h"

#include <cstring>

#include "t2t/base/simd_target.h"
#include "t2t/ops/dropout_bits.h"
#include "t2t/ops/vectors.h"

#define T2T_SIMD_SOURCE "t2t/ops/attention_kernels.inc"
#include "t2t/base/for_each_simd_target.inc"

namespace t2t {

int64_t AttentionForwardScratch(const AttentionTask& task) {
  return task.key_depth * task.key_row() + task.queries * task.key_row() +
         (task.keys + task.queries) * PaddedForAttention(task.value_depth);
}

int64_t AttentionBackwardScratch(const AttentionTask& task) {
  const int64_t depth = std::max(task.key_depth, task.value_depth);
  return depth * task.key_row() + 3 * task.queries * task.key_row() +
         2 * std::max(task.queries, task.keys) * PaddedForAttention(depth);
}

void AttentionForward(const AttentionTask& task, const AttentionPiece& q,
                      const AttentionPiece& k, const AttentionPiece& v,
                      const AttentionResult& out, float* scratch) {
  T2T_SIMD_VARIANT(AttentionForwardKernel)(task, q, k, v, out, scratch);
}

void AttentionBackward(const AttentionTask& task, const AttentionPiece& q,
                       const AttentionPiece& k, const AttentionPiece& v,
                       const AttentionPiece& gradient,
                       const AttentionGradients& to, float* scratch) {
  T2T_SIMD_VARIANT(AttentionBackwardKernel)
  (task, q, k, v, gradient, to, scratch);
}

}  // namespace t2t
