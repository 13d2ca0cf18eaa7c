// One training step's forward and backward pass, and one decoding step, of
// transformer_multi30k. Counters: tokens/s (of both sides) and the matrix
// products' GFLOP/s.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <benchmark/benchmark.h>
#include <torch/csrc/autograd/autograd.h>

#include <memory>
#include <string>

#include "hparams/all_hparams.h"
#include "models/all_models.h"
#include "t2t/hparams/hparams.h"
#include "t2t/model/model.h"

namespace t2t {
namespace {

constexpr int64_t kVocab = 8192;
constexpr int64_t kLength = 15;

std::unique_ptr<Model> MakeModel(const std::string& overrides) {
  ProblemInfo info;
  info.features["inputs"].vocab_size = kVocab;
  info.features["targets"].vocab_size = kVocab;
  if (Models().Names().empty()) {
    RegisterTransformer(Models());
    RegisterAllSets(HParamsSets(), HParamsRanges());
  }
  return Models().Get("transformer")(
      MakeHParams("transformer_multi30k", overrides), info, 1);
}

// Rows of 10 to kLength symbols, filled up with padding.
at::Tensor SomeIds(int64_t rows) {
  const at::Tensor ids = at::randint(2, kVocab, {rows, kLength}, at::kLong);
  const at::Tensor lengths = at::randint(10, kLength + 1, {rows, 1}, at::kLong);
  return ids * at::arange(kLength, at::kLong).lt(lengths);
}

// Multiplications and additions of forward and backward for a batch.
double Flops(const HParams& hparams, double tokens, double target_tokens) {
  const double layers = hparams.GetInt("num_hidden_layers");
  const double h = hparams.GetInt("hidden_size");
  const double f = hparams.GetInt("filter_size");
  const double encoder = layers * (4 * h * h + 2 * h * f);
  const double decoder = layers * (6 * h * h + 2 * h * f);
  const double memory = layers * 2 * h * h;
  const double sources = tokens - target_tokens;
  return 6.0 * (sources * (encoder + memory) +
                target_tokens * (decoder + h * kVocab));
}

void BM_TrainStep(benchmark::State& state, const std::string& overrides) {
  at::manual_seed(1);
  const auto model = MakeModel(overrides);
  const Features batch = {{"inputs", SomeIds(state.range(0))},
                          {"targets", SomeIds(state.range(0))}};
  const double targets = batch.at("targets").ne(0).sum().item<double>();
  const double tokens = targets + batch.at("inputs").ne(0).sum().item<double>();
  const auto parameters = model->params().Trainable();
  for (auto _ : state) {
    const at::Tensor loss = model->Loss(batch, Mode::kTrain).Total();
    benchmark::DoNotOptimize(torch::autograd::grad({loss}, parameters));
  }
  state.counters["tokens/s"] =
      benchmark::Counter(tokens, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["GFLOP/s"] =
      benchmark::Counter(Flops(model->hparams(), tokens, targets) * 1e-9,
                         benchmark::Counter::kIsIterationInvariantRate);
  state.counters["parameters"] =
      static_cast<double>(model->params().NumParameters());
}

void BM_DecodeStep(benchmark::State& state) {
  at::manual_seed(1);
  const auto model = MakeModel("");
  const at::NoGradGuard no_grad;
  constexpr int64_t kBeam = 4;
  const at::Tensor inputs = SomeIds(state.range(0));
  const at::Tensor beams =
      at::arange(state.range(0), at::kLong).repeat_interleave(kBeam);
  const at::Tensor ids = at::randint(2, kVocab, {beams.size(0)}, at::kLong);
  for (auto _ : state) {
    const auto decoding = model->StartDecoding({{"inputs", inputs}});
    model->DecodeStep(decoding.get(), {});
    decoding->Select(beams);
    for (int64_t step = 1; step < kLength; ++step) {
      benchmark::DoNotOptimize(model->DecodeStep(decoding.get(), ids));
      decoding->Select(at::arange(beams.size(0), at::kLong) / kBeam * kBeam);
    }
  }
  state.counters["steps/s"] = benchmark::Counter(
      kLength, benchmark::Counter::kIsIterationInvariantRate);
}

BENCHMARK_CAPTURE(BM_TrainStep, base, std::string())
    ->Arg(140)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(BM_TrainStep, no_dropout,
                  std::string("layer_prepostprocess_dropout=0.0,"
                              "attention_dropout=0.0,relu_dropout=0.0"))
    ->Arg(140)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(BM_TrainStep, bfloat16,
                  std::string("activation_dtype=bfloat16"))
    ->Arg(140)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK(BM_DecodeStep)
    ->Arg(1)
    ->Arg(32)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace t2t
