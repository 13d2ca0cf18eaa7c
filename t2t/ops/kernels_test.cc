#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/simd_target.h"
#include "t2t/ops/attention_kernels.h"
#include "t2t/ops/dropout_bits.h"
#include "t2t/ops/dropout_kernels.h"
#include "t2t/ops/lstm_kernels.h"
#include "t2t/ops/optimizer_kernels.h"
#include "t2t/ops/row_kernels.h"

namespace t2t {
namespace {

// Every kernel's variant for each instruction set of this machine, against the
// same written plainly in double.
class KernelTest : public testing::TestWithParam<SimdTarget> {
 private:
  ScopedSimdTarget target_{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(, KernelTest, testing::ValuesIn(MachineSimdTargets()),
                         [](const auto& info) {
                           return std::string(SimdTargetName(info.param));
                         });

// Numbers from -1 to 1 without any order.
std::vector<float> Numbers(int64_t count, uint64_t seed) {
  std::vector<float> numbers(static_cast<size_t>(count));
  for (size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] =
        static_cast<float>(DropoutBits(seed * 0x9E3779B97F4A7C15U, i)) /
            2147483648.0f -
        1.0f;
  }
  return numbers;
}

void ExpectNear(const std::vector<float>& got,
                const std::vector<double>& expected, double tolerance) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(got[i], expected[i], tolerance * (1 + std::fabs(expected[i])))
        << "at " << i << " of " << got.size();
  }
}

using Bits = std::vector<uint32_t>;

Bits BitsOf(const std::vector<float>& numbers) {
  Bits bits(numbers.size());
  std::memcpy(bits.data(), numbers.data(), numbers.size() * sizeof(float));
  return bits;
}

// --- attention

struct AttentionCase {
  int64_t queries, keys, key_depth, value_depth;
  bool causal;
  double dropout;
};

struct Gradients {
  std::vector<double> out, q, k, v;
};

double Dot(const float* a, const float* b, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

AttentionTask TaskOf(const AttentionCase& c) {
  return {c.queries,
          c.keys,
          c.key_depth,
          c.value_depth,
          0.7f,
          c.causal,
          static_cast<uint32_t>(c.dropout * 4294967296.0),
          static_cast<float>(1 / (1 - c.dropout)),
          0x123456789ABCDEFU};
}

Gradients PlainAttention(const AttentionCase& c, const std::vector<float>& q,
                         const std::vector<float>& k,
                         const std::vector<float>& v,
                         const std::vector<float>& gradient) {
  const AttentionTask task = TaskOf(c);
  Gradients to = {std::vector<double>(c.queries * c.value_depth),
                  std::vector<double>(q.size()), std::vector<double>(k.size()),
                  std::vector<double>(v.size())};
  for (int64_t i = 0; i < c.queries; ++i) {
    const int64_t visible = c.causal ? std::min(c.keys, i + 1) : c.keys;
    std::vector<double> weight(visible), factor(visible), outer(visible);
    double sum = 0, mean = 0;
    for (int64_t j = 0; j < visible; ++j) {
      weight[j] = std::exp(
          0.7 * Dot(&q[i * c.key_depth], &k[j * c.key_depth], c.key_depth));
      sum += weight[j];
      // Dropout counts along rows padded to 16, on every machine.
      const auto index =
          static_cast<uint32_t>(i * ((c.keys + 15) / 16 * 16) + j);
      factor[j] = DropoutBits(task.seed, index) >= task.threshold
                      ? 1 / (1 - c.dropout)
                      : 0.0;
    }
    for (int64_t j = 0; j < visible; ++j) {
      weight[j] /= sum;
      const float* const value = &v[j * c.value_depth];
      const float* const outer_row = &gradient[i * c.value_depth];
      for (int64_t d = 0; d < c.value_depth; ++d) {
        to.out[i * c.value_depth + d] += weight[j] * factor[j] * value[d];
        to.v[j * c.value_depth + d] += weight[j] * factor[j] * outer_row[d];
      }
      outer[j] = factor[j] * Dot(outer_row, value, c.value_depth);
      mean += weight[j] * outer[j];
    }
    for (int64_t j = 0; j < visible; ++j) {
      const double logit = 0.7 * weight[j] * (outer[j] - mean);
      for (int64_t d = 0; d < c.key_depth; ++d) {
        to.q[i * c.key_depth + d] += logit * k[j * c.key_depth + d];
        to.k[j * c.key_depth + d] += logit * q[i * c.key_depth + d];
      }
    }
  }
  return to;
}

void ExpectAsPlain(const AttentionCase& c) {
  SCOPED_TRACE(testing::Message()
               << c.queries << " queries, " << c.keys << " keys, depths "
               << c.key_depth << " and " << c.value_depth << ", causal "
               << c.causal << ", dropout " << c.dropout);
  const AttentionTask task = TaskOf(c);
  const std::vector<float> q = Numbers(c.queries * c.key_depth, 1);
  const std::vector<float> k = Numbers(c.keys * c.key_depth, 2);
  const std::vector<float> v = Numbers(c.keys * c.value_depth, 3);
  const std::vector<float> gradient = Numbers(c.queries * c.value_depth, 4);
  // What lies in scratch memory must not count.
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> scratch(AttentionForwardScratch(task), nan);
  std::vector<float> out(gradient.size(), nan);
  const AttentionPiece q_piece = {q.data(), c.key_depth};
  const AttentionPiece k_piece = {k.data(), c.key_depth};
  const AttentionPiece v_piece = {v.data(), c.value_depth};
  AttentionForward(task, q_piece, k_piece, v_piece, {out.data(), c.value_depth},
                   scratch.data());
  const Gradients expected = PlainAttention(c, q, k, v, gradient);
  ExpectNear(out, expected.out, 1e-5);
  scratch.assign(AttentionBackwardScratch(task), nan);
  std::vector<float> to_q(q.size(), nan), to_k(k.size(), nan),
      to_v(v.size(), nan);
  AttentionBackward(task, q_piece, k_piece, v_piece,
                    {gradient.data(), c.value_depth},
                    {{to_q.data(), c.key_depth},
                     {to_k.data(), c.key_depth},
                     {to_v.data(), c.value_depth}},
                    scratch.data());
  ExpectNear(to_q, expected.q, 2e-5);
  ExpectNear(to_k, expected.k, 2e-5);
  ExpectNear(to_v, expected.v, 2e-5);
}

TEST_P(KernelTest, AttentionOfEveryLengthAroundTheBlocks) {
  for (int64_t length = 1; length <= 35; ++length) {
    for (const bool causal : {false, true}) {
      ExpectAsPlain({length, length, 20, 7, causal, 0.0});
    }
  }
}

TEST_P(KernelTest, AttentionOfUsualDepths) {
  for (const bool causal : {false, true}) {
    ExpectAsPlain({61, 61, 64, 64, causal, 0.2});
    ExpectAsPlain({48, 48, 32, 32, causal, 0.0});
    ExpectAsPlain({130, 130, 16, 48, causal, 0.5});
  }
}

TEST_P(KernelTest, AttentionToAMemoryOfAnotherLength) {
  ExpectAsPlain({5, 37, 20, 7, false, 0.3});
  ExpectAsPlain({37, 5, 9, 33, false, 0.3});
  ExpectAsPlain({1, 50, 64, 64, false, 0.0});
  ExpectAsPlain({50, 1, 64, 64, false, 0.0});
  ExpectAsPlain({9, 4, 8, 8, true, 0.0});
  ExpectAsPlain({4, 40, 8, 8, true, 0.0});
}

// --- dropout

TEST_P(KernelTest, DropoutGivesTheSameBitsFromAnyBegin) {
  const int64_t size = 100;
  const std::vector<float> x = Numbers(size, 5), residual = Numbers(size, 6);
  const float scale = 1.25f;
  const uint32_t threshold = 0x33333333U;
  const DropoutRun run = {(uint64_t{7} << 32) + 5, 0xFEDCBA9876543210U,
                          threshold, scale};
  std::vector<float> dropped(size), added(size), relu(size), back(size);
  DropoutElements(x.data(), nullptr, dropped.data(), size, run);
  DropoutElements(x.data(), residual.data(), added.data(), size, run);
  ReluDropoutElements(x.data(), relu.data(), size, run);
  ReluDropoutGradient(x.data(), residual.data(), back.data(), size, scale);
  for (int64_t i = 0; i < size; ++i) {
    const bool keeps =
        DropoutBits(run.seed, run.index + static_cast<uint64_t>(i)) >=
        threshold;
    const float value = keeps ? x[i] * scale : 0.0f;
    EXPECT_EQ(dropped[i], value) << i;
    EXPECT_NEAR(added[i], residual[i] + value, 2e-7) << i;
    EXPECT_EQ(relu[i], value > 0 ? value : 0.0f) << i;
    EXPECT_EQ(back[i], residual[i] > 0 ? x[i] * scale : 0.0f) << i;
  }
  for (int64_t begin = 1; begin < 20; ++begin) {
    DropoutRun rest = run;
    rest.index += static_cast<uint64_t>(begin);
    std::vector<float> part(size - begin);
    DropoutElements(x.data() + begin, residual.data() + begin, part.data(),
                    size - begin, rest);
    EXPECT_EQ(BitsOf(part),
              BitsOf(std::vector<float>(added.begin() + begin, added.end())));
  }
}

TEST_P(KernelTest, DropoutOfMoreThanABlock) {
  const int64_t size = (1 << 20) + 33;
  const std::vector<float> x(static_cast<size_t>(size), 1.0f);
  std::vector<float> out(x.size());
  const DropoutRun run = {3, 0xFEDCBA9876543210U, 0x33333333U, 2.0f};
  DropoutElements(x.data(), nullptr, out.data(), size, run);
  for (int64_t i = (1 << 20) - 20; i < size; ++i) {
    const auto index = static_cast<uint64_t>(i + 3);
    EXPECT_EQ(out[i], DropoutBits(run.seed, index) >= run.threshold ? 2 : 0);
  }
}

// --- rows

TEST_P(KernelTest, RowsOfEveryLength) {
  for (const int64_t size : {1, 2, 3, 7, 8, 15, 16, 17, 31, 40, 1003}) {
    SCOPED_TRACE(size);
    std::vector<float> row = Numbers(size, 7);
    for (float& value : row) value *= 30;
    double max = -1e9, sum = 0, exp_sum = 0, largest = 0;
    for (const float value : row) {
      max = std::max<double>(max, value);
      largest = std::max<double>(largest, std::fabs(value));
      sum += value;
    }
    std::vector<double> exps, scaled, factored, biased;
    for (const float value : row) {
      exps.push_back(std::exp(value - max));
      exp_sum += exps.back();
      scaled.push_back(value * 0.3f - 2.0f);
      factored.push_back(value * 0.3f);
      biased.push_back(value * 0.3f + 0.5f);
    }
    EXPECT_EQ(RowMax(row.data(), size), max);
    EXPECT_EQ(RowLargest(row.data(), size), largest);
    EXPECT_NEAR(RowLogSumExp(row.data(), size), max + std::log(exp_sum), 1e-5);
    std::vector<float> other = row;
    const RowSums sums = RowExpSums(other.data(), size);
    EXPECT_EQ(sums.max, max);
    EXPECT_NEAR(sums.sum, sum, 1e-3);
    EXPECT_NEAR(sums.exp_sum, exp_sum, 1e-5 * exp_sum);
    ExpectNear(other, exps, 1e-6);
    other = row;
    ScaleRow(other.data(), size, 0.3f, 2.0f);
    ExpectNear(other, scaled, 1e-6);
    ScaledRow(row.data(), size, 0.3f, other.data());
    ExpectNear(other, factored, 1e-6);
    const std::vector<float> bias(row.size(), 0.5f);
    other = row;
    ScaleRowAndAdd(other.data(), size, 0.3f, bias.data());
    ExpectNear(other, biased, 1e-6);
  }
}

TEST_P(KernelTest, NanAndInfinityShowInTheSums) {
  for (const float odd : {std::numeric_limits<float>::quiet_NaN(),
                          std::numeric_limits<float>::infinity()}) {
    for (const size_t place : {size_t{0}, size_t{20}, size_t{36}}) {
      std::vector<float> row = Numbers(37, 8);
      row[place] = odd;
      EXPECT_FALSE(std::isfinite(RowLogSumExp(row.data(), 37)));
      EXPECT_FALSE(std::isfinite(RowExpSums(row.data(), 37).exp_sum));
    }
  }
}

// --- LSTM

TEST_P(KernelTest, LstmRowsAgreeWithDouble) {
  for (const int64_t n : {1, 7, 16, 37}) {
    SCOPED_TRACE(n);
    std::vector<float> gates = Numbers(4 * n, 9), c = Numbers(n, 10), new_c(n),
                       new_h(n), dh = Numbers(n, 11), dc = Numbers(n, 12),
                       dgates(4 * n);
    const auto in_double = [](const std::vector<float>& x) {
      return std::vector<double>(x.begin(), x.end());
    };
    std::vector<double> gates2 = in_double(gates), c2 = in_double(c), new_c2(n),
                        new_h2(n), dh2 = in_double(dh), dc2 = in_double(dc),
                        dgates2(4 * n);
    LstmForwardRow(gates.data(), c.data(), n, new_c.data(), new_h.data());
    LstmForwardRow(gates2.data(), c2.data(), n, new_c2.data(), new_h2.data());
    ExpectNear(gates, gates2, 1e-6);
    ExpectNear(new_c, new_c2, 1e-6);
    ExpectNear(new_h, new_h2, 1e-6);
    LstmBackwardRow(gates.data(), c.data(), new_c.data(), dh.data(), n,
                    dc.data(), dgates.data());
    LstmBackwardRow(gates2.data(), c2.data(), new_c2.data(), dh2.data(), n,
                    dc2.data(), dgates2.data());
    ExpectNear(dc, dc2, 2e-6);
    ExpectNear(dgates, dgates2, 2e-6);
  }
}

// --- optimizers

// What a few updates leave behind, and the sums.
Bits OptimizerBits() {
  const int64_t size = 6 * 37;
  const std::vector<float> g = Numbers(size, 13);
  const GradientTerms gradient = {g.data(), 0.01f, 0.7f};
  std::vector<float> p = Numbers(size, 14), m(size), v(size), u(size);
  std::vector<double> sums;
  sums.push_back(SumOfSquares(p.data(), gradient, size));
  AdamKernel(p.data(), m.data(), v.data(), gradient,
             {0.9f, 0.98f, 0.1f, 1e-9f, 1.1f, 0.99f}, size);
  SgdKernel(p.data(), gradient, 0.1f, size);
  MomentumKernel(p.data(), m.data(), gradient, 0.1f, 0.9f, true, size);
  v.assign(v.size(), 0.1f);
  AdagradKernel(p.data(), v.data(), gradient, 0.1f, size);
  RmsPropKernel(p.data(), v.data(), m.data(), gradient, 0.1f, 0.9f, 0.5f, 1e-6f,
                size);
  AdadeltaKernel(p.data(), v.data(), u.data(), gradient, 0.1f, 0.9f, 1e-6f,
                 size);
  FtrlKernel(p.data(), v.data(), m.data(), gradient, 0.1f, size);
  std::vector<float> rows(6), columns(37);
  const RowsTerms terms = {gradient, 6, 37};
  AdafactorSums(p.data(), terms, rows.data(), columns.data());
  sums.push_back(
      AdafactorScaledSquares(p.data(), terms, rows.data(), columns.data()));
  AdafactorUpdate(p.data(), m.data(), terms, rows.data(), columns.data(), 0.1f,
                  0.9f);
  sums.push_back(
      AdafactorUnfactoredSums(p.data(), v.data(), gradient, 0.9f, size));
  AdafactorUnfactoredUpdate(p.data(), m.data(), v.data(), gradient, 0.1f, 0.9f,
                            size);
  AverageKernel(u.data(), p.data(), 0.9f, size);
  Bits bits;
  for (const auto* numbers : {&p, &m, &v, &u, &rows, &columns}) {
    const Bits some = BitsOf(*numbers);
    bits.insert(bits.end(), some.begin(), some.end());
  }
  for (const double sum : sums) {
    EXPECT_TRUE(std::isfinite(sum));
    const auto both = std::bit_cast<uint64_t>(sum);
    bits.push_back(static_cast<uint32_t>(both));
    bits.push_back(static_cast<uint32_t>(both >> 32));
  }
  return bits;
}

TEST_P(KernelTest, OptimizersGiveTheSameBitsOnEveryMachine) {
  const Bits ours = OptimizerBits();
  const ScopedSimdTarget plain(SimdTarget::kBaseline);
  EXPECT_EQ(ours, OptimizerBits());
}

// --- the choice

// Each in a process of its own: the choice is made once.
int ChosenWith(const char* limit) {
  ::setenv("T2T_MAX_ISA", limit, 1);
  try {
    return static_cast<int>(CurrentSimdTarget());
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return static_cast<int>(error.code());
  }
}

TEST(SimdTargetDeathTest, TheEnvironmentLimitsTheChoice) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const int best = static_cast<int>(MachineSimdTargets().back());
  for (const SimdTarget target :
       {SimdTarget::kBaseline, SimdTarget::kAvx2, SimdTarget::kAvx512}) {
    EXPECT_EXIT(
        std::exit(ChosenWith(SimdTargetName(target))),
        testing::ExitedWithCode(std::min(static_cast<int>(target), best)), "");
  }
  EXPECT_EXIT(std::exit(ChosenWith("")), testing::ExitedWithCode(best), "");
}

TEST(SimdTargetDeathTest, AnUnknownLimitIsAnError) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(std::exit(ChosenWith("sse9")),
              testing::ExitedWithCode(static_cast<int>(ExitCode::kUsage)),
              "T2T_MAX_ISA is \"sse9\".*baseline, avx2 or avx512");
}

}  // namespace
}  // namespace t2t
