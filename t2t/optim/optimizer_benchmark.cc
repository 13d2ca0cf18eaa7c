#include <ATen/ATen.h>
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "t2t/optim/optimizer.h"

namespace t2t {
namespace {

// A model like Multi30k's: some large matrices, many small tensors.
void BM_OptimizerStep(benchmark::State& state, const std::string& name) {
  HParams h;
  h.Add("optimizer", name);
  h.Add("optimizer_adam_beta1", 0.9);
  h.Add("optimizer_adam_beta2", 0.98);
  h.Add("optimizer_adam_epsilon", 1e-9);
  h.Add("optimizer_momentum_momentum", 0.9);
  h.Add("optimizer_momentum_nesterov", false);
  h.Add("optimizer_adafactor_beta1", 0.0);
  h.Add("optimizer_adafactor_beta2", 0.999);
  h.Add("optimizer_adafactor_factored", true);
  h.Add("optimizer_adafactor_decay_type", "pow");
  h.Add("optimizer_adafactor_memory_exponent", 0.8);
  h.Add("optimizer_adafactor_clipping_threshold", 1.0);
  h.Add("optimizer_adafactor_multiply_by_parameter_scale", true);
  std::vector<NamedTensor> parameters;
  std::vector<at::Tensor> gradients;
  int64_t numbers = 0;
  const auto add = [&](at::IntArrayRef shape) {
    const std::string index = std::to_string(parameters.size());
    parameters.push_back({"p" + index, at::randn(shape)});
    gradients.push_back(at::randn(shape));
    numbers += parameters.back().tensor.numel();
  };
  add({8192, 256});
  for (int i = 0; i < 40; ++i) add({256, 256});
  for (int i = 0; i < 100; ++i) add({256});
  if (Optimizers().Names().empty()) RegisterOptimizers(Optimizers());
  const auto optimizer = MakeOptimizer(h, parameters);
  int64_t step = 0;
  for (auto _ : state) optimizer->Step(gradients, 1e-3, step++);
  state.SetItemsProcessed(state.iterations() * numbers);
}
BENCHMARK_CAPTURE(BM_OptimizerStep, adam, "adam");
BENCHMARK_CAPTURE(BM_OptimizerStep, momentum, "momentum");
BENCHMARK_CAPTURE(BM_OptimizerStep, adafactor, "adafactor");

}  // namespace
}  // namespace t2t
