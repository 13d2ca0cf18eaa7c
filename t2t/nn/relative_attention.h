#ifndef T2T_NN_RELATIVE_ATTENTION_H_
#define T2T_NN_RELATIVE_ATTENTION_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

namespace t2t {

// Attention that knows how far apart query and key are, after Shaw et al. 2018,
// "Self-Attention with Relative Position Representations", arXiv:1803.02155
// (dot_product_relative), and in the memory-efficient form of Huang et al.
// 2018, "Music Transformer", arXiv:1809.04281 (.._relative_v2).
enum class RelativeKind {
  kClipped,   // dot_product_relative: distances clipped on both sides
  kMasked,    // dot_product_relative_v2: earlier positions alone
  kUnmasked,  // dot_product_unmasked_relative_v2: both sides
};

bool IsRelative(const std::string& type);
bool IsRelativeV2(const std::string& type);
// TORCH_CHECKs that it is one.
RelativeKind RelativeKindOf(const std::string& type);

// Tables have a row of numbers for each distance, for all heads or [heads,
// distances, depth] for each; reach is max_relative_position. Where there are
// fewer queries than keys, they are the last of the keys' positions.

// What distances add to the logits of scaled queries q [batch, heads, queries,
// depth]: [batch, heads, queries, keys].
at::Tensor RelativeLogits(RelativeKind kind, int64_t reach,
                          const at::Tensor& table, const at::Tensor& q,
                          int64_t keys);
// What they add to the values, by weights [batch, heads, queries, keys]:
// [batch, heads, queries, depth].
at::Tensor RelativeValues(RelativeKind kind, int64_t reach,
                          const at::Tensor& table, const at::Tensor& weights);

}  // namespace t2t

#endif  // T2T_NN_RELATIVE_ATTENTION_H_
