#ifndef T2T_NN_LOCAL_ATTENTION_H_
#define T2T_NN_LOCAL_ATTENTION_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <optional>
#include <string>

namespace t2t {

// Which keys the queries of one block see: from `start` on, counted from the
// block's first position, `length` of them, as far as there are such.
struct LocalPattern {
  int64_t block = 0;
  int64_t start = 0;
  int64_t length = 0;
  bool causal = false;  // and none that come after the query
  // What is before the block is stretches of `stretch` positions, with gaps
  // after each; 0: without gaps.
  int64_t gap = 0;
  int64_t stretch = 0;
  // T2T's local_mask_right takes two blocks for one where there are no more.
  bool joins_two_blocks = false;
};

// The sizes of T2T's local and dilated attention; T2T's transformer leaves them
// as they are here.
struct LocalSizes {
  int64_t block = 128;  // of queries
  // Of local_unmasked: how far it sees to the sides; of dilated attention: the
  // positions of each stretch that it sees beside its block.
  int64_t width = 128;
  int64_t gap = 0;        // of masked_dilated_1d, between stretches
  int64_t stretches = 2;  // of dilated attention, to a side
};

// T2T's self_attention_type of local and dilated attention; nullopt where it is
// another type. Throws a usage error on sizes below 1 (of gap and stretches,
// below 0).
std::optional<LocalPattern> LocalPatternOf(const std::string& type,
                                           const LocalSizes& sizes = {});

struct LocalAttentionOptions {
  LocalPattern pattern;
  // [heads, distances, depth] or [distances, depth]: what a query is
  // multiplied with for a key so far before it, the farthest first, itself
  // last. May be undefined.
  at::Tensor relative_keys;
  double dropout = 0.0;  // of the attention weights
  at::Generator rng;     // of the dropout
  // Where the heads are a part of more: how many in all, the first one here.
  int64_t all_heads = 0;  // 0: all are here
  int64_t first_head = 0;
};

// q, already scaled, k, v: [batch, heads, length, depth]. Returns the context.
at::Tensor LocalAttention(const at::Tensor& q, const at::Tensor& k,
                          const at::Tensor& v,
                          const LocalAttentionOptions& options);
// One query [batch, heads, 1, depth] at the last of the keys' positions.
at::Tensor LocalAttentionStep(const at::Tensor& q, const at::Tensor& k,
                              const at::Tensor& v,
                              const LocalAttentionOptions& options);

}  // namespace t2t

#endif  // T2T_NN_LOCAL_ATTENTION_H_
