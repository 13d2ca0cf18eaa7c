#ifndef T2T_OPS_RAGGED_ATTENTION_H_
#define T2T_OPS_RAGGED_ATTENTION_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

namespace t2t {

// Sequences of different lengths one after the other, without padding:
// sequence i is the rows from offsets[i] to offsets[i + 1].
struct RaggedAttentionOptions {
  std::vector<int64_t> query_offsets;
  std::vector<int64_t> key_offsets;  // as many
  int64_t heads = 1;
  int64_t key_channels = 0;  // of all heads
  int64_t value_channels = 0;
  double scale = 1.0;    // of the products of queries and keys
  bool causal = false;   // key i is seen from query i on
  double dropout = 0.0;  // of the attention weights
  uint64_t seed = 0;     // of the dropout (DrawSeed())
  // Where these heads are a part of more: how many in all, and which is the
  // first here. They drop out what the whole would. 0: all are here.
  int64_t all_heads = 0;
  int64_t first_head = 0;
};

// Scaled dot-product attention within each pair of sequences, softmax, dropout
// and products in one sweep over the heads, on CPU in fp32. The attention
// weights are not kept: the backward pass computes them again.

// all: [rows, 2 * key_channels + value_channels], queries, keys and values side
// by side. Returns [rows, value_channels].
at::Tensor RaggedSelfAttention(const at::Tensor& all,
                               const RaggedAttentionOptions& options);
// queries: [rows, key_channels]; memory: [memory rows, key_channels +
// value_channels], keys and values side by side.
at::Tensor RaggedMemoryAttention(const at::Tensor& queries,
                                 const at::Tensor& memory,
                                 const RaggedAttentionOptions& options);

}  // namespace t2t

#endif  // T2T_OPS_RAGGED_ATTENTION_H_
