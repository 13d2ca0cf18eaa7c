// What t2t-launch knows of costs, asked of the real t2t-trainer.
//
// tests/golden/launch/costs.json has what the launcher's other tests ask. What
// it lacks is asked and added (without the file, all of it: where a model or
// its cost changes, remove it first; a minute or two) by
//   export T2T_WRITE_GOLDEN=$PWD/tests/golden/launch/costs.json
//   bazel run //tests/launch:costs_test -- --gtest_filter='*Golden*'

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "launch/app/testing_components.h"
#include "launch/render/sweep.h"
#include "launch/run/ask_trainer.h"
#include "t2t/base/error.h"
#include "t2t/hparams/hparams.h"
#include "t2t/model/model.h"
#include "t2t/problem/expected_info.h"

namespace t2t {
namespace {

Costs::Ask Trainer() { return AskTrainer("t2t/bin/trainer"); }

CostQuestion Question(const ComponentSettings& settings) {
  return CostQuestion::Of(MakeTestingComponent("train", settings), {});
}

// Larger ones take long.
constexpr int64_t kQuick = 10'000'000;

TEST(CostsTest, GoldenAnswersAreTheTrainers) {
  const char* const write = std::getenv("T2T_WRITE_GOLDEN");
  if (write != nullptr) {
    TestingCosts() = std::make_shared<Costs>(write);
    TestingCosts()->AskBy(Trainer());
    for (const auto& [name, component] : GoldenComponents()) {
      if (component.prototype == "sweep") SweepTrials(component);
    }
    for (const ComponentSettings& settings : TestingCostSettings()) {
      try {
        TestingCosts()->Of(Question(settings));
      } catch (const Error& error) {
        ADD_FAILURE() << error.what();
      }
    }
    return;
  }
  Costs asked;
  asked.AskBy(Trainer());
  int compared = 0;
  for (const ComponentSettings& settings : TestingCostSettings()) {
    const CostQuestion question = Question(settings);
    const ModelCost kept = TestingCosts()->Of(question);
    if (kept.parameters > kQuick) continue;
    const ModelCost cost = asked.Of(question);
    EXPECT_EQ(cost.parameters, kept.parameters) << question.key;
    EXPECT_EQ(cost.state_bytes(), kept.state_bytes()) << question.key;
    EXPECT_EQ(cost.checkpoint_bytes, kept.checkpoint_bytes) << question.key;
    EXPECT_NEAR(cost.flops, kept.flops, 0.01 * kept.flops) << question.key;
    // Operators may take buffers by the number of threads.
    EXPECT_NEAR(cost.activation_bytes, kept.activation_bytes,
                0.1 * kept.activation_bytes)
        << question.key;
    ++compared;
  }
  EXPECT_GE(compared, 4);
}

// The program's count is that of the model itself.
TEST(CostsTest, ParametersAreTheModels) {
  int compared = 0;
  for (const ComponentSettings& settings : TestingCostSettings()) {
    const CostQuestion question = Question(settings);
    const ModelCost kept = TestingCosts()->Of(question);
    if (kept.parameters > kQuick) continue;
    const std::unique_ptr<Problem> problem = MakeProblem(question.problem);
    HParams hparams = HParamsSets().Get(question.hparams_set)();
    problem->AdjustHParams(&hparams);
    hparams.Parse(question.hparams);
    const std::unique_ptr<Model> model =
        Models().Get(question.model)(hparams, ExpectInfo(*problem, "").info, 1);
    EXPECT_EQ(kept.parameters, model->params().NumParameters()) << question.key;
    ++compared;
  }
  EXPECT_GE(compared, 4);
}

TEST(CostsTest, WhatTheTrainerRefusesIsSaid) {
  Costs costs;
  costs.AskBy(Trainer());
  // Only the model itself knows that these do not go together.
  const CostQuestion question = Question(
      {{"hparams_set", "transformer_tiny"}, {"hparams", "num_heads=3"}});
  try {
    costs.Of(question);
    FAIL();
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("no estimate: t2t-trainer: "), std::string::npos)
        << text;
    EXPECT_NE(text.find("num_heads"), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace t2t
