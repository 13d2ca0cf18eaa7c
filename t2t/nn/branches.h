#ifndef T2T_NN_BRANCHES_H_
#define T2T_NN_BRANCHES_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "t2t/nn/block.h"
#include "t2t/nn/convolution.h"
#include "t2t/nn/dense.h"
#include "t2t/nn/params.h"
#include "t2t/nn/pass.h"

// What sublayers with branches and convolutions are put together from. Such
// cells come out of architecture search: So, Liang and Le 2019, "The Evolved
// Transformer", arXiv:1901.11117.
// Shapes: B batch, L length, D depth, W a branch's width.
namespace t2t::nn {

// x with dropout of each number by itself, in training alone.
at::Tensor DropOut(const at::Tensor& x, double rate, const Pass& pass);

// x with zeros in further channels, to stand beside a wider branch.
at::Tensor Widen(const at::Tensor& x_BLW, int64_t width);

// x with zeros where the pass knows of padding, for convolutions to see.
at::Tensor ZeroPadding(const at::Tensor& x_BLD, const Pass& pass);

// Layers of all kinds, run as the pass is: a convolution sees both sides of a
// position in an encoder and what stands before it in a decoder, where a
// decoding step keeps the last inputs and computes one output.
at::Tensor Run(const Dense& layer, const at::Tensor& x_BLD, Pass& pass);
at::Tensor Run(const Conv1d& layer, const at::Tensor& x_BLD, Pass& pass);
at::Tensor Run(const SeparableConv1d& layer, const at::Tensor& x_BLD,
               Pass& pass);

// Values times the sigmoid of gates: Dauphin et al. 2016, arXiv:1612.08083.
// Parameters "dense" and "dense_1" in the scope, as Keras numbers them.
class GatedLinearUnit : public Sublayer {
 public:
  GatedLinearUnit(const Scope& scope, int64_t size)
      : values_(scope.Sub("dense"), size, size),
        gates_(scope.Sub("dense_1"), size, size) {}

  at::Tensor operator()(const at::Tensor& x_BLD, Pass& pass) const override;
  bool CanBeRagged() const override { return true; }

 private:
  Dense values_, gates_;
};

// The sum of sublayers of the same input, each dropped out by itself.
class SumOfBranches : public Sublayer {
 public:
  // scope: of no parameters of its own.
  SumOfBranches(const Scope&, double dropout, std::vector<SublayerPtr> branches)
      : dropout_(dropout), branches_(std::move(branches)) {}

  at::Tensor operator()(const at::Tensor& x_BLD, Pass& pass) const override;
  bool CanBeRagged() const override;
  bool CanStep() const override;

 private:
  double dropout_;
  std::vector<SublayerPtr> branches_;
};

}  // namespace t2t::nn

#endif  // T2T_NN_BRANCHES_H_
