#ifndef T2T_OPS_ATTENTION_KERNELS_H_
#define T2T_OPS_ATTENTION_KERNELS_H_

#include <algorithm>
#include <cstdint>

namespace t2t {

// Rows of logits and weights are padded to a multiple of this many floats, on
// every machine: dropout numbers its random bits by them.
constexpr int64_t kAttentionPadding = 16;

constexpr int64_t PaddedForAttention(int64_t size) {
  return (size + kAttentionPadding - 1) / kAttentionPadding * kAttentionPadding;
}

// A head of a pair of sequences: rows of pieces of larger matrices.
struct AttentionPiece {
  const float* data;
  int64_t row;
};

// The same, to be written.
struct AttentionResult {
  float* data;
  int64_t row;
};

// One head of one pair of sequences.
struct AttentionTask {
  int64_t queries;
  int64_t keys;
  int64_t key_depth;
  int64_t value_depth;
  float scale;
  bool causal;         // key i is seen from query i on
  uint32_t threshold;  // 0: no dropout
  float keep_scale;
  uint64_t seed;

  int64_t key_row() const { return PaddedForAttention(keys); }
  int64_t Visible(int64_t query) const {
    return causal ? std::min(keys, query + 1) : keys;
  }
};

// Floats of scratch memory that a task needs.
int64_t AttentionForwardScratch(const AttentionTask& task);
int64_t AttentionBackwardScratch(const AttentionTask& task);

// out = dropout(softmax(q k^T * scale)) v.
void AttentionForward(const AttentionTask& task, const AttentionPiece& q,
                      const AttentionPiece& k, const AttentionPiece& v,
                      const AttentionResult& out, float* scratch);

// The gradients to q, k and v out of the gradient to the result.
struct AttentionGradients {
  AttentionResult q;
  AttentionResult k;
  AttentionResult v;
};
void AttentionBackward(const AttentionTask& task, const AttentionPiece& q,
                       const AttentionPiece& k, const AttentionPiece& v,
                       const AttentionPiece& gradient,
                       const AttentionGradients& to, float* scratch);

}  // namespace t2t

#endif  // T2T_OPS_ATTENTION_KERNELS_H_
