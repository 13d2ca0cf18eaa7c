#include <ATen/ATen.h>
#include <benchmark/benchmark.h>
#include <torch/csrc/autograd/autograd.h>

#include "t2t/ops/cross_entropy.h"

namespace t2t {
namespace {

constexpr double kSmoothing = 0.1;

struct Sizes {
  explicit Sizes(const benchmark::State& state)
      : x(at::randn({state.range(0), state.range(1)}).set_requires_grad(true)),
        softmax(at::randn({state.range(2), state.range(1)})
                    .mul_(0.05)
                    .set_requires_grad(true)),
        targets(at::randint(state.range(2), {state.range(0)}, at::kLong)),
        weights(at::ones({state.range(0)})) {}

  at::Tensor x, softmax, targets, weights;
};

void Fused(benchmark::State& state) {
  const Sizes s(state);
  for (auto _ : state) {
    const at::Tensor loss =
        FusedCrossEntropy(s.x, s.softmax, s.targets, s.weights, kSmoothing);
    benchmark::DoNotOptimize(torch::autograd::grad({loss}, {s.x, s.softmax}));
  }
}

void Plain(benchmark::State& state) {
  const Sizes s(state);
  for (auto _ : state) {
    const at::Tensor loss = (SmoothedCrossEntropy(s.x.matmul(s.softmax.t()),
                                                  s.targets, kSmoothing) *
                             s.weights)
                                .sum();
    benchmark::DoNotOptimize(torch::autograd::grad({loss}, {s.x, s.softmax}));
  }
}

BENCHMARK(Fused)->Args({3000, 256, 8192})->Unit(benchmark::kMillisecond);
BENCHMARK(Plain)->Args({3000, 256, 8192})->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace t2t
