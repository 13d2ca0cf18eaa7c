// What decoding several symbols at once spares, of models that were trained to
// say their inputs again (first, for two minutes): greedy decoding of a
// Transformer, of the one that guesses blocks step by step and in blocks, and
// of the one that makes all symbols at once. Counters: sentences/s; symbols
// that a step of the decoder finds, for each row; and the share of right
// outputs.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <benchmark/benchmark.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "hparams/all_hparams.h"
#include "models/all_models.h"
#include "models/toy_training.h"
#include "t2t/decode/search.h"
#include "t2t/hparams/hparams.h"
#include "t2t/model/model.h"

namespace t2t {
namespace {

constexpr int64_t kVocab = 24;
constexpr int64_t kLength = 14;  // with the end symbol
constexpr int64_t kRows = 16;

// Rows of 8 to 13 symbols and the end.
Features Sentences() {
  const at::Tensor lengths = at::randint(8, kLength, {kRows, 1}, at::kLong);
  const at::Tensor places = at::arange(kLength, at::kLong).unsqueeze(0);
  const at::Tensor ids =
      at::randint(2, kVocab, {kRows, kLength}, at::kLong) * places.lt(lengths) +
      places.eq(lengths).to(at::kLong);
  return {{"inputs", ids}, {"targets", ids}};
}

std::unique_ptr<Model> Trained(const std::string& name, const std::string& set,
                               const std::string& changes, int64_t steps) {
  if (Models().Names().empty()) {
    RegisterTransformer(Models());
    RegisterTransformerBlockParallel(Models());
    RegisterTransformerNat(Models());
    RegisterAllSets(HParamsSets(), HParamsRanges());
  }
  ProblemInfo info;
  info.features["inputs"].vocab_size = kVocab;
  info.features["targets"].vocab_size = kVocab;
  std::unique_ptr<Model> model = Models().Get(name)(
      MakeHParams(set,
                  "hidden_size=64,filter_size=128,num_heads=4,"
                  "num_hidden_layers=2,dropout=0,"
                  "layer_prepostprocess_dropout=0,attention_dropout=0,"
                  "relu_dropout=0" +
                      changes),
      info, 1);
  at::set_num_threads(1);
  at::manual_seed(1);
  TrainToy(model.get(), steps, 0.003, [](int64_t) { return Sentences(); });
  return model;
}

void BM_Decode(benchmark::State& state, const std::string& name,
               const std::string& set, const std::string& changes,
               int64_t steps, int64_t block_size) {
  // Trained once for all lines that have the same model.
  static auto* const models = new std::map<std::string, std::unique_ptr<Model>>;
  std::unique_ptr<Model>& model = (*models)[name];
  if (model == nullptr) model = Trained(name, set, changes, steps);
  const at::NoGradGuard no_grad;
  at::manual_seed(2);
  const Features batch = Sentences();
  SearchCount count;
  SearchOptions options;
  options.beam_size = 1;
  options.block_size = block_size;
  options.count = &count;
  std::vector<SearchRow> rows(kRows);
  for (SearchRow& row : rows) row.decode_length = kLength + 4;
  std::vector<std::vector<Hypothesis>> found;
  for (auto _ : state) {
    found =
        Search(model.get(), {{"inputs", batch.at("inputs")}}, rows, options);
  }
  double right = 0;
  for (int64_t i = 0; i < kRows; ++i) {
    const at::Tensor gold = batch.at("targets")[i];
    const at::Tensor wanted =
        gold.narrow(0, 0, gold.ne(0).sum().item<int64_t>());
    right += at::tensor(found[i].at(0).ids).equal(wanted) ? 1.0 : 0.0;
  }
  state.counters["right"] = right / kRows;
  state.counters["sentences/s"] =
      benchmark::Counter(kRows, benchmark::Counter::kIsIterationInvariantRate);
  if (count.row_steps > 0) {
    state.counters["symbols/step"] = static_cast<double>(count.symbols) /
                                     static_cast<double>(count.row_steps);
  }
}

#define T2T_DECODE_BENCHMARK(label, ...)           \
  BENCHMARK_CAPTURE(BM_Decode, label, __VA_ARGS__) \
      ->Unit(benchmark::kMillisecond)              \
      ->UseRealTime()

T2T_DECODE_BENCHMARK(transformer_greedy, "transformer", "transformer_base", "",
                     1000, 1);
T2T_DECODE_BENCHMARK(blocks_of_1, "transformer_block_parallel",
                     "transformer_base_bs4", "", 3000, 1);
T2T_DECODE_BENCHMARK(blocks_of_2, "transformer_block_parallel",
                     "transformer_base_bs4", "", 3000, 2);
T2T_DECODE_BENCHMARK(blocks_of_4, "transformer_block_parallel",
                     "transformer_base_bs4", "", 3000, 4);
T2T_DECODE_BENCHMARK(at_once, "transformer_nat", "transformer_nat_small",
                     ",bottleneck_bits=8,num_compress_steps=1,"
                     "mask_startup_steps=150,decay=0.99",
                     2000, 1);

}  // namespace
}  // namespace t2t
