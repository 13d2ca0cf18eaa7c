#ifndef T2T_NN_REVERSIBLE_H_
#define T2T_NN_REVERSIBLE_H_

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <functional>
#include <utility>
#include <vector>

// Gomez et al. 2017, "The Reversible Residual Network: Backpropagation Without
// Storing Activations", arXiv:1707.04585.
namespace t2t::nn {

// y1 = x1 + f(x2), y2 = x2 + g(y1), from which x1 and x2 follow again.
struct ReversibleLayer {
  std::function<at::Tensor(const at::Tensor&)> f;
  std::function<at::Tensor(const at::Tensor&)> g;
};

// All layers, one after the other. For the backward pass nothing but the last
// two outputs is kept, however many layers there are: it computes the layers
// once more, from the last to the first, with the dropout that they had. So f
// and g must own what they need besides their argument.
// seen: all other tensors that get gradients: parameters of f and g, and what
// else they read.
// rng: what f and g draw from.
std::pair<at::Tensor, at::Tensor> RunReversibly(
    const at::Tensor& x1, const at::Tensor& x2,
    std::vector<ReversibleLayer> layers, std::vector<at::Tensor> seen,
    const at::Generator& rng);

}  // namespace t2t::nn

#endif  // T2T_NN_REVERSIBLE_H_
