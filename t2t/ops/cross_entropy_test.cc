#include "t2t/ops/cross_entropy.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <limits>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/ops/row_kernels.h"

namespace t2t {
namespace {

// As T2T writes it: a one-hot target, smoothed, against log_softmax.
at::Tensor Naive(const at::Tensor& logits, const at::Tensor& targets,
                 double smoothing) {
  const int64_t classes = logits.size(-1);
  const double high = 1.0 - smoothing;
  const double low = smoothing / static_cast<double>(classes - 1);
  const double entropy =
      -(high * std::log(high) +
        static_cast<double>(classes - 1) * low * std::log(low + 1e-20));
  const at::Tensor hot = at::one_hot(targets, classes).to(logits.dtype());
  const at::Tensor wanted = hot * high + (1 - hot) * low;
  return -(wanted * at::log_softmax(logits, -1)).sum(-1) - entropy;
}

struct Problem {
  at::Tensor x, softmax, targets, weights;
};

Problem MakeProblem(int64_t rows, int64_t hidden, int64_t classes,
                    at::ScalarType type) {
  at::manual_seed(3);
  Problem problem;
  problem.x = at::randn({rows, hidden}, type).set_requires_grad(true);
  problem.softmax = at::randn({classes, hidden}, type).set_requires_grad(true);
  problem.targets = at::randint(classes, {rows}, at::kLong);
  problem.weights = at::rand({rows}, type);
  problem.weights.index_fill_(0, at::arange(1, rows, 3), 0.0);
  return problem;
}

double RelativeError(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).abs().max() / b.abs().max()).item<double>();
}

void ExpectAsNaive(int64_t rows, int64_t hidden, int64_t classes,
                   double smoothing, at::ScalarType type, double tolerance) {
  const Problem p = MakeProblem(rows, hidden, classes, type);
  const at::Tensor fused =
      FusedCrossEntropy(p.x, p.softmax, p.targets, p.weights, smoothing);
  const at::Tensor logits =
      p.x.to(at::kDouble).matmul(p.softmax.to(at::kDouble).t());
  const at::Tensor naive =
      (Naive(logits, p.targets, smoothing) * p.weights).sum();
  EXPECT_LT(RelativeError(fused, naive), tolerance);
  const std::vector<at::Tensor> ours =
      torch::autograd::grad({fused * 0.7}, {p.x, p.softmax});
  const std::vector<at::Tensor> theirs =
      torch::autograd::grad({naive * 0.7}, {p.x, p.softmax});
  EXPECT_LT(RelativeError(ours[0], theirs[0]), tolerance);
  EXPECT_LT(RelativeError(ours[1], theirs[1]), tolerance);
  at::NoGradGuard no_grad;
  const at::Tensor without =
      FusedCrossEntropy(p.x, p.softmax, p.targets, p.weights, smoothing);
  EXPECT_DOUBLE_EQ(without.item<double>(), fused.item<double>());
}

TEST(FusedCrossEntropy, EqualsTheNaiveOneInDouble) {
  for (const double smoothing : {0.0, 0.1, 0.5}) {
    ExpectAsNaive(7, 5, 11, smoothing, at::kDouble, 1e-12);
    ExpectAsNaive(1, 3, 2, smoothing, at::kDouble, 1e-12);
  }
}

TEST(FusedCrossEntropy, EqualsTheNaiveOneOverSeveralChunks) {
  ExpectAsNaive(300, 4, 40000, 0.1, at::kDouble, 1e-10);
  ExpectAsNaive(200, 16, 33001, 0.1, at::kFloat, 2e-5);
}

TEST(FusedCrossEntropy, EqualsTheNaiveOneInFloat) {
  ExpectAsNaive(97, 32, 1003, 0.1, at::kFloat, 1e-5);
  ExpectAsNaive(97, 32, 1003, 0.0, at::kFloat, 1e-5);
}

TEST(FusedCrossEntropy, NumericalGradient) {
  const Problem p = MakeProblem(4, 3, 5, at::kDouble);
  const auto loss = [&](const at::Tensor& x) {
    return FusedCrossEntropy(x, p.softmax.detach(), p.targets, p.weights, 0.1)
        .item<double>();
  };
  const at::Tensor gradient = torch::autograd::grad(
      {FusedCrossEntropy(p.x, p.softmax, p.targets, p.weights, 0.1)}, {p.x})[0];
  for (int64_t i = 0; i < p.x.numel(); ++i) {
    at::Tensor plus = p.x.detach().clone();
    at::Tensor minus = plus.clone();
    plus.view(-1)[i] += 1e-5;
    minus.view(-1)[i] -= 1e-5;
    EXPECT_NEAR(gradient.view(-1)[i].item<double>(),
                (loss(plus) - loss(minus)) / 2e-5, 1e-8);
  }
}

