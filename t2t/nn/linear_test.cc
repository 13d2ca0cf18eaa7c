#include "t2t/nn/linear.h"

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace t2t {
namespace {

double Difference(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).norm() / b.norm()).item<double>();
}

TEST(LinearTest, IsTheMatrixProduct) {
  at::manual_seed(1);
  const at::Tensor x = at::randn({3, 5, 24});
  const at::Tensor kernel = at::randn({24, 40});
  const at::Tensor bias = at::randn({40});
  EXPECT_LT(Difference(Linear(x, kernel, bias), at::matmul(x, kernel) + bias),
            1e-6);
  EXPECT_LT(Difference(LinearRows(x, kernel.t()), at::matmul(x, kernel)), 1e-6);
}

TEST(Int8WeightsTest, IsCloseAndDoesNotDependOnTheOtherRows) {
  ASSERT_TRUE(Int8Weights::IsAvailable());
  at::manual_seed(2);
  Int8Weights weights;
  for (const int64_t in : {2, 16, 130}) {
    const at::Tensor kernel = at::randn({in, 72});
    const at::Tensor bias = at::randn({72});
    // Rows of very different sizes.
    const at::Tensor x =
        at::randn({9, in}) * at::logspace(-3, 3, 9).unsqueeze(1);
    const at::Tensor all = Linear(x, kernel, bias, &weights);
    const at::Tensor expected = at::matmul(x, kernel) + bias;
    for (int64_t row = 0; row < 9; ++row) {
      EXPECT_LT(Difference(all[row], expected[row]), 0.02) << in << " " << row;
      EXPECT_TRUE(Linear(x.narrow(0, row, 1), kernel, bias, &weights)[0].equal(
          all[row]))
          << in << " " << row;
    }
    const at::Tensor rows = kernel.t().contiguous();
    EXPECT_TRUE(LinearRows(x.view({3, 3, in}), rows, &weights)
                    .view({9, 72})
                    .equal(Linear(x, kernel, {}, &weights)));
  }
  EXPECT_EQ(weights.count(), 6);
}

TEST(Int8WeightsTest, TakesZerosAndNothing) {
  Int8Weights weights;
  const at::Tensor kernel = at::zeros({8, 16});
  EXPECT_EQ(
      Linear(at::ones({2, 8}), kernel, {}, &weights).abs().max().item<float>(),
      0);
  EXPECT_EQ(Linear(at::zeros({2, 8}), at::ones({8, 16}), {}, &weights)
                .abs()
                .max()
                .item<float>(),
            0);
  EXPECT_EQ(Linear(at::ones({0, 8}), kernel, {}, &weights).sizes(),
            (std::vector<int64_t>{0, 16}));
}

TEST(Int8WeightsTest, GoesOnWithoutTheFloats) {
  at::manual_seed(3);
  Int8Weights weights;
  const at::Tensor x = at::randn({4, 32});
  const at::Tensor kernel = at::randn({4, 8, 16});  // as with variables_3d
  const at::Tensor unused = at::randn({8, 8});
  const at::Tensor before = Linear(x, kernel.view({32, 16}), {}, &weights);
  EXPECT_EQ(weights.Free(unused), 0);
  EXPECT_EQ(weights.Free(kernel), 32 * 16 * 4);
  EXPECT_EQ(weights.Free(kernel), 0);
  // From several threads.
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 20; ++j) {
        EXPECT_TRUE(
            Linear(x, kernel.view({32, 16}), {}, &weights).equal(before));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace t2t
