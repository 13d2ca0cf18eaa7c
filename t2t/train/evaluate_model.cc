#include "t2t/train/evaluate_model.h"

#include <ATen/core/grad_mode.h>
#include <signal.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/stop.h"
#include "t2t/model/text_embedder.h"
#include "t2t/nn/batch_norm.h"
#include "t2t/train/eval_metrics.h"

namespace t2t {
namespace {

constexpr char kWhat[] = "the evaluation";

// Batches that are computed at the same time, one for each place.
struct PlacedBatches {
  int64_t batches = 0;
  // This rank's; or, where there is none for it and its parameters are needed,
  // the first one.
  std::optional<Batch> batch;
  bool own = false;
};

PlacedBatches ReadBatches(InputPipeline* input, int64_t most,
                          const EvaluationRanks& ranks) {
  if (most <= 0) return {};
  std::vector<int64_t> wanted = {ranks.place};
  if (ranks.parameters != nullptr && ranks.place > 0) wanted = {0, ranks.place};
  // Those past `most` are read in vain, once.
  Round round = input->NextRound(ranks.places, wanted);
  PlacedBatches placed;
  placed.batches = std::min(most, round.found);
  placed.own = ranks.place < placed.batches;
  const auto found = round.batches.find(placed.own ? ranks.place : 0);
  if (placed.batches > 0 && found != round.batches.end()) {
    placed.batch = std::move(found->second);
  }
  return placed;
}

// Adds up what the ranks found in the last round, in the order of the batches,
// and agrees on whether to go on with this one.
void Exchange(const EvaluationRanks& ranks, const PlacedBatches& round,
              const EvalMetrics::Sums& own, EvalMetrics* metrics) {
  if (ranks.group == nullptr) {
    metrics->Add(own);
    ThrowIfStopped(" while evaluating");
    return;
  }
  const auto size = static_cast<size_t>(ranks.group->size());
  const auto places = static_cast<size_t>(ranks.places);
  // Each number comes from one rank, or is a count. First the signals.
  const size_t counts = 2;
  const size_t sums = counts + size;
  const at::Tensor row =
      at::zeros(static_cast<int64_t>(sums + places * own.size()),
                at::TensorOptions().dtype(at::kDouble));
  double* const values = row.mutable_data_ptr<double>();
  const int stop = StopSignal();
  values[0] = stop == SIGINT ? 1 : 0;
  values[1] = stop != 0 && stop != SIGINT ? 1 : 0;
  values[counts + static_cast<size_t>(ranks.group->rank())] =
      static_cast<double>(round.batches);
  if (ranks.counts) {
    std::copy(own.begin(), own.end(),
              values + sums + static_cast<size_t>(ranks.place) * own.size());
  }
  ranks.group->AllReduce(row, kWhat);
  for (size_t place = 0; place < places; ++place) {
    const double* const batch = values + sums + place * own.size();
    metrics->Add({batch, batch + own.size()});
  }
  if (values[0] > 0 || values[1] > 0) {
    RequestStop(values[0] > 0 ? SIGINT : SIGTERM);
    ThrowIfStopped(" while evaluating");
  }
  for (size_t rank = 1; rank < size; ++rank) {
    if (values[counts + rank] == values[counts]) continue;
    throw DataError("rank " + std::to_string(rank) +
                        " has not as many batches to evaluate as rank 0",
                    "the same data on every rank",
                    "give all ranks the same --data_dir");
  }
}

EvalMetrics::Sums Evaluate(Model* model, Batch batch,
                           const EvalMetrics& metrics) {
  const Features features = ToFeatures(std::move(batch));
  if (!metrics.targets_are_ids() ||
      dynamic_cast<TextEmbedder*>(model) != nullptr) {
    return metrics.SumsOf(model->Loss(features, Mode::kEval));
  }
  return metrics.SumsOf(model->Logits(features, Mode::kEval),
                        features.at("targets"));
}

// A rank's batch norms average its own batches: all take the first rank's
// averages, which checkpoints have, too.
void ShareAverages(const ParamStore& params, ProcessGroup* group) {
  for (const ParamStore::Entry& entry : params.entries()) {
    if (nn::IsRunningAverage(entry.name)) {
      group->Broadcast(entry.tensor, kWhat);
    }
  }
}

}  // namespace

std::map<std::string, double> EvaluateModel(
    Model* model, InputPipeline* input,
    const std::vector<std::string>& metric_names, int64_t max_batches,
    const EvaluationRanks& ranks) {
  const at::NoGradGuard no_grad;
  EvalMetrics metrics(metric_names, model->info(), model->hparams());
  if (ranks.group != nullptr) ShareAverages(model->params(), ranks.group);
  if (ranks.parameters != nullptr) ranks.parameters->BeginStep();
  int64_t batches = 0;
  EvalMetrics::Sums own = metrics.NoSums();
  while (true) {
    PlacedBatches round = ReadBatches(
        input, max_batches <= 0 ? ranks.places : max_batches - batches, ranks);
    Exchange(ranks, round, own, &metrics);
    if (round.batches == 0) break;
    batches += round.batches;
    own = metrics.NoSums();
    if (round.own) {
      own = Evaluate(model, std::move(*round.batch), metrics);
    } else if (ranks.parameters != nullptr) {
      // The others need this rank's parameters.
      Evaluate(model, std::move(*round.batch), metrics);
    }
    if (ranks.parameters != nullptr) ranks.parameters->EndPass();
  }
  if (ranks.parameters != nullptr) ranks.parameters->EndStep();
  if (batches == 0) {
    throw DataError("the evaluation data is empty", "at least one example",
                    "generate the data again with t2t-datagen");
  }
  return metrics.Results();
}

}  // namespace t2t