TEST(FusedCrossEntropy, PaddingRowsMayHoldAnything) {
  Problem p = MakeProblem(6, 4, 9, at::kFloat);
  at::NoGradGuard no_grad;
  const double before =
      FusedCrossEntropy(p.x, p.softmax, p.targets, p.weights, 0.1)
          .item<double>();
  p.x[1].fill_(std::numeric_limits<float>::quiet_NaN());
  p.targets[1] = 1000;
  EXPECT_EQ(FusedCrossEntropy(p.x, p.softmax, p.targets, p.weights, 0.1)
                .item<double>(),
            before);
}

TEST(FusedCrossEntropy, AllPaddingIsZero) {
  const Problem p = MakeProblem(6, 4, 9, at::kFloat);
  const at::Tensor loss =
      FusedCrossEntropy(p.x, p.softmax, p.targets, at::zeros({6}), 0.1);
  EXPECT_EQ(loss.item<double>(), 0.0);
  const auto gradients = torch::autograd::grad({loss}, {p.x, p.softmax});
  EXPECT_EQ(gradients[0].abs().max().item<double>(), 0.0);
  EXPECT_EQ(gradients[1].abs().max().item<double>(), 0.0);
}

TEST(FusedCrossEntropy, NanInNanOut) {
  for (const double smoothing : {0.0, 0.1}) {
    Problem p = MakeProblem(6, 4, 9, at::kFloat);
    at::NoGradGuard no_grad;
    p.x[0][2] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_TRUE(std::isnan(
        FusedCrossEntropy(p.x, p.softmax, p.targets, p.weights, smoothing)
            .item<double>()));
    p.x[0][2] = std::numeric_limits<float>::infinity();
    EXPECT_FALSE(std::isfinite(
        FusedCrossEntropy(p.x, p.softmax, p.targets, p.weights, smoothing)
            .item<double>()));
  }
}

TEST(FusedCrossEntropy, Bfloat16ComesNear) {
  const Problem p = MakeProblem(50, 16, 101, at::kFloat);
  const at::Tensor exact =
      FusedCrossEntropy(p.x, p.softmax, p.targets, p.weights, 0.1);
  const at::Tensor rough = FusedCrossEntropy(p.x.to(at::kBFloat16), p.softmax,
                                             p.targets, p.weights, 0.1);
  EXPECT_LT(RelativeError(rough, exact), 0.01);
  const auto ours = torch::autograd::grad({rough}, {p.x, p.softmax});
  const auto theirs = torch::autograd::grad({exact}, {p.x, p.softmax});
  EXPECT_EQ(ours[1].scalar_type(), at::kFloat);
  EXPECT_LT(RelativeError(ours[0], theirs[0]), 0.05);
  EXPECT_LT(RelativeError(ours[1], theirs[1]), 0.05);
}

TEST(FusedCrossEntropy, RefusesBadInput) {
  Problem p = MakeProblem(6, 4, 9, at::kFloat);
  EXPECT_THROW(FusedCrossEntropy(p.x, p.softmax, p.targets, p.weights, 1.0),
               Error);
  p.targets[0] = 9;
  EXPECT_THROW(FusedCrossEntropy(p.x, p.softmax, p.targets, p.weights, 0.1),
               Error);
  p.targets[0] = -1;
  EXPECT_THROW(FusedCrossEntropy(p.x, p.softmax, p.targets, p.weights, 0.1),
               Error);
}

TEST(SmoothedCrossEntropy, EqualsTheNaiveOne) {
  at::manual_seed(5);
  const at::Tensor logits =
      at::randn({3, 4, 7}, at::kDouble).set_requires_grad(true);
  const at::Tensor targets = at::randint(7, {3, 4}, at::kLong);
  for (const double smoothing : {0.0, 0.1}) {
    const at::Tensor ours = SmoothedCrossEntropy(logits, targets, smoothing);
    const at::Tensor theirs = Naive(logits, targets, smoothing);
    EXPECT_EQ(ours.sizes(), targets.sizes());
    EXPECT_LT(RelativeError(ours, theirs), 1e-12);
    EXPECT_LT(RelativeError(torch::autograd::grad({ours.sum()}, {logits})[0],
                            torch::autograd::grad({theirs.sum()}, {logits})[0]),
              1e-12);
  }
}

TEST(RowSoftmax, ExpIsExactToFloat) {
  std::vector<float> values;
  for (int i = 0; i <= 8000; ++i) {
    values.push_back(-static_cast<float>(i) * 0.01f);
  }
  const std::vector<float> before = values;
  const RowSums sums =
      RowExpSums(values.data(), static_cast<int64_t>(values.size()));
  EXPECT_EQ(sums.max, 0.0);
  double total = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const double exact = std::exp(static_cast<double>(before[i]));
    total += exact;
    EXPECT_NEAR(values[i] / exact, 1.0, 3e-7) << before[i];
  }
  EXPECT_NEAR(sums.exp_sum / total, 1.0, 1e-6);
}

}  // namespace
}  // namespace t2t
