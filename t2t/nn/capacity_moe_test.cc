#include "t2t/nn/capacity_moe.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "t2t/base/error.h"

namespace t2t {
namespace {

constexpr int64_t kBatch = 2, kLength = 6, kHidden = 4, kExperts = 3;

class CapacityMixtureTest : public testing::Test {
 protected:
  CapacityMixtureTest() {
    options_.hidden_size = kHidden;
    options_.filter_size = 5;
    options_.experts = kExperts;
    options_.loss_weight = 0.1;
  }

  CapacityMixture Make() {
    store_.emplace(1);
    return CapacityMixture(Scope(&*store_, "ffn", NormalInit(0.0, 1.0)),
                           options_);
  }

  at::Tensor Expert(int64_t i, const at::Tensor& x) const {
    return at::matmul(at::relu(at::matmul(x, store_->Get("ffn/x0/w")[i])),
                      store_->Get("ffn/x1/w")[i]);
  }

  // What local_moe_tpu is written to do, position by position.
  at::Tensor ByHand(const at::Tensor& gates_BLE, int64_t capacity,
                    at::Tensor* importance_BE) const {
    at::Tensor y = at::zeros({kBatch, kLength, kHidden});
    *importance_BE = at::zeros({kBatch, kExperts});
    for (int64_t b = 0; b < kBatch; ++b) {
      const auto gate = [&](int64_t l, int64_t e) {
        return gates_BLE[b][l][e].item<double>();
      };
      std::vector<int64_t> taken(kExperts), wanted(kExperts);
      std::vector<std::vector<double>> weights(
          kLength, std::vector<double>(kExperts, 0.0));
      for (int64_t l = 0; l < kLength; ++l) {
        int64_t best = 0;
        for (int64_t e = 1; e < kExperts; ++e) {
          if (gate(l, e) >= gate(l, best)) best = e;
        }
        if (taken[best] == capacity) continue;
        ++taken[best];
        weights[l][best] = gate(l, best);
        (*importance_BE)[b][best] += gate(l, best);
      }
      const std::vector<int64_t> first = taken;
      std::vector<int64_t> next = taken;
      for (int64_t l = 0; l < kLength; ++l) {
        const auto value = [&](int64_t e) {
          const double full_from = static_cast<double>(capacity - first[e]) /
                                   ((first[e] + 1.0) / kLength);
          return gate(l, e) - (weights[l][e] > 0 ? 1 : 0) -
                 (static_cast<double>(l) > full_from ? 1 : 0);
        };
        int64_t best = 0;
        for (int64_t e = 1; e < kExperts; ++e) {
          if (value(e) >= value(best)) best = e;
        }
        std::vector<double> own = weights[l];
        if (next[best]++ < capacity) {
          own[best] += value(best);
          (*importance_BE)[b][best] += gate(l, best);
        }
        double sum = 1e-9;
        for (const double weight : own) sum += weight;
        for (int64_t e = 0; e < kExperts; ++e) {
          y[b][l] += Expert(e, x_BLD_[b][l]) * (own[e] / sum);
        }
      }
    }
    return y;
  }

  std::optional<ParamStore> store_;
  CapacityMixtureOptions options_;
  const at::Tensor x_BLD_ =
      at::cos(at::arange(kBatch * kLength * kHidden, at::kFloat) * 1.7)
          .view({kBatch, kLength, kHidden});
};

TEST_F(CapacityMixtureTest, EachPositionGoesToTwoExpertsThatHaveRoom) {
  const at::NoGradGuard no_grad;
  for (const double overhead : {0.5, 1.0, 2.0}) {
    SCOPED_TRACE(overhead);
    options_.overhead_eval = overhead;
    const CapacityMixture mixture = Make();
    nn::Context context;
    const at::Tensor y = mixture(x_BLD_, context);
    const at::Tensor gates_BLE =
        at::softmax(at::matmul(x_BLD_, store_->Get("ffn/logits/kernel")) +
                        store_->Get("ffn/logits/bias"),
                    2);
    at::Tensor importance_BE;
    const auto capacity = static_cast<int64_t>(
        std::min<double>(kLength, kLength * 2 * overhead / kExperts));
    const at::Tensor expected = ByHand(gates_BLE, capacity, &importance_BE);
    EXPECT_TRUE(at::allclose(y, expected, 1e-4, 1e-5));
    const double mean = importance_BE.mean().item<double>();
    EXPECT_NEAR(context.losses.by_name().at("extra").item<double>(),
                0.1 * (importance_BE - mean).square().mean().item<double>() /
                    (mean * mean),
                1e-6);
  }
}

TEST_F(CapacityMixtureTest, TrainingHasItsOwnRoomAndGradients) {
  options_.overhead_train = 0.5;
  const CapacityMixture mixture = Make();
  nn::Context training(/*is_training=*/true);
  nn::Context evaluation;
  const at::Tensor y = mixture(x_BLD_, training);
  EXPECT_FALSE(at::allclose(y, mixture(x_BLD_, evaluation)));
  (y.square().sum() + training.losses.by_name().at("extra")).backward();
  for (const char* const name : {"ffn/logits/kernel", "ffn/x0/w", "ffn/x1/w"}) {
    EXPECT_GT(store_->Get(name).grad().abs().sum().item<double>(), 0.0) << name;
  }
}

// A single position has no room at all where there are many experts.
TEST_F(CapacityMixtureTest, WithoutRoomThereIsNothing) {
  options_.overhead_eval = 1.0;
  const CapacityMixture mixture = Make();
  nn::Context context;
  const at::Tensor y = mixture(x_BLD_.narrow(1, 0, 1), context);
  EXPECT_EQ(y.abs().sum().item<double>(), 0.0);
}

TEST_F(CapacityMixtureTest, RefusesOneExpert) {
  options_.experts = 1;
  EXPECT_THROW(Make(), Error);
}

}  // namespace
}  // namespace t2t
