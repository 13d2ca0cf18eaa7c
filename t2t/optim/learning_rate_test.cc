#include "t2t/optim/learning_rate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/hparams/hparams.h"

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

TEST(LearningRateTest, EachPhaseOfDistillationHasItsOwn) {
  HParams hparams = FirstHParams();
  hparams.Set("optimizer", "Momentum");
  hparams.Set("learning_rate_schedule", "legacy");
  hparams.Set("learning_rate_decay_scheme", "none");
  hparams.Set("learning_rate_warmup_steps", 0);
  hparams.Set("learning_rate", 0.4);
  EXPECT_DOUBLE_EQ(LearningRate(hparams, 5, 100), 0.4);
  hparams.Add("teacher_learning_rate", 1.5);
  hparams.Add("student_learning_rate", 0.0);
  hparams.Add("distill_phase", "train");
  EXPECT_DOUBLE_EQ(LearningRate(hparams, 5, 100), 1.5);
  // None of its own.
  hparams.Set("distill_phase", "distill");
  EXPECT_DOUBLE_EQ(LearningRate(hparams, 5, 100), 0.4);
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

// T2T's own values (learning_rate_schedule) of transformer_base_multistep8,
// whose steps are batches: hidden_size 512, 8 batches an update.
TEST(LearningRateTest, AccumulatedBatchesAreStepsAsT2Ts) {
  HParams hparams = FirstHParams();
  hparams.Set("learning_rate_schedule",
              "constant*linear_warmup*rsqrt_decay*rsqrt_hidden_size");
  hparams.Set("learning_rate_constant", 2.0);
  hparams.Set("learning_rate_warmup_steps", 8000);
  hparams.Set("hidden_size", 512);
  hparams.Set("optimizer_multistep_accumulate_steps", 8);
  const std::pair<int64_t, double> expected[] = {{0, 0},
                                                 {1, 1.54408095e-08},
                                                 {10, 1.54408099e-07},
                                                 {100, 1.54408099e-06},
                                                 {1001, 1.54562513e-05},
                                                 {8001, 0.000123541919},
                                                 {50000, 0.00077204057},
                                                 {100000, 0.000790569407},
                                                 {250000, 0.000499999966}};
  for (const auto& [step, rate] : expected) {
    EXPECT_NEAR(LearningRate(hparams, step, 250000), rate, 1e-6 * rate) << step;
  }
  // By batches within an update, too.
  EXPECT_LT(LearningRate(hparams, 17, 250000),
            LearningRate(hparams, 18, 250000));
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
  hparams.Remove("learning_rate_multiples");
  hparams.Add("learning_rate_multiples", "0.5");
  EXPECT_THROW(LearningRate(hparams, 50, 100), Error);
  hparams.Set("learning_rate_multiples", "0.5,x");
  EXPECT_THROW(LearningRate(hparams, 50, 100), Error);
}

}  // namespace
}  // namespace t2t
