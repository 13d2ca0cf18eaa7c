// What reversible layers promise: the gradients of layers that are kept, and
// memory that does not grow with their number.

#include "t2t/nn/reversible.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <torch/csrc/autograd/autograd.h>

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "t2t/modality/golden_tensors.h"
#include "t2t/nn/context.h"
#include "t2t/ops/dropout.h"

namespace t2t {
namespace {

constexpr int64_t kRows = 512;
constexpr int64_t kSize = 128;

at::Generator Rng() { return nn::Context(/*is_training=*/true).rng; }

struct Layers {
  explicit Layers(int64_t count) {
    for (int64_t i = 0; i < 2 * count; ++i) {
      weights.push_back(at::arange(kSize * kSize, at::kFloat)
                            .add(static_cast<double>(i))
                            .cos()
                            .view({kSize, kSize})
                            .mul(0.1)
                            .requires_grad_(true));
    }
    for (int64_t i = 0; i < count; ++i) {
      layers.push_back({Branch(weights[static_cast<size_t>(2 * i)]),
                        Branch(weights[static_cast<size_t>(2 * i + 1)])});
    }
  }

  static std::function<at::Tensor(const at::Tensor&)> Branch(
      const at::Tensor& weight) {
    return [weight](const at::Tensor& x) {
      return Dropout(at::tanh(at::matmul(x, weight)), 0.5, Rng());
    };
  }

  std::vector<at::Tensor> weights;
  std::vector<nn::ReversibleLayer> layers;
};

at::Tensor Input() {
  return at::arange(kRows * kSize, at::kFloat)
      .sin()
      .view({kRows, kSize})
      .requires_grad_(true);
}

TEST(ReversibleTest, GradientsAreThoseOfLayersThatAreKept) {
  const Layers all(3);
  const at::Tensor x = Input();
  std::vector<at::Tensor> wanted = all.weights;
  wanted.push_back(x);

  at::manual_seed(5);
  const auto [y1, y2] =
      nn::RunReversibly(x, x * 2, all.layers, all.weights, Rng());
  const auto found = torch::autograd::grad({(y1 * y2.cos()).sum()}, wanted);

  at::manual_seed(5);
  at::Tensor z1 = x;
  at::Tensor z2 = x * 2;
  for (const nn::ReversibleLayer& layer : all.layers) {
    z1 = z1 + layer.f(z2);
    z2 = z2 + layer.g(z1);
  }
  const auto expected = torch::autograd::grad({(z1 * z2.cos()).sum()}, wanted);
  EXPECT_EQ(MaxDifference(y1, z1), 0.0);
  for (size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_LT(MaxDifference(found[i], expected[i]),
              1e-4 * (1.0 + expected[i].abs().max().item<double>()));
  }
}

int64_t BytesInUse() {
  const struct mallinfo2 info = mallinfo2();
  return static_cast<int64_t>(info.uordblks + info.hblkhd);
}

// What `layers` keep until the backward pass, beyond their parameters.
int64_t BytesKept(int64_t layers) {
  const Layers all(layers);
  const at::Tensor x = Input();
  const int64_t before = BytesInUse();
  const auto y = nn::RunReversibly(x, x, all.layers, all.weights, Rng());
  return BytesInUse() - before;
}

TEST(ReversibleTest, MemoryDoesNotGrowWithDepth) {
  BytesKept(1);  // what is made once
  const int64_t one = kRows * kSize * int64_t{sizeof(float)};
  // Of each layer no more than where its dropout began.
  EXPECT_LT(BytesKept(12), BytesKept(2) + one);
}

}  // namespace
}  // namespace t2t
