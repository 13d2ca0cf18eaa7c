#include "t2t/ops/lstm.h"

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <vector>

namespace t2t {
namespace {

struct Inputs {
  Inputs(int64_t time, int64_t batch, int64_t hidden, at::ScalarType type) {
    at::manual_seed(7);
    gates = at::randn({time, batch, 4 * hidden}, type).set_requires_grad(true);
    kernel =
        at::randn({hidden, 4 * hidden}, type).mul_(0.4).set_requires_grad(true);
    h = at::randn({batch, hidden}, type).set_requires_grad(true);
    c = at::randn({batch, hidden}, type).set_requires_grad(true);
    lengths = at::randint(0, time + 1, {batch}, at::kLong);
    lengths[0] = time;
  }
  std::vector<at::Tensor> leaves() const { return {gates, kernel, h, c}; }

  at::Tensor gates, kernel, h, c, lengths;
};

// TensorFlow's cell, a step at a time.
LstmResult Reference(const Inputs& in, bool use_lengths) {
  at::Tensor h = in.h;
  at::Tensor c = in.c;
  std::vector<at::Tensor> outputs;
  for (int64_t t = 0; t < in.gates.size(0); ++t) {
    const at::Tensor g = in.gates[t] + h.matmul(in.kernel);
    const auto part = g.chunk(4, 1);
    const at::Tensor new_c =
        at::sigmoid(part[2] + 1) * c + at::sigmoid(part[0]) * at::tanh(part[1]);
    const at::Tensor new_h = at::sigmoid(part[3]) * at::tanh(new_c);
    const at::Tensor live =
        (use_lengths ? in.lengths.gt(t) : at::ones_like(in.lengths))
            .unsqueeze(1)
            .to(g.scalar_type());
    outputs.push_back(new_h * live);
    h = new_h * live + h * (1 - live);
    c = new_c * live + c * (1 - live);
  }
  return {at::stack(outputs), h, c};
}

void ExpectAsReference(int64_t time, int64_t batch, int64_t hidden,
                       at::ScalarType type, bool use_lengths,
                       double tolerance) {
  const Inputs in(time, batch, hidden, type);
  const LstmResult ours = Lstm(in.gates, in.kernel, in.h, in.c,
                               use_lengths ? in.lengths : at::Tensor());
  const LstmResult theirs = Reference(in, use_lengths);
  const auto near = [&](const at::Tensor& a, const at::Tensor& b) {
    EXPECT_LT((a - b).abs().max().item<double>(),
              tolerance * (1 + b.abs().max().item<double>()));
  };
  near(ours.outputs, theirs.outputs);
  near(ours.h, theirs.h);
  near(ours.c, theirs.c);
  at::manual_seed(8);
  const at::Tensor w = at::randn_like(theirs.outputs);
  const at::Tensor wh = at::randn_like(theirs.h);
  const at::Tensor wc = at::randn_like(theirs.c);
  const auto loss = [&](const LstmResult& r) {
    return (r.outputs * w).sum() + (r.h * wh).sum() + (r.c * wc).sum();
  };
  const auto got = torch::autograd::grad({loss(ours)}, in.leaves());
  const auto expected = torch::autograd::grad({loss(theirs)}, in.leaves());
  for (size_t i = 0; i < got.size(); ++i) near(got[i], expected[i]);
}

TEST(Lstm, ValuesAndGradientsInDouble) {
  ExpectAsReference(5, 3, 4, at::kDouble, true, 1e-12);
  ExpectAsReference(1, 2, 3, at::kDouble, false, 1e-12);
}

TEST(Lstm, ValuesAndGradientsInFloat) {
  ExpectAsReference(9, 33, 37, at::kFloat, true, 1e-5);
  ExpectAsReference(9, 33, 37, at::kFloat, false, 1e-5);
}

TEST(Lstm, OutputsAloneAreEnoughForAGradient) {
  const Inputs in(4, 2, 3, at::kDouble);
  const auto got = torch::autograd::grad(
      {Lstm(in.gates, in.kernel, in.h, in.c, in.lengths).outputs.sum()},
      in.leaves());
  const auto expected =
      torch::autograd::grad({Reference(in, true).outputs.sum()}, in.leaves());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_TRUE(at::allclose(got[i], expected[i], 1e-10, 1e-12));
  }
}

TEST(Lstm, StateAloneIsEnoughForAGradient) {
  const Inputs in(4, 2, 3, at::kDouble);
  const auto got = torch::autograd::grad(
      {Lstm(in.gates, in.kernel, in.h, in.c, in.lengths).c.sum()}, in.leaves());
  const auto expected =
      torch::autograd::grad({Reference(in, true).c.sum()}, in.leaves());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_TRUE(at::allclose(got[i], expected[i], 1e-10, 1e-12));
  }
}

TEST(Lstm, LargeNumbersSaturate) {
  Inputs in(2, 1, 2, at::kFloat);
  const at::Tensor gates = in.gates.detach() * 1e4;
  const LstmResult r = Lstm(gates, in.kernel.detach(), in.h.detach(),
                            in.c.detach(), at::Tensor());
  EXPECT_TRUE(r.outputs.isfinite().all().item<bool>());
}

}  // namespace
}  // namespace t2t
