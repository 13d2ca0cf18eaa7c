// What the search itself costs a step, beside the model.

#include <benchmark/benchmark.h>

#include <memory>
#include <stdexcept>
#include <vector>

#include "t2t/decode/search.h"
#include "t2t/decode/toy_model.h"
#include "t2t/text/text_encoder.h"

namespace t2t {
namespace {

constexpr int64_t kVocab = 8192;
constexpr int64_t kSteps = 20;

struct NoState : DecodeState {
  void Select(const at::Tensor& chosen) override { rows = chosen.size(0); }
  int64_t rows = 0;
};

// Gives the same random logits at every step, at no cost.
class FreeModel : public Model {
 public:
  explicit FreeModel(int64_t rows)
      : Model(HParams(), ToyInfo(), 0), logits_(at::randn({rows, kVocab})) {
    logits_.select(1, kEosId).fill_(-10);
  }
  at::Tensor Logits(const Features&, Mode) override {
    throw std::logic_error("FreeModel only decodes");
  }
  LossParts Loss(const Features&, Mode) override {
    throw std::logic_error("FreeModel only decodes");
  }
  std::unique_ptr<DecodeState> StartDecoding(
      const Features& features) override {
    auto state = std::make_unique<NoState>();
    state->rows = features.at("inputs").size(0);
    return state;
  }
  at::Tensor DecodeStep(DecodeState* state, const at::Tensor&) override {
    return logits_.narrow(0, 0, static_cast<NoState*>(state)->rows);
  }

 private:
  at::Tensor logits_;
};

void BM_Search(benchmark::State& bench) {
  const int64_t rows = 32;
  SearchOptions options;
  options.beam_size = bench.range(0);
  FreeModel model(rows * options.beam_size);
  std::vector<SearchRow> wanted(rows);
  for (SearchRow& row : wanted) row.decode_length = kSteps;
  const Features features = {{"inputs", at::ones({rows, 1}, at::kLong)}};
  for (auto _ : bench) {
    benchmark::DoNotOptimize(Search(&model, features, wanted, options));
  }
  bench.counters["steps/s"] =
      benchmark::Counter(static_cast<double>(kSteps * bench.iterations()),
                         benchmark::Counter::kIsRate);
}
BENCHMARK(BM_Search)->Arg(1)->Arg(4)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace t2t
