#include "t2t/nn/grid_attention.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/nn/golden_layer.h"
#include "t2t/nn/local_attention.h"

namespace t2t::nn {
namespace {

at::Tensor Ramp(std::vector<int64_t> shape, double speed) {
  const int64_t size = at::empty(shape).numel();
  return at::cos(at::arange(size, at::kFloat) * speed).view(shape);
}

TEST(GridAttentionTest, OutputsAreT2Ts) {
  const struct {
    const char* name;
    GridPattern pattern;
  } kCases[] = {{"masked_local_attention_2d", {{2, 3}, 2, 3, true}},
                {"local_attention_2d_square", {{2, 2}, 1, 1, false}}};
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.name);
    const GoldenLayer golden("attention_layers", c.name);
    golden.Check(GridAttention(golden.Input("q"), golden.Input("k"),
                               golden.Input("v"), c.pattern));
  }
}

TEST(GridAttentionTest, ShiftIsT2Ts) {
  const GoldenLayer golden("attention_layers", "right_shift_blockwise");
  golden.Check(ShiftRightInBlocks(golden.Input("x"), {2, 3}));
}

TEST(GridAttentionTest, OrderGoesThroughOneBlockAfterTheOther) {
  EXPECT_TRUE(
      at::equal(BlockOrder(2, 4, {2, 2}),
                at::tensor({0, 1, 4, 5, 2, 3, 6, 7}, at::dtype(at::kLong))));
}

// Written out for each query, on a grid that blocks do not fill.
TEST(GridAttentionTest, SeesWhatIsAroundItsBlock) {
  const int64_t height = 3, width = 5;
  const GridPattern pattern = {{2, 2}, 1, 2, false};
  const at::Tensor q = Ramp({1, 1, height, width, 4}, 0.7);
  const at::Tensor k = Ramp({1, 1, height, width, 4}, 1.3);
  const at::Tensor v = Ramp({1, 1, height, width, 4}, 2.1);
  const at::Tensor y = GridAttention(q, k, v, pattern)[0][0];
  for (int64_t row = 0; row < height; ++row) {
    for (int64_t column = 0; column < width; ++column) {
      const int64_t top = std::max<int64_t>(row / 2 * 2 - 1, 0);
      const int64_t left = std::max<int64_t>(column / 2 * 2 - 2, 0);
      const auto seen = [&](const at::Tensor& x) {
        return x[0][0]
            .slice(0, top, row / 2 * 2 + 3)
            .slice(1, left, column / 2 * 2 + 4)
            .flatten(0, 1);
      };
      const at::Tensor weights =
          at::softmax(at::matmul(seen(k), q[0][0][row][column]), 0);
      EXPECT_TRUE(at::allclose(y[row][column], at::matmul(weights, seen(v)),
                               1e-5, 1e-6))
          << row << " " << column;
    }
  }
}

// What is made later does not show, in the order of blocks.
TEST(GridAttentionTest, CausalSeesNothingThatIsMadeLater) {
  const GridPattern pattern = {{2, 3}, 1, 2, true};
  const at::Tensor x = Ramp({1, 1, 4, 6, 2}, 0.9);
  const at::Tensor y = GridAttention(x, x, x, pattern);
  const at::Tensor order = BlockOrder(4, 6, pattern.block);
  const auto made = [&](const at::Tensor& z, int64_t from, int64_t to) {
    return z.flatten(2, 3).index_select(2, order.slice(0, from, to));
  };
  for (const int64_t from : {1, 5, 9, 14, 23}) {
    at::Tensor changed = x.clone();
    changed.flatten(2, 3).index_fill_(2, order.slice(0, from, 24), 5.0);
    const at::Tensor z = GridAttention(changed, changed, changed, pattern);
    EXPECT_TRUE(at::allclose(made(y, 0, from), made(z, 0, from))) << from;
    EXPECT_FALSE(at::allclose(made(y, from, 24), made(z, from, 24))) << from;
  }
}

TEST(GridAttentionTest, GradientsReachEveryInput) {
  const at::Tensor x = Ramp({1, 1, 3, 4, 2}, 0.9).requires_grad_();
  GridAttention(x, x, x, {{2, 3}, 1, 2, true}).square().sum().backward();
  EXPECT_TRUE(x.grad().isfinite().all().item<bool>());
  EXPECT_GT(x.grad().abs().sum().item<double>(), 0.0);
}

TEST(GridAttentionTest, RefusesEmptyBlocks) {
  EXPECT_THROW(CheckGridPattern({{0, 2}, 1, 1, true}), Error);
  EXPECT_THROW(CheckGridPattern({{2, 2}, -1, 1, true}), Error);
}

// In one dimension, with blocks that the width is a multiple of or not.
TEST(LocalAttentionTest, UnmaskedIsT2Ts) {
  for (const int64_t block : {3, 4}) {
    SCOPED_TRACE(block);
    const GoldenLayer golden("attention_layers",
                             "local_attention_1d_" + std::to_string(block));
    LocalAttentionOptions options;
    options.pattern = *LocalPatternOf("local_unmasked", {block, /*width=*/2});
    golden.Check(LocalAttention(golden.Input("q"), golden.Input("k"),
                                golden.Input("v"), options));
  }
}

TEST(LocalAttentionTest, DilatedIsT2TsWithGaps) {
  const GoldenLayer golden("attention_layers",
                           "masked_dilated_self_attention_1d");
  LocalAttentionOptions options;
  options.pattern = *LocalPatternOf("masked_dilated_1d", {2, 2, /*gap=*/1, 2});
  const at::Tensor q = golden.Input("q"), k = golden.Input("k"),
                   v = golden.Input("v");
  golden.Check(LocalAttention(q, k, v, options));
  // A step at a time.
  std::vector<at::Tensor> steps;
  for (int64_t i = 0; i < q.size(2); ++i) {
    steps.push_back(LocalAttentionStep(q.narrow(2, i, 1), k.narrow(2, 0, i + 1),
                                       v.narrow(2, 0, i + 1), options));
  }
  golden.Check(at::cat(steps, 2));
}

}  // namespace
}  // namespace t2t::nn
