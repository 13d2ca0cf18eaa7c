#include "t2t/optim/learning_rate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/hparams.h"
#include "t2t/base/json.h"

namespace t2t {
namespace {

Json Golden() {
  return Json::Parse(ReadFile("tests/golden/optim/learning_rate.json"));
}

HParams FirstHParams() {
  return HParams::FromJson(Golden().items().at(0).At("hparams"));
}

TEST(LearningRateTest, IsT2Ts) {
  const Json golden = Golden();
  ASSERT_GE(golden.items().size(), 20u);
  for (const Json& test : golden.items()) {
    const HParams hparams = HParams::FromJson(test.At("hparams"));
    const std::vector<Json>& steps = test.At("steps").items();
    const std::vector<Json>& values = test.At("values").items();
    ASSERT_EQ(steps.size(), values.size());
    for (size_t i = 0; i < steps.size(); ++i) {
      const double expected = values[i].AsDouble();
      // T2T computes in fp32.
      EXPECT_NEAR(LearningRate(hparams, steps[i].AsInt(),
                               hparams.GetInt("train_steps")),
                  expected, 1e-6 * std::max(1.0, std::abs(expected)))
          << hparams.GetString("learning_rate_schedule") << " "
          << hparams.GetString("learning_rate_decay_scheme") << " at "
          << steps[i].AsInt();
    }
  }
}

TEST(LearningRateTest, CycleLinear10x) {
  HParams hparams = FirstHParams();
  hparams.Set("optimizer", "sgd");
  hparams.Set("learning_rate", 1.0);
  hparams.Set("learning_rate_schedule", "legacy");
  hparams.Set("learning_rate_decay_scheme", "cyclelinear10x");
  hparams.Set("learning_rate_warmup_steps", 10);
  EXPECT_NEAR(LearningRate(hparams, 10, 100), 3.3, 1e-12);
  EXPECT_NEAR(LearningRate(hparams, 20, 100), 0.3, 1e-12);
  EXPECT_NEAR(LearningRate(hparams, 25, 100), 1.8, 1e-12);
  EXPECT_NEAR(LearningRate(hparams, 30, 100), 3.3, 1e-12);
}

TEST(LearningRateTest, AccumulationCountsRealSteps) {
  HParams hparams = FirstHParams();
  hparams.Set("learning_rate_schedule", "constant*linear_warmup");
  const double rate = LearningRate(hparams, 5, 100);
  hparams.Set("optimizer_multistep_accumulate_steps", 4);
  EXPECT_EQ(LearningRate(hparams, 5, 100), rate);
}

TEST(LearningRateTest, NoWarmupIsNoDivisionByZero) {
  HParams hparams = FirstHParams();
  hparams.Set("learning_rate_warmup_steps", 0);
  hparams.Set("learning_rate_schedule", "constant*linear_warmup");
  EXPECT_EQ(LearningRate(hparams, 0, 100), 2.0);
}

TEST(LearningRateTest, RefusesWhatIsWrong) {
  const auto message = [](const char* name, auto value) {
    HParams hparams = FirstHParams();
    hparams.Set("learning_rate_schedule", "constant*rsqrt_decay*exp_decay");
    hparams.Set(name, value);
    try {
      LearningRate(hparams, 0, 100);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage);
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_NE(message("learning_rate_schedule", "constant*rsqrt_deca")
                .find("rsqrt_decay"),
            std::string::npos);
  EXPECT_NE(message("learning_rate_warmup_steps", 0)
                .find("learning_rate_warmup_steps"),
            std::string::npos);
  EXPECT_NE(
      message("learning_rate_decay_steps", 0).find("learning_rate_decay_steps"),
      std::string::npos);
  HParams hparams = FirstHParams();
  hparams.Set("learning_rate_schedule", "legacy");
  hparams.Set("learning_rate_decay_scheme", "noma");
  EXPECT_THROW(LearningRate(hparams, 50, 100), Error);
  hparams.Set("learning_rate_schedule", "single_cycle_cos_decay");
  EXPECT_THROW(LearningRate(hparams, 0, 10), Error);
  hparams.Set("learning_rate_schedule", "legacy");
  hparams.Set("learning_rate_decay_scheme", "piecewise");
  hparams.Add("learning_rate_multiples", "0.5");
  EXPECT_THROW(LearningRate(hparams, 50, 100), Error);
  hparams.Add("learning_rate_multiples", "0.5,x");
  EXPECT_THROW(LearningRate(hparams, 50, 100), Error);
}

}  // namespace
}  // namespace t2t
