#include "t2t/nn/area_attention.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/nn/golden_weights.h"

namespace t2t {
namespace {

constexpr int64_t kHeight = 3;
constexpr int64_t kWidth = 4;
constexpr int64_t kDepth = 6;

// As tools/golden/model/area_attention.py has them.
at::Tensor Memory() {
  return at::arange(kHeight * kWidth * kDepth, at::kDouble)
      .div(3.0)
      .sin()
      .to(at::kFloat)
      .view({1, kHeight * kWidth, kDepth});
}

AreaOptions Options(const std::string& key_mode,
                    const std::string& value_mode) {
  AreaOptions options;
  options.max_width = 3;
  options.max_height = 2;
  options.height = kHeight;
  options.key_mode = key_mode;
  options.value_mode = value_mode;
  return options;
}

class AreaAttentionTest : public testing::Test {
 protected:
  AreaFeatures Make(const AreaOptions& options) {
    const AreaFeatures features(Scope(&params_, options.key_mode, ZerosInit())
                                    .Sub("combine_area_features"),
                                kDepth, options);
    FillGoldenWeights(&params_);
    return features;
  }

  at::Tensor Golden(const std::string& name) {
    if (golden_.is_null()) {
      golden_ = Json::Parse(ReadFile("tests/golden/model/area_attention.json"));
    }
    std::vector<float> values;
    for (const Json& value : golden_.At(name).items()) {
      values.push_back(static_cast<float>(value.AsDouble()));
    }
    return at::tensor(values);
  }

  static double Distance(const at::Tensor& a, const at::Tensor& b) {
    return (a.flatten() - b.flatten()).abs().max().item<double>();
  }

  ParamStore params_{1};
  Json golden_;
};

TEST_F(AreaAttentionTest, FeaturesAreT2Ts) {
  for (const std::string mode :
       {"mean", "max", "sample", "concat", "max_concat", "sum", "sample_concat",
        "sample_sum"}) {
    const AreaFeatures features = Make(Options(mode, "sum"));
    const at::Tensor keys = features.Keys(Memory(), nn::Context());
    EXPECT_LT(Distance(keys, Golden("key/" + mode)), 2e-6) << mode;
  }
  for (const std::string mode : {"mean", "max", "sum"}) {
    EXPECT_LT(
        Distance(Make(Options("mean", mode)).Values(Memory()), Golden(mode)),
        2e-6)
        << mode;
  }
}

TEST_F(AreaAttentionTest, HidesAreasThatHoldSomethingHidden) {
  AreaOptions options;
  options.max_width = 3;
  options.key_mode = "mean";
  options.value_mode = "mean";
  const AreaFeatures features = Make(options);
  const at::Tensor lengths = at::tensor({4, 2, 0, 5}).unsqueeze(1);
  const at::Tensor masked = at::arange(5).unsqueeze(0).ge(lengths);
  // T2T's mask says what is seen.
  EXPECT_EQ(Distance(features.Masked(masked).logical_not().to(at::kFloat),
                     Golden("mask")),
            0.0);
  const at::Tensor bias = features.Bias(masked.to(at::kFloat) * -1e9);
  EXPECT_TRUE(bias.lt(-1e8).equal(features.Masked(masked)));
  EXPECT_TRUE(features.Bias(at::full({2, 5}, -1.0)).eq(0.0).all().item<bool>());
}

TEST_F(AreaAttentionTest, StepByStep) {
  AreaOptions options;
  options.max_width = 3;
  options.key_mode = "concat";
  options.value_mode = "sum";
  const AreaFeatures features = Make(options);
  const at::Tensor memory = Memory();
  std::vector<at::Tensor> keys;
  std::vector<at::Tensor> values;
  for (int64_t end = 1; end <= memory.size(1); ++end) {
    const at::Tensor recent =
        memory.slice(1, std::max<int64_t>(end - 3, 0), end);
    keys.push_back(features.LastKeys(recent));
    values.push_back(features.LastValues(recent));
  }
  const at::Tensor order = features.OrderOfEnds(memory.size(1));
  EXPECT_LT(
      Distance(at::cat(keys, 1),
               features.Keys(memory, nn::Context()).index_select(1, order)),
      1e-6);
  EXPECT_LT(Distance(at::cat(values, 1),
                     features.Values(memory).index_select(1, order)),
            1e-6);
}

// The noise of training is as wide as the area's keys differ.
TEST_F(AreaAttentionTest, SamplesInTrainingAlone) {
  const AreaFeatures features = Make(Options("sample", "sum"));
  EXPECT_TRUE(features.Keys(Memory(), nn::Context())
                  .equal(features.Keys(Memory(), nn::Context())));
  at::manual_seed(1);
  const at::Tensor many = features.Keys(Memory().expand({4000, -1, -1}),
                                        nn::Context(/*is_training=*/true));
  at::manual_seed(1);
  EXPECT_TRUE(many.equal(features.Keys(Memory().expand({4000, -1, -1}),
                                       nn::Context(/*is_training=*/true))));
  EXPECT_LT(Distance(many.mean(0), Golden("mean")), 0.08);
  EXPECT_LT(Distance(at::std(many, 0, /*unbiased=*/true), Golden("deviation")),
            0.06);
}

TEST_F(AreaAttentionTest, RefusesWhatDoesNotFit) {
  const auto code = [&](const AreaOptions& options, const at::Tensor& memory) {
    try {
      Make(options).Keys(memory, nn::Context());
    } catch (const Error& error) {
      return error.code();
    }
    return ExitCode::kOk;
  };
  EXPECT_EQ(code(Options("mean", "sum"), Memory()), ExitCode::kOk);
  EXPECT_EQ(code(Options("none", "sum"), Memory()), ExitCode::kUsage);
  EXPECT_EQ(code(Options("mean", "none"), Memory()), ExitCode::kUsage);
  EXPECT_EQ(code(Options("mean", "sum"), Memory().slice(1, 1)),
            ExitCode::kBadData);
  AreaOptions flat = Options("mean", "sum");
  flat.height = 0;
  EXPECT_EQ(code(flat, Memory()), ExitCode::kUsage);
  // Shorter than the widest area.
  AreaOptions wide;
  wide.max_width = 50;
  wide.key_mode = "mean";
  wide.value_mode = "sum";
  EXPECT_EQ(Make(wide).Keys(Memory(), nn::Context()).size(1), 12 * 13 / 2);
}

}  // namespace
}  // namespace t2t
