#include "t2t/ops/cuda/update.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "t2t/ops/optimizer_kernels.h"

namespace t2t {
namespace {

constexpr int64_t kSize = 1000;

class UpdateTest : public ::testing::Test {
 protected:
  using Values = std::vector<float>;

  UpdateTest() : p_(Draw()), a_(Draw()), b_(Draw()), g_(Draw()) {
    for (float& value : b_) value = std::fabs(value);
  }

  Values Draw() {
    std::normal_distribution<float> normal;
    Values values(kSize);
    for (float& value : values) value = normal(random_);
    return values;
  }

  template <typename Update>
  static void Run(const Update& update) {
    for (int64_t i = 0; i < kSize; ++i) update(i);
  }

  static void ExpectNear(const Values& got, const Values& expected) {
    for (size_t i = 0; i < got.size(); ++i) {
      ASSERT_NEAR(got[i], expected[i], 2e-6 * (1 + std::fabs(expected[i])))
          << i;
    }
  }

  GradientTerms gradient() const { return {g_.data(), 0.01F, 0.7F}; }

  std::mt19937 random_{3};
  const Values p_, a_;
  Values b_;
  const Values g_;
};

TEST_F(UpdateTest, Adam) {
  const AdamTerms terms = {0.9F, 0.98F, 0.01F, 1e-9F, 1.1F, 0.999F};
  Values p = p_, m = a_, v = b_;
  AdamKernel(p.data(), m.data(), v.data(), gradient(), terms, kSize);
  Values p2 = p_, m2 = a_, v2 = b_;
  Run(AdamUpdate{p2.data(), m2.data(), v2.data(), gradient(), terms});
  ExpectNear(p2, p);
  ExpectNear(m2, m);
  ExpectNear(v2, v);
}

TEST_F(UpdateTest, Sgd) {
  Values p = p_, p2 = p_;
  SgdKernel(p.data(), gradient(), 0.1F, kSize);
  Run(SgdUpdate{p2.data(), gradient(), 0.1F});
  ExpectNear(p2, p);
}

TEST_F(UpdateTest, Momentum) {
  for (const bool nesterov : {false, true}) {
    Values p = p_, a = a_, p2 = p_, a2 = a_;
    MomentumKernel(p.data(), a.data(), gradient(), 0.1F, 0.9F, nesterov, kSize);
    Run(MomentumUpdate{p2.data(), a2.data(), gradient(), 0.1F, 0.9F, nesterov});
    ExpectNear(p2, p);
    ExpectNear(a2, a);
  }
}

TEST_F(UpdateTest, Average) {
  Values a = a_, a2 = a_;
  AverageKernel(a.data(), p_.data(), 0.99F, kSize);
  Run(AverageUpdate{a2.data(), p_.data(), 0.99F});
  ExpectNear(a2, a);
}

TEST_F(UpdateTest, SumOfSquares) {
  const double expected = SumOfSquares(p_.data(), gradient(), kSize);
  const SquareOf square{p_.data(), gradient()};
  double sum = 0;
  for (int64_t i = 0; i < kSize; ++i) sum += square(i);
  EXPECT_NEAR(sum, expected, 1e-5 * expected);
}

TEST(Bf16Test, RoundsToTheNearestAndToTheEven) {
  const auto rounded = [](float value) {
    uint16_t bits;
    FromFloat(value, &bits);
    return ToFloat(bits);
  };
  constexpr float kStep = 1.0F / 128;  // from 1 on
  for (const float value : {0.0F, 1.0F, -2.5F, 1 + kStep, 0x1p-130F}) {
    EXPECT_EQ(rounded(value), value);
  }
  EXPECT_EQ(rounded(1 + 0.49F * kStep), 1.0F);
  EXPECT_EQ(rounded(1 + 0.5F * kStep), 1.0F);
  EXPECT_EQ(rounded(1 + 0.51F * kStep), 1 + kStep);
  EXPECT_EQ(rounded(1 + 1.5F * kStep), 1 + 2 * kStep);
  EXPECT_EQ(rounded(-1 - 1.5F * kStep), -1 - 2 * kStep);
  EXPECT_TRUE(std::isinf(rounded(3.4e38F)));
  EXPECT_TRUE(std::isinf(rounded(INFINITY)));
  EXPECT_TRUE(std::isnan(rounded(NAN)));
}

}  // namespace
}  // namespace t2t
