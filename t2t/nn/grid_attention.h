#ifndef T2T_NN_GRID_ATTENTION_H_
#define T2T_NN_GRID_ATTENTION_H_

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "t2t/nn/block.h"
#include "t2t/nn/dense.h"
#include "t2t/nn/params.h"

// Local attention in two dimensions. Parmar et al. 2018, "Image Transformer",
// arXiv:1802.05751: a grid is cut into blocks, and the positions of a block see
// it and what lies around it. Where attention is causal the grid is made block
// by block, row by row within each.
// Shapes: B batch, H height, W width, N heads, D depth, P H * W.
namespace t2t::nn {

struct GridBlocks {
  int64_t height = 0;  // query_shape
  int64_t width = 0;
};

struct GridPattern {
  GridBlocks block;
  // How far beyond a block its positions see: memory_flange.
  int64_t above = 0;   // and below, where attention is not causal
  int64_t beside = 0;  // to the left and the right
  // A position sees of its own block what was made before it, and of what is
  // around that the rows above and what is to the left.
  bool causal = false;
};

// Throws a usage error where a block has no positions, or flanges are negative.
void CheckGridPattern(const GridPattern& pattern);

// The positions of a grid (row * width + column) in the order in which they are
// made, [P]; blocks have to fill it.
at::Tensor BlockOrder(int64_t height, int64_t width, GridBlocks block);

// x moved on by one position within each block, zero at each first: T2T's
// right_shift_blockwise.
at::Tensor ShiftRightInBlocks(const at::Tensor& x_BHWD, GridBlocks block);

// q, already scaled, k, v: [B, N, H, W, D]. T2T's local_attention_2d and
// masked_local_attention_2d; as there, zeros fill up the last blocks, and
// causal attention sees those in its own block. (T2T's own that is not causal
// runs where `above` and `beside` are equal alone.)
at::Tensor GridAttention(const at::Tensor& q, const at::Tensor& k,
                         const at::Tensor& v, const GridPattern& pattern);

struct GridAttentionOptions {
  int64_t hidden_size = 0;
  int64_t key_channels = 0;
  int64_t value_channels = 0;
  int64_t heads = 1;
  GridPattern pattern;
};

// T2T's multihead_attention_2d over x [B, H, W, hidden_size].
class GridSelfAttention : public Sublayer {
 public:
  // Parameters "q", "k", "v" and "output_transform" in the scope.
  GridSelfAttention(const Scope& scope, const GridAttentionOptions& options);

  at::Tensor operator()(const at::Tensor& x_BHWD, Pass& pass) const override;
  bool CanStep() const override { return false; }

 private:
  GridAttentionOptions options_;
  Dense query_, key_, value_, output_;
};

}  // namespace t2t::nn

#endif  // T2T_NN_GRID_ATTENTION_H_
