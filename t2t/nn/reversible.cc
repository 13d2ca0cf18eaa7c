#include "t2t/nn/reversible.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/variable.h>

#include <memory>
#include <mutex>

namespace t2t::nn {
namespace {

using torch::autograd::variable_list;

at::Tensor StateOf(at::Generator rng) {
  const std::lock_guard<std::mutex> lock(rng.mutex());
  return rng.get_state();
}

void SetState(at::Generator rng, const at::Tensor& state) {
  const std::lock_guard<std::mutex> lock(rng.mutex());
  rng.set_state(state);
}

// Draws again what was drawn from `state` on, while it lives.
class DrawAgain {
 public:
  DrawAgain(const at::Generator& rng, const at::Tensor& state)
      : rng_(rng), now_(StateOf(rng)) {
    SetState(rng_, state);
  }
  ~DrawAgain() { SetState(rng_, now_); }
  DrawAgain(const DrawAgain&) = delete;
  DrawAgain& operator=(const DrawAgain&) = delete;

 private:
  at::Generator rng_;
  at::Tensor now_;
};

// branch(x) once more, and what its gradient gives to x and to all seen.
struct Recomputed {
  Recomputed(const std::function<at::Tensor(const at::Tensor&)>& branch,
             const at::Tensor& x, const at::Tensor& gradient,
             const std::vector<at::Tensor>& seen, const at::Generator& rng,
             const at::Tensor& random_state, std::vector<at::Tensor>* sums) {
    const at::AutoGradMode with_gradients(true);
    const DrawAgain again(rng, random_state);
    variable_list inputs = {x.detach().requires_grad_(true)};
    inputs.insert(inputs.end(), seen.begin(), seen.end());
    const at::Tensor y = branch(inputs[0]);
    const variable_list gradients = torch::autograd::grad(
        {y}, inputs, {gradient}, std::nullopt, /*create_graph=*/false,
        /*allow_unused=*/true);
    output = y.detach();
    of_x = gradients[0].defined() ? gradients[0] : at::zeros_like(x);
    for (size_t i = 0; i < sums->size(); ++i) {
      const at::Tensor& own = gradients[i + 1];
      if (!own.defined()) continue;
      at::Tensor& sum = (*sums)[i];
      sum = sum.defined() ? sum + own : own;
    }
  }

  at::Tensor output;
  at::Tensor of_x;
};

// The backward pass of all layers.
class ReversibleNode : public torch::autograd::Node {
 public:
  ReversibleNode(std::vector<ReversibleLayer> layers,
                 std::vector<at::Tensor> seen, const at::Generator& rng)
      : layers_(std::move(layers)), seen_(std::move(seen)), rng_(rng) {}

  // Without gradients; keeps the outputs.
  std::pair<at::Tensor, at::Tensor> Forward(const at::Tensor& x1,
                                            const at::Tensor& x2) {
    const at::NoGradGuard no_grad;
    at::Tensor y1 = x1;
    at::Tensor y2 = x2;
    for (const ReversibleLayer& layer : layers_) {
      random_states_.push_back(StateOf(rng_));
      y1 = y1 + layer.f(y2);
      random_states_.push_back(StateOf(rng_));
      y2 = y2 + layer.g(y1);
    }
    y1_ = y1.detach();
    y2_ = y2.detach();
    return {y1, y2};
  }

  variable_list apply(variable_list&& gradients) override {
    TORCH_CHECK(y1_.defined(),
                "a second backward pass through the same layers");
    const auto or_zero = [](const at::Tensor& gradient, const at::Tensor& y) {
      return gradient.defined() ? gradient : at::zeros_like(y);
    };
    at::Tensor of_y1 = or_zero(gradients[0], y1_);
    at::Tensor of_y2 = or_zero(gradients[1], y2_);
    std::vector<at::Tensor> sums(seen_.size());
    for (size_t i = layers_.size(); i-- > 0;) {
      const ReversibleLayer& layer = layers_[i];
      const Recomputed g(layer.g, y1_, of_y2, seen_, rng_,
                         random_states_[2 * i + 1], &sums);
      of_y1 = of_y1 + g.of_x;
      y2_ = y2_ - g.output;
      const Recomputed f(layer.f, y2_, of_y1, seen_, rng_,
                         random_states_[2 * i], &sums);
      of_y2 = of_y2 + f.of_x;
      y1_ = y1_ - f.output;
    }
    release_variables();
    variable_list result = {of_y1, of_y2};
    result.insert(result.end(), sums.begin(), sums.end());
    return result;
  }

  void release_variables() override {
    y1_.reset();
    y2_.reset();
    layers_.clear();
    seen_.clear();
  }

 private:
  std::vector<ReversibleLayer> layers_;
  std::vector<at::Tensor> seen_;
  at::Generator rng_;
  std::vector<at::Tensor> random_states_;  // before each f and each g
  at::Tensor y1_, y2_;
};

}  // namespace

std::pair<at::Tensor, at::Tensor> RunReversibly(
    const at::Tensor& x1, const at::Tensor& x2,
    std::vector<ReversibleLayer> layers, std::vector<at::Tensor> seen,
    const at::Generator& rng) {
  if (layers.empty()) return {x1, x2};
  auto edges = torch::autograd::collect_next_edges(x1, x2, seen);
  const std::shared_ptr<ReversibleNode> node(
      new ReversibleNode(std::move(layers), std::move(seen), rng),
      torch::autograd::deleteNode);
  node->set_next_edges(std::move(edges));
  auto [y1, y2] = node->Forward(x1, x2);
  torch::autograd::create_gradient_edge(y1, node);
  torch::autograd::create_gradient_edge(y2, node);
  return {y1, y2};
}

}  // namespace t2t::nn
