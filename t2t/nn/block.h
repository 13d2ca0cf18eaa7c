#ifndef T2T_NN_BLOCK_H_
#define T2T_NN_BLOCK_H_

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "t2t/nn/attention.h"
#include "t2t/nn/ffn.h"
#include "t2t/nn/norm.h"
#include "t2t/nn/params.h"
#include "t2t/nn/pass.h"
#include "t2t/nn/recurrent_memory.h"

// A block is a list of residual sublayers, written once; a Pass runs it over
// whole rows, over ragged sequences or step by step. A family that needs a
// layer of its own writes a Sublayer: a small graph over others (two branches,
// a gated unit), or a PositionMixer where positions look at each other.
namespace t2t::nn {

// From x to a tensor of the same shape (see t2t/nn/pass.h for its three
// forms). Layers that compute each position from itself alone do the same in
// all of them.
class Sublayer {
 public:
  virtual ~Sublayer() = default;

  virtual at::Tensor operator()(const at::Tensor& x, Pass& pass) const = 0;

  // Whether it runs over ragged sequences. Where one sublayer does not, the
  // model trains over whole rows.
  virtual bool CanBeRagged() const { return false; }
  // Whether it runs step by step: a position sees none after it.
  virtual bool CanStep() const { return true; }
};

using SublayerPtr = std::shared_ptr<const Sublayer>;

// A layer in which positions look at each other, written for each form.
class PositionMixer : public Sublayer {
 public:
  at::Tensor operator()(const at::Tensor& x, Pass& pass) const final;

 protected:
  // pass.whole() is there.
  virtual at::Tensor Whole(const at::Tensor& x_BLD, Pass& pass) const = 0;
  // pass.ragged() is there; called where CanBeRagged().
  virtual at::Tensor Ragged(const at::Tensor& x_1TD, Pass& pass) const;
  // pass.step() is there, and pass.Kept() gives what the layer keeps between
  // steps; called where CanStep().
  virtual at::Tensor Step(const at::Tensor& x_R1D, Pass& pass) const = 0;
};

// x -> after(x, sublayer(before(x))): T2T's layer_preprocess and
// layer_postprocess around a sublayer.
class Residual {
 public:
  Residual(PrePost before, SublayerPtr sublayer, PrePost after)
      : before_(std::move(before)),
        sublayer_(std::move(sublayer)),
        after_(std::move(after)) {}

  at::Tensor operator()(const at::Tensor& x, Pass& pass) const;

  bool CanBeRagged() const;
  bool CanStep() const { return sublayer_->CanStep(); }

 private:
  PrePost before_;
  SublayerPtr sublayer_;
  PrePost after_;
};

// Residual sublayers one after the other. May run several times in a pass.
class Block {
 public:
  explicit Block(std::vector<Residual> residuals)
      : residuals_(std::move(residuals)) {}
  // One that may be an FSDP unit (t2t/nn/fsdp.h): its parameters are those in
  // the scope, it runs once in a pass, and the backward pass comes through it.
  Block(const Scope& unit, std::vector<Residual> residuals);

  at::Tensor operator()(const at::Tensor& x, Pass& pass) const;

  bool CanBeRagged() const;
  bool CanStep() const;

 private:
  const ParamStore* store_ = nullptr;  // null: it is no unit
  std::string unit_;
  std::vector<Residual> residuals_;
};

// Blocks one after the other, then T2T's last layer_preprocess.
struct Stack {
  at::Tensor operator()(const at::Tensor& x, Pass& pass) const;

  bool CanBeRagged() const;
  bool CanStep() const;

  std::vector<Block> blocks;
  std::optional<PrePost> last;
  // Gradients go no deeper than this block's input, or, where it is the number
  // of blocks, not into the stack at all; the blocks of such a stack are no
  // FSDP units.
  std::optional<size_t> trained_from;
};

// The Transformer's sublayers. Vaswani et al. 2017, "Attention Is All You
// Need", arXiv:1706.03762.
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

#endif  // T2T_NN_BLOCK_H_
