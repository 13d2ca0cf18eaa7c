// Every kernel, for every instruction set of this machine, on one thread: the
// names end in baseline, avx2 or avx512, e.g. --benchmark_filter=avx2.
#include <benchmark/benchmark.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "t2t/base/simd_target.h"
#include "t2t/ops/attention_kernels.h"
#include "t2t/ops/dropout_bits.h"
#include "t2t/ops/dropout_kernels.h"
#include "t2t/ops/lstm_kernels.h"
#include "t2t/ops/optimizer_kernels.h"
#include "t2t/ops/row_kernels.h"

namespace t2t {
namespace {

std::vector<float> Numbers(int64_t count) {
  std::vector<float> numbers(static_cast<size_t>(count));
  for (size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = static_cast<float>(DropoutBits(1, i)) / 4294967296.0f;
  }
  return numbers;
}

// body() for each instruction set; items: what one call gets through.
void Add(const std::string& name, int64_t items, const char* unit,
         const std::function<void()>& body) {
  for (const SimdTarget target : MachineSimdTargets()) {
    benchmark::RegisterBenchmark(
        (name + "/" + SimdTargetName(target)).c_str(),
        [=](benchmark::State& state) {
          const ScopedSimdTarget scope(target);
          for (auto _ : state) body();
          state.counters[unit] =
              benchmark::Counter(static_cast<double>(items),
                                 benchmark::Counter::kIsIterationInvariantRate);
        });
  }
}

struct AttentionData {
  AttentionData(int64_t length, int64_t depth, bool causal)
      : task{length, length,     depth, depth, 0.125f,
             causal, 429496729U, 1.11f, 7},
        q(Numbers(length * depth)),
        k(q),
        v(q),
        gradient(q),
        out(q.size()),
        to(3 * q.size()),
        scratch(AttentionBackwardScratch(task)) {}

  void Forward() {
    AttentionForward(task, Piece(q), Piece(k), Piece(v),
                     {out.data(), task.value_depth}, scratch.data());
  }
  void Backward() {
    const int64_t row = task.key_depth;
    float* const at = to.data();
    const auto size = static_cast<int64_t>(q.size());
    AttentionBackward(task, Piece(q), Piece(k), Piece(v), Piece(gradient),
                      {{at, row}, {at + size, row}, {at + 2 * size, row}},
                      scratch.data());
  }
  AttentionPiece Piece(const std::vector<float>& matrix) const {
    return {matrix.data(), task.key_depth};
  }

