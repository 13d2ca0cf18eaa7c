#include "t2t/nn/moe.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "t2t/base/error.h"

namespace t2t {
namespace {

// Without noise all gates begin equal, and the first experts
// are taken.
TEST(MixtureOfExpertsTest, GatesAndLoss) {
  ParamStore store(1);
  const Scope scope(&store, "ffn", NormalInit(0.0, 0.4));
  MixtureOptions options;
  options.hidden_size = 4;
  options.filter_size = 9;
  options.experts = 3;
  options.experts_per_token = 2;
  const MixtureOfExperts mixture(scope, options);
  const at::Tensor in = store.Get("ffn/local_moe/experts/w_0");
  const at::Tensor out = store.Get("ffn/local_moe/experts/w_1");
  EXPECT_FALSE(at::equal(in[0], in[1]));
  const at::Tensor x = at::randn({2, 3, 4});
  const auto expert = [&](int64_t i) {
    return at::matmul(at::relu(at::matmul(x, in[i])), out[i]) *
           std::pow(9.0 / 4.0, -0.5);
  };
  nn::Context context;
  const auto extra = [](const nn::Context& c) {
    return c.losses.by_name().at("extra");
  };
  const at::Tensor y = mixture(x, context);
  EXPECT_TRUE(at::allclose(y, (expert(0) + expert(1)) * 0.5, 1e-4, 1e-5));
  // Importance 3, 3, 0 and load 6, 6, 0: each a squared variation of 0.5.
  EXPECT_NEAR(extra(context).item<double>(), 0.01 * (0.5 + 0.5), 1e-6);
  nn::Context training(/*is_training=*/true);
  at::manual_seed(2);
  EXPECT_FALSE(at::allclose(mixture(x, training), y));
  EXPECT_TRUE(extra(training).requires_grad());
  // Losses of several layers add up.
  mixture(x, context);
  EXPECT_NEAR(extra(context).item<double>(), 0.02, 1e-6);
  options.experts_per_token = 4;
  EXPECT_THROW(MixtureOfExperts(scope, options), Error);
}

}  // namespace
}  // namespace t2t
