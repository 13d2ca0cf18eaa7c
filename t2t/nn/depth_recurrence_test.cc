#include "t2t/nn/depth_recurrence.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/nn/golden_weights.h"

namespace t2t {
namespace {

constexpr int64_t kHidden = 4;

at::Tensor Ramp(at::IntArrayRef shape, double start = 0.0) {
  int64_t size = 1;
  for (const int64_t n : shape) size *= n;
  return at::arange(size, at::kFloat).mul(0.7).add(start).cos().view(shape);
}

// The paper's equations for one position, written plainly: p are the halting
// probabilities of its steps.
struct Plain {
  std::vector<double> weights;
  double remainder = 0.0;
};
Plain Halt(const std::vector<double>& p, double epsilon) {
  Plain plain;
  double sum = 0.0;
  for (const double one : p) {
    if (sum + one > 1.0 - epsilon) {
      plain.remainder = 1.0 - sum;
      plain.weights.push_back(plain.remainder);
      break;
    }
    sum += one;
    plain.weights.push_back(one);
  }
  return plain;
}

at::Tensor Step(const at::Tensor& state_BLD) {
  return at::tanh(state_BLD * 1.3 + 0.2);
}

struct Walked {
  at::Tensor result_BLD;
  at::Tensor cost;
  int64_t steps;
};
Walked WalkAll(const Halting& halting, const at::Tensor& x_BLD,
               bool all_steps) {
  const nn::Context context;
  Halting::Walk walk(halting, x_BLD, all_steps, context);
  at::Tensor state = x_BLD;
  while (walk.GoesOn()) {
    walk.Weigh(state);
    walk.Add(state = Step(state));
  }
  return {walk.result(), walk.Cost(), walk.step()};
}

Halting MakeHalting(ParamStore* params, const HaltingOptions& options) {
  Halting halting(Scope(params, "", ZerosInit()), kHidden, options);
  FillGoldenWeights(params);
  return halting;
}

TEST(HaltingTest, EachPositionIsWeighedAsThePaperSays) {
  ParamStore params(1);
  const HaltingOptions options{.max_steps = 9, .epsilon = 0.05};
  const Halting halting = MakeHalting(&params, options);
  const at::Tensor x_BLD = Ramp({2, 3, kHidden});
  const Walked walked = WalkAll(halting, x_BLD, false);

  double cost = 0.0;
  at::Tensor expected_BLD = at::zeros_like(x_BLD);
  for (int64_t b = 0; b < 2; ++b) {
    for (int64_t l = 0; l < 3; ++l) {
      std::vector<double> p;
      std::vector<at::Tensor> states;
      at::Tensor state = x_BLD[b][l];
      for (int i = 0; i < 9; ++i) {
        const std::string dense = "sigmoid_activation_for_pondering/dense/";
        p.push_back(at::sigmoid(state.matmul(params.Get(dense + "kernel")) +
                                params.Get(dense + "bias"))
                        .item<double>());
        states.push_back(state = Step(state));
      }
      const Plain plain = Halt(p, 0.05);
      ASSERT_GT(plain.remainder, 0.0) << "the case does not halt in time";
      cost += static_cast<double>(plain.weights.size()) + plain.remainder;
      // The result begins at 0 and moves towards each step's state.
      at::Tensor sum = at::zeros({kHidden});
      for (size_t i = 0; i < plain.weights.size(); ++i) {
        sum = sum * (1.0 - plain.weights[i]) + states[i] * plain.weights[i];
      }
      expected_BLD[b][l] = sum;
    }
  }
  EXPECT_TRUE(at::allclose(walked.result_BLD, expected_BLD, 1e-5, 1e-6));
  EXPECT_NEAR(walked.cost.item<double>(), cost / 6.0, 1e-4);
}

TEST(HaltingTest, StepsAfterTheLastPositionHaltedChangeNothing) {
  for (const char* type : {"basic", "accumulated", "global"}) {
    SCOPED_TRACE(type);
    ParamStore params(1);
    const Halting halting =
        MakeHalting(&params, {.type = type, .max_steps = 12});
    const at::Tensor x_BLD = Ramp({2, 3, kHidden});
    const Walked some = WalkAll(halting, x_BLD, false);
    const Walked all = WalkAll(halting, x_BLD, true);
    EXPECT_LT(some.steps, all.steps);
    EXPECT_TRUE(at::equal(some.result_BLD, all.result_BLD));
    EXPECT_TRUE(at::equal(some.cost, all.cost));
  }
}

TEST(HaltingTest, AccumulatedAddsUpWhatTheStepsMade) {
  ParamStore params(1);
  const Halting halting =
      MakeHalting(&params, {.type = "accumulated", .max_steps = 20});
  // States that stay where they are: the weights of a halted position sum to 1.
  const at::Tensor x_BLD = Ramp({2, 3, kHidden});
  const nn::Context context;
  Halting::Walk walk(halting, x_BLD, false, context);
  while (walk.GoesOn()) {
    walk.Weigh(x_BLD);
    walk.Add(x_BLD);
  }
  EXPECT_TRUE(at::allclose(walk.result(), x_BLD, 1e-5, 1e-6));
}

TEST(HaltingTest, GlobalStopsAllPositionsOfARowTogether) {
  ParamStore params(1);
  const Halting halting =
      MakeHalting(&params, {.type = "global", .max_steps = 9});
  const at::Tensor x_BLD = Ramp({1, 3, kHidden});
  at::Tensor changed_BLD = x_BLD.clone();
  changed_BLD[0][2] += 3.0;
  const at::Tensor before = WalkAll(halting, x_BLD, false).result_BLD;
  const at::Tensor after = WalkAll(halting, changed_BLD, false).result_BLD;
  EXPECT_FALSE(at::allclose(before[0][0], after[0][0]));
  EXPECT_FALSE(halting.IsPositionwise());
}

TEST(HaltingTest, NoMoreStepsThanTheMost) {
  ParamStore params(1);
  const Halting halting(Scope(&params, "", ZerosInit()), kHidden,
                        {.max_steps = 3, .bias_init = -20.0});
  EXPECT_EQ(WalkAll(halting, Ramp({1, 2, kHidden}), false).steps, 3);
}

TEST(HaltingTest, RefusesWhatItDoesNotKnow) {
  ParamStore params(1);
  const Scope scope(&params, "", ZerosInit());
  EXPECT_THROW(Halting(scope, kHidden, {.type = "some", .max_steps = 3}),
               Error);
  EXPECT_THROW(Halting(scope, kHidden, {.max_steps = 0}), Error);
}

// T2T's GRU in depth, element by element.
TEST(DepthGatesTest, GruMixesTheCandidateWithItsInput) {
  ParamStore params(1);
  const DepthGru gru(Scope(&params, "", ZerosInit()), kHidden);
  FillGoldenWeights(&params);
  const at::Tensor x_BLD = Ramp({2, 3, kHidden});
  const at::Tensor state_BLD = Ramp({2, 3, kHidden}, 1.0);
  const auto gate = [&](const char* name, const at::Tensor& state) {
    return at::cat({x_BLD, state}, -1)
               .matmul(params.Get(std::string(name) + "/kernel")) +
           params.Get(std::string(name) + "/bias");
  };
  const at::Tensor z = at::sigmoid(gate("update", state_BLD));
  const at::Tensor r = at::sigmoid(gate("reset", state_BLD));
  const at::Tensor h = at::tanh(gate("candidate", r * state_BLD));
  EXPECT_TRUE(
      at::allclose(gru(x_BLD, state_BLD), (1 - z) * x_BLD + z * h, 1e-5, 1e-6));
}

TEST(DepthGatesTest, LstmKeepsItsMemoryFromStepToStep) {
  ParamStore params(1);
  const DepthLstm lstm(Scope(&params, "", ZerosInit()), kHidden, 1.0);
  FillGoldenWeights(&params);
  const at::Tensor x_BLD = Ramp({2, 3, kHidden});
  at::Tensor state_BLD = Ramp({2, 3, kHidden}, 1.0);
  at::Tensor memory_BLD = Ramp({2, 3, kHidden}, 2.0);
  const auto gate = [&](const char* name) {
    return at::cat({x_BLD, state_BLD}, -1)
               .matmul(params.Get(std::string(name) + "/kernel")) +
           params.Get(std::string(name) + "/bias");
  };
  const at::Tensor memory =
      memory_BLD * at::sigmoid(gate("forget") + 1.0) +
      at::sigmoid(gate("input")) * at::tanh(gate("input_modulation"));
  const at::Tensor output = at::tanh(memory) * at::sigmoid(gate("output"));
  EXPECT_TRUE(
      at::allclose(lstm(x_BLD, state_BLD, &memory_BLD), output, 1e-5, 1e-6));
  EXPECT_TRUE(at::allclose(memory_BLD, memory, 1e-5, 1e-6));
}

at::Tensor Signal(const StepSignalOptions& options, int64_t length,
                  int64_t step) {
  ParamStore params(1);
  const StepSignals signals(Scope(&params, "", OnesInit()), options);
  return signals(at::zeros({1, length, options.channels}),
                 at::arange(length, at::kLong).unsqueeze(0), step,
                 nn::Context());
}

TEST(StepSignalsTest, PositionsMoveWithTheStepWhereAsked) {
  StepSignalOptions options{.steps = 4, .channels = kHidden, .add_step = false};
  EXPECT_TRUE(at::equal(Signal(options, 6, 3), TimingSignal(6, kHidden)));
  options.position_start = "step";  // 6 * 3 / 4, rounded down
  EXPECT_TRUE(at::equal(Signal(options, 6, 3), TimingSignal(6, kHidden, 4)));
  options.position_start = "random";
  at::manual_seed(1);
  bool moved = false;
  for (int i = 0; i < 20; ++i) {
    const at::Tensor signal = Signal(options, 6, 0);
    bool found = false;
    for (int64_t start = 0; start < 6; ++start) {
      if (!at::equal(signal, TimingSignal(6, kHidden, start))) continue;
      found = true;
      moved = moved || start > 0;
    }
    EXPECT_TRUE(found);
  }
  EXPECT_TRUE(moved);
}

TEST(StepSignalsTest, ConcatBringsBackTheWidth) {
  const StepSignalOptions options{
      .steps = 4, .channels = kHidden, .concat = true};
  ParamStore params(1);
  const StepSignals signals(Scope(&params, "", OnesInit()), options);
  EXPECT_EQ(params.Get("dense/kernel").sizes(),
            at::IntArrayRef({4 * kHidden, kHidden}));
  EXPECT_EQ(Signal(options, 6, 1).sizes(), at::IntArrayRef({1, 6, kHidden}));
}

}  // namespace
}  // namespace t2t
