#include "t2t/ops/ragged_attention.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <vector>

#include "t2t/base/error.h"

namespace t2t {
namespace {

double Distance(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

// One head and sequence after the other, by ATen.
at::Tensor Reference(const at::Tensor& queries, const at::Tensor& keys,
                     const at::Tensor& values,
                     const RaggedAttentionOptions& options) {
  std::vector<at::Tensor> sequences;
  for (size_t s = 0; s + 1 < options.query_offsets.size(); ++s) {
    const auto cut = [&](const at::Tensor& x,
                         const std::vector<int64_t>& offsets) {
      return x.slice(0, offsets[s], offsets[s + 1])
          .view({offsets[s + 1] - offsets[s], options.heads,
                 x.size(1) / options.heads})
          .transpose(0, 1);
    };
    at::Tensor logits =
        at::matmul(cut(queries, options.query_offsets),
                   cut(keys, options.key_offsets).transpose(1, 2)) *
        options.scale;
    if (options.causal) {
      logits = logits.masked_fill(
          at::ones_like(logits[0]).triu(1).to(at::kBool), -INFINITY);
    }
    const at::Tensor out =
        at::matmul(at::softmax(logits, -1), cut(values, options.key_offsets));
    sequences.push_back(out.transpose(0, 1).reshape({-1, values.size(1)}));
  }
  return at::cat(sequences);
}

RaggedAttentionOptions SomeOptions() {
  RaggedAttentionOptions options;
  options.query_offsets = {0, 3, 3, 20, 41, 42};
  options.key_offsets = options.query_offsets;
  options.heads = 3;
  options.key_channels = 3 * 20;
  options.value_channels = 3 * 7;
  options.scale = 0.3;
  return options;
}

TEST(RaggedAttentionTest, SelfAttentionAgreesWithATen) {
  for (const bool causal : {false, true}) {
    RaggedAttentionOptions options = SomeOptions();
    options.causal = causal;
    at::manual_seed(1);
    const at::Tensor all = at::randn({42, 60 + 60 + 21}).requires_grad_(true);
    const at::Tensor outer = at::randn({42, 21});
    const auto parts = all.split_with_sizes({60, 60, 21}, 1);
    const at::Tensor expected =
        Reference(parts[0], parts[1], parts[2], options);
    const at::Tensor ours = RaggedSelfAttention(all, options);
    EXPECT_LT(Distance(ours, expected), 1e-5);
    EXPECT_LT(
        Distance(torch::autograd::grad({(ours * outer).sum()}, {all})[0],
                 torch::autograd::grad({(expected * outer).sum()}, {all})[0]),
        2e-5);
  }
}

TEST(RaggedAttentionTest, MemoryAttentionAgreesWithATen) {
  RaggedAttentionOptions options = SomeOptions();
  options.key_offsets = {0, 5, 6, 7, 40, 60};
  at::manual_seed(1);
  const at::Tensor queries = at::randn({42, 60}).requires_grad_(true);
  const at::Tensor memory = at::randn({60, 81}).requires_grad_(true);
  const at::Tensor outer = at::randn({42, 21});
  const auto parts = memory.split_with_sizes({60, 21}, 1);
  const at::Tensor expected = Reference(queries, parts[0], parts[1], options);
  const at::Tensor ours = RaggedMemoryAttention(queries, memory, options);
  EXPECT_LT(Distance(ours, expected), 1e-5);
  const auto theirs =
      torch::autograd::grad({(expected * outer).sum()}, {queries, memory});
  const auto gradients =
      torch::autograd::grad({(ours * outer).sum()}, {queries, memory});
  EXPECT_LT(Distance(gradients[0], theirs[0]), 2e-5);
  EXPECT_LT(Distance(gradients[1], theirs[1]), 2e-5);
}

// With all values 1 an output is the sum of the kept weights, scaled.
TEST(RaggedAttentionTest, DropoutKeepsTheMeanAndIsRepeatable) {
  RaggedAttentionOptions options;
  options.query_offsets = {0, 200};
  options.key_offsets = options.query_offsets;
  options.heads = 4;
  options.key_channels = 32;
  options.value_channels = 64;
  options.dropout = 0.25;
  at::Tensor all = at::zeros({200, 128});
  all.slice(1, 64).fill_(1.0);
  options.seed = 9;
  const at::Tensor out = RaggedSelfAttention(all, options);
  EXPECT_NEAR(out.mean().item<double>(), 1.0, 0.01);
  EXPECT_GT(out.std().item<double>(), 0.01);
  at::set_num_threads(at::get_num_threads() == 1 ? 2 : 1);
  EXPECT_TRUE(out.equal(RaggedSelfAttention(all, options)));
  options.seed = 10;
  EXPECT_FALSE(out.equal(RaggedSelfAttention(all, options)));
}

// The same dropped weights forwards and backwards: the gradient of a linear
// function of the values is that function.
TEST(RaggedAttentionTest, DropoutIsTheSameBackwards) {
  RaggedAttentionOptions options = SomeOptions();
  options.dropout = 0.4;
  options.seed = 3;
  at::manual_seed(2);
  const at::Tensor queries = at::randn({42, 60});
  at::Tensor memory = at::randn({42, 81}).requires_grad_(true);
  const at::Tensor outer = at::randn({42, 21});
  const at::Tensor loss =
      (RaggedMemoryAttention(queries, memory, options) * outer).sum();
  const at::Tensor gradient =
      torch::autograd::grad({loss}, {memory})[0].slice(1, 60);
  EXPECT_NEAR((gradient * memory.slice(1, 60)).sum().item<double>(),
              loss.item<double>(), 1e-3);
  // And the keys' by differences.
  const at::Tensor direction = at::randn({42, 81});
  const at::Tensor whole = torch::autograd::grad(
      {(RaggedMemoryAttention(queries, memory, options) * outer).sum()},
      {memory})[0];
  const auto value = [&](double step) {
    return (RaggedMemoryAttention(queries, memory.detach() + direction * step,
                                  options) *
            outer)
        .sum()
        .item<double>();
  };
  EXPECT_NEAR((whole * direction).sum().item<double>(),
              (value(1e-2) - value(-1e-2)) / 2e-2, 0.2);
}

TEST(RaggedAttentionTest, RefusesWhatDoesNotFit) {
  RaggedAttentionOptions options = SomeOptions();
  EXPECT_THROW(RaggedSelfAttention(at::zeros({41, 141}), options), Error);
  EXPECT_THROW(RaggedSelfAttention(at::zeros({42, 140}), options), Error);
  EXPECT_THROW(RaggedSelfAttention(at::zeros({42, 141}, at::kDouble), options),
               Error);
  options.heads = 7;
  EXPECT_THROW(RaggedSelfAttention(at::zeros({42, 141}), options), Error);
  options = SomeOptions();
  options.key_offsets = {0, 0, 3, 20, 41, 42};
  EXPECT_THROW(
      RaggedMemoryAttention(at::zeros({42, 60}), at::zeros({42, 81}), options),
      Error);
}

}  // namespace
}  // namespace t2t
