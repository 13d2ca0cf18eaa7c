#ifndef MODELS_TOY_TRAINING_H_
#define MODELS_TOY_TRAINING_H_

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "t2t/model/model.h"

namespace t2t {

// For tests and benchmarks that need a model which has learnt something: so
// many steps of Adam over the batches of each.
inline void TrainToy(Model* model, int64_t steps, double rate,
                     const std::function<Features(int64_t step)>& batch) {
  const std::vector<at::Tensor> params = model->params().Trainable();
  std::vector<at::Tensor> means, squares;
  for (const at::Tensor& p : params) {
    means.push_back(at::zeros_like(p));
    squares.push_back(at::zeros_like(p));
  }
  for (int64_t step = 1; step <= steps; ++step) {
    model->set_step(step);
    const auto gradients = torch::autograd::grad(
        {model->Loss(batch(step), Mode::kTrain).Total()}, params, {},
        std::nullopt, /*create_graph=*/false, /*allow_unused=*/true);
    const at::NoGradGuard no_grad;
    for (size_t i = 0; i < params.size(); ++i) {
      if (!gradients[i].defined()) continue;
      means[i].mul_(0.9).add_(gradients[i], 0.1);
      squares[i].mul_(0.95).addcmul_(gradients[i], gradients[i], 0.05);
      at::Tensor(params[i]).sub_(means[i] / (squares[i].sqrt() + 1e-6), rate);
    }
  }
}

}  // namespace t2t

#endif  // MODELS_TOY_TRAINING_H_
