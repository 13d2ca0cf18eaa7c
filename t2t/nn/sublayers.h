#ifndef T2T_NN_SUBLAYERS_H_
#define T2T_NN_SUBLAYERS_H_

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <memory>
#include <utility>

#include "t2t/nn/attention.h"
#include "t2t/nn/block.h"
#include "t2t/nn/ffn.h"
#include "t2t/nn/params.h"
#include "t2t/nn/recurrent_memory.h"

// The Transformer's sublayers. Vaswani et al. 2017, "Attention Is All You
// Need", arXiv:1706.03762.
namespace t2t::nn {

// Positions look at each other, as the pass' bias lets them.
class SelfAttention : public PositionMixer {
 public:
  // scope: the sublayer's; parameters come under ".../multihead_attention".
  SelfAttention(const Scope& scope, const AttentionOptions& options)
      : attention_(scope, options) {}

  bool CanBeRagged() const override { return attention_.CanBeRagged(); }
  bool CanStep() const override { return attention_.CanDecode(); }

 protected:
  at::Tensor Whole(const at::Tensor& x_BLD, Pass& pass) const override;
  at::Tensor Ragged(const at::Tensor& x_1TD, Pass& pass) const override;
  at::Tensor Step(const at::Tensor& x_R1D, Pass& pass) const override;

 private:
  MultiheadAttention attention_;
};

// Self-attention that sees what a layer remembers of the chunks before, too.
class RecurrentSelfAttention : public PositionMixer {
 public:
  // layer: its index among MemoryChunk::memories.
  RecurrentSelfAttention(MultiheadAttention attention, RecurrentMemory memory,
                         size_t layer)
      : attention_(std::move(attention)),
        memory_(std::move(memory)),
        layer_(layer) {}

  bool CanStep() const override { return attention_.CanDecode(); }
  const RecurrentMemory& memory() const { return memory_; }

 protected:
  at::Tensor Whole(const at::Tensor& x_BLD, Pass& pass) const override;
  at::Tensor Step(const at::Tensor& x_R1D, Pass& pass) const override;

 private:
  MultiheadAttention attention_;
  RecurrentMemory memory_;
  size_t layer_;
};

// Each position looks at the encoder's output.
class MemoryAttention : public PositionMixer {
 public:
  MemoryAttention(const Scope& scope, const AttentionOptions& options)
      : attention_(scope, options) {}

  bool CanBeRagged() const override { return attention_.CanBeRagged(); }

 protected:
  at::Tensor Whole(const at::Tensor& x_BLD, Pass& pass) const override;
  at::Tensor Ragged(const at::Tensor& x_1TD, Pass& pass) const override;
  at::Tensor Step(const at::Tensor& x_R1D, Pass& pass) const override;

 private:
  MultiheadAttention attention_;
};

// T2T's transformer_ffn_layer.
class Transition : public Sublayer {
 public:
  // remove_padding: over whole rows it gives 0 on padding, as with T2T's pad
  // remover. It shows where an output is averaged over all positions.
  Transition(const Scope& scope, const FfnOptions& options,
             bool remove_padding = false)
      : ffn_(MakeFfn(scope, options)), remove_padding_(remove_padding) {}

  at::Tensor operator()(const at::Tensor& x, Pass& pass) const override;
  bool CanBeRagged() const override { return ffn_->CanBeRagged(); }

 private:
  std::unique_ptr<Ffn> ffn_;
  bool remove_padding_;
};

}  // namespace t2t::nn

#endif  // T2T_NN_SUBLAYERS_H_