  AttentionTask task;
  std::vector<float> q, k, v, gradient, out, to, scratch;
};

void AddAttention() {
  for (const bool causal : {false, true}) {
    for (const auto& [length, depth] :
         {std::pair{17, 32}, {17, 64}, {64, 64}, {256, 32}, {256, 64}}) {
      const auto data = std::make_shared<AttentionData>(length, depth, causal);
      const std::string name = "/length:" + std::to_string(length) +
                               "/depth:" + std::to_string(depth) +
                               (causal ? "/causal" : "");
      const int64_t operations = int64_t{4} * length * length * depth;
      Add("AttentionForward" + name, operations, "FLOP",
          [data] { data->Forward(); });
      Add("AttentionBackward" + name, 5 * operations / 2, "FLOP",
          [data] { data->Backward(); });
    }
  }
}

void AddElements() {
  constexpr int64_t kSize = 8192;
  static std::vector<float> x = Numbers(kSize), y = x, z = x, w = x;
  const DropoutRun run = {5, 0x123456789ABCDEFU, 429496729U, 1.11f};
  const auto add = [&](const char* name, const std::function<void()>& body) {
    Add(name, kSize, "numbers", body);
  };
  add("Dropout",
      [=] { DropoutElements(x.data(), nullptr, y.data(), kSize, run); });
  add("DropoutAdd",
      [=] { DropoutElements(x.data(), z.data(), y.data(), kSize, run); });
  add("ReluDropout",
      [=] { ReluDropoutElements(x.data(), y.data(), kSize, run); });
  add("ReluDropoutGradient",
      [] { ReluDropoutGradient(x.data(), z.data(), y.data(), kSize, 1.11f); });
  add("RowExpSums",
      [] { benchmark::DoNotOptimize(RowExpSums(y.data(), kSize)); });
  add("RowLogSumExp",
      [] { benchmark::DoNotOptimize(RowLogSumExp(x.data(), kSize)); });
  add("RowMax", [] { benchmark::DoNotOptimize(RowMax(x.data(), kSize)); });
  add("RowLargest",
      [] { benchmark::DoNotOptimize(RowLargest(x.data(), kSize)); });
  add("ScaleRow", [] { ScaleRow(y.data(), kSize, 0.5f, 0.5f); });
  add("ScaledRow", [] { ScaledRow(x.data(), kSize, 0.5f, y.data()); });
  add("ScaleRowAndAdd",
      [] { ScaleRowAndAdd(y.data(), kSize, 0.5f, x.data()); });
  add("LstmForwardRow", [] {
    LstmForwardRow(w.data(), x.data(), kSize / 4, y.data(), z.data());
  });
  static std::vector<float> back = x;
  add("LstmBackwardRow", [] {
    LstmBackwardRow(w.data(), x.data(), x.data(), x.data(), kSize / 4, z.data(),
                    back.data());
  });
}

void AddOptimizers() {
  constexpr int64_t kRows = 32, kColumns = 256, kSize = kRows * kColumns;
  static std::vector<float> g = Numbers(kSize), p = g, m = g, v = g, u = g;
  static std::vector<float> rows = Numbers(kRows), columns = Numbers(kColumns);
  const GradientTerms gradient = {g.data(), 0.0f, 1e-3f};
  const RowsTerms terms = {gradient, kRows, kColumns};
  const auto add = [&](const char* name, const std::function<void()>& body) {
    Add(name, kSize, "numbers", body);
  };
  add("SumOfSquares", [=] {
    benchmark::DoNotOptimize(SumOfSquares(p.data(), gradient, kSize));
  });
  add("Adam", [=] {
    AdamKernel(p.data(), m.data(), v.data(), gradient,
               {0.9f, 0.98f, 1e-3f, 1e-9f, 1.0f, 1.0f}, kSize);
  });
  add("Sgd", [=] { SgdKernel(p.data(), gradient, 1e-3f, kSize); });
  add("Momentum", [=] {
    MomentumKernel(p.data(), m.data(), gradient, 1e-3f, 0.9f, true, kSize);
  });
  add("Adagrad",
      [=] { AdagradKernel(p.data(), v.data(), gradient, 1e-3f, kSize); });
  add("RmsProp", [=] {
    RmsPropKernel(p.data(), v.data(), m.data(), gradient, 1e-3f, 0.9f, 0.5f,
                  1e-6f, kSize);
  });
  add("Adadelta", [=] {
    AdadeltaKernel(p.data(), v.data(), u.data(), gradient, 1e-3f, 0.9f, 1e-6f,
                   kSize);
  });
  add("Ftrl", [=] {
    FtrlKernel(p.data(), v.data(), m.data(), gradient, 1e-3f, kSize);
  });
  add("AdafactorSums",
      [=] { AdafactorSums(p.data(), terms, rows.data(), columns.data()); });
  add("AdafactorScaledSquares", [=] {
    benchmark::DoNotOptimize(
        AdafactorScaledSquares(p.data(), terms, rows.data(), columns.data()));
  });
  add("AdafactorUpdate", [=] {
    AdafactorUpdate(p.data(), m.data(), terms, rows.data(), columns.data(),
                    1e-3f, 0.9f);
  });
  add("AdafactorUnfactoredSums", [=] {
    benchmark::DoNotOptimize(
        AdafactorUnfactoredSums(p.data(), v.data(), gradient, 0.9f, kSize));
  });
  add("AdafactorUnfactoredUpdate", [=] {
    AdafactorUnfactoredUpdate(p.data(), m.data(), v.data(), gradient, 1e-3f,
                              0.9f, kSize);
  });
  add("Average", [] { AverageKernel(u.data(), p.data(), 0.9f, kSize); });
}

}  // namespace
}  // namespace t2t

int main(int argc, char** argv) {
  t2t::AddAttention();
  t2t::AddElements();
  t2t::AddOptimizers();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
