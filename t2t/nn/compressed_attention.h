#ifndef T2T_NN_COMPRESSED_ATTENTION_H_
#define T2T_NN_COMPRESSED_ATTENTION_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>

#include "t2t/nn/attention.h"
#include "t2t/nn/block.h"
#include "t2t/nn/dense.h"
#include "t2t/nn/grid_convolution.h"
#include "t2t/nn/params.h"

// Self-attention for long sequences that needs less memory than plain one.
namespace t2t::nn {

struct CompressionOptions {
  int64_t factor = 3;                 // how many positions are made one
  std::string reduction = "conv";     // or attention
  std::string nonlinearity = "none";  // or silu
  bool causal = true;  // a position sees blocks that end before it
};

// T2T's multihead_self_attention_reduced: positions see the first position and
// blocks of `factor` positions made one. Liu et al. 2018, "Generating Wikipedia
// by Summarizing Long Sequences", arXiv:1801.10198.
class CompressedSelfAttention : public Sublayer {
 public:
  // attention: plain, of size hidden. Parameters come under
  // "<scope>/multihead_self_attention_reduced". Throws a usage error on options
  // that T2T does not know.
  CompressedSelfAttention(const Scope& scope, const AttentionOptions& attention,
                          const CompressionOptions& options);

  at::Tensor operator()(const at::Tensor& x_BLD, Pass& pass) const override;
  bool CanStep() const override { return options_.causal; }

 private:
  class Blocks;  // makes a block one vector
  class ConvolvedBlocks;
  class AttendedBlocks;
  static std::unique_ptr<const Blocks> MakeBlocks(
      const Scope& scope, const AttentionOptions& attention,
      const CompressionOptions& options);

  CompressionOptions options_;
  std::shared_ptr<const Blocks> blocks_;
  MultiheadAttention attention_;
};

// T2T's multihead_self_attention_memory_efficient, with its own layer norm
// before it. Its name is about the backward pass of TensorFlow; here attention
// never keeps its weights.
class NormedSelfAttention : public PositionMixer {
 public:
  // head_size: 0 for hidden_size / heads.
  NormedSelfAttention(const Scope& scope, int64_t hidden_size, int64_t heads,
                      int64_t head_size = 0);

 protected:
  at::Tensor Whole(const at::Tensor& x_BLD, Pass& pass) const override;
  at::Tensor Step(const at::Tensor& x_R1D, Pass& pass) const override;

 private:
  // Queries, keys and values, [rows, heads, length, 3 * depth].
  at::Tensor Project(const at::Tensor& x_BLD) const;
  at::Tensor Attend(const at::Tensor& query, const at::Tensor& keys,
                    const at::Tensor& values, const at::Tensor& bias) const;

  int64_t head_size_;
  at::Tensor in_, out_;
  NamedLayerNorm norm_;
};

}  // namespace t2t::nn

#endif  // T2T_NN_COMPRESSED_ATTENTION_H_
