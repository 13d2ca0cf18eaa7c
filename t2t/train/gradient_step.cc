#include "t2t/train/gradient_step.h"

#include <ATen/CPUGeneratorImpl.h>
#include <signal.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>

#include "t2t/base/error.h"
#include "t2t/base/rng.h"
#include "t2t/train/trainer_options.h"

namespace t2t {
namespace {

// What a step's ranks tell each other, in one sum: each number comes from one
// rank, or is a count.
struct Row {
  Row(size_t batch_count, size_t parameters, size_t rank_count)
      : tensor(at::zeros(static_cast<int64_t>(3 + 2 * batch_count + parameters +
                                              3 * rank_count),
                         at::TensorOptions().dtype(at::kDouble))),
        signals(tensor.mutable_data_ptr<double>()),
        batches(signals + 3),
        used(batches + 2 * batch_count),
        ranks(used + parameters) {}

  void SetSignals(const GradientStep::Signals& own, bool first) const {
    signals[0] = own.stop == SIGINT ? 1 : 0;
    signals[1] = own.stop != 0 && own.stop != SIGINT ? 1 : 0;
    signals[2] = first && own.save ? 1 : 0;
  }
  void GetSignals(GradientStep::Signals* all) const {
    all->stop = signals[0] > 0 ? SIGINT : signals[1] > 0 ? SIGTERM : 0;
    all->save = signals[2] > 0;
  }

  at::Tensor tensor;
  double* signals;  // SIGINT, SIGTERM, a checkpoint is due
  double* batches;  // of each its loss and its tokens
  double* used;     // by parameter
  double* ranks;    // of each its seconds, batches and tokens
};

}  // namespace

GradientStep::GradientStep(Model* model, ProcessGroup* group,
                           const Options& options)
    : model_(model),
      group_(group),
      options_(options),
      trainable_(model->params().Trainable()) {
  const bool one_batch = group == nullptr && options.micro_batches == 1 &&
                         !options.sum.deterministic;
  if (one_batch) return;
  sum_.emplace(trainable_, options.micro_batches,
               options.data_group != nullptr ? options.data_group : group,
               options.sum);
  if (options_.parameters == nullptr) return;
  options_.parameters->set_after_backward(
      [this](const std::vector<size_t>& buckets) { sum_->Complete(buckets); });
}

const std::vector<int64_t>& GradientStep::OwnBatches() const {
  static const std::vector<int64_t> kOne = {0};
  return one_batch() ? kOne : sum_->own_batches();
}

double GradientStep::Waited() const {
  return group_ == nullptr ? 0 : group_->waited_seconds();
}

GradientStep::Batches GradientStep::Read(InputPipeline* input,
                                         StepTimes* times) const {
  const Phase phase("input", &times->input);
  Round round = input->NextRound(options_.micro_batches, OwnBatches());
  if (round.found < options_.micro_batches) {
    throw DataError("the training data has ended", "data without an end");
  }
  return std::move(round.batches);
}

GradientStep::WeightedLoss GradientStep::Forward(const Features& features,
                                                 uint64_t seed) {
  if (!one_batch()) at::manual_seed(seed);
  const LossParts parts = model_->Loss(features, Mode::kTrain);
  const at::Tensor weight = parts.denominator.detach();
  if (one_batch()) return {parts.Total(), weight};
  at::Tensor loss = parts.numerator;
  for (const auto& [name, extra] : parts.extra) loss = loss + extra * weight;
  return {loss, weight};
}

std::vector<at::Tensor> GradientStep::Backward(const at::Tensor& loss) {
  std::vector<at::Tensor> gradients =
      torch::autograd::grad({loss}, trainable_, {}, std::nullopt,
                            /*create_graph=*/false, /*allow_unused=*/true);
  if (options_.parameters != nullptr) options_.parameters->EndPass();
  return gradients;
}

GradientStep::Losses GradientStep::Compute(Batches batches, uint64_t step_seed,
                                           Result* result) {
  StepTimes& times = result->times;
  // On the device until all is queued: reading one waits for it.
  Losses found;
  Features features;
  uint64_t seed = 0;
  for (const int64_t i : OwnBatches()) {
    seed = Rng::Combine(step_seed, static_cast<uint64_t>(i) + 1);
    const double before = Waited();
    WeightedLoss batch;
    {
      const Phase phase("forward", &times.forward);
      features = ToFeatures(std::move(batches.at(i)));
      batches.erase(i);
      batch = Forward(features, seed);
      found.emplace_back(
          i, WeightedLoss{batch.loss.detach(), batch.weight.detach()});
    }
    const double between = Waited();
    times.forward -= between - before;
    {
      const Phase phase("backward", &times.backward);
      if (one_batch()) {
        result->gradients = Backward(batch.loss);
      } else {
        sum_->Backward(i, [&] { Backward(batch.loss); });
      }
    }
    times.backward -= Waited() - between;
  }
  // ZeRO stage 3: where the others have a batch more, they need this rank's
  // shard of the parameters: it goes through the model with them, with a batch
  // that it has had already.
  if (options_.parameters != nullptr && sum_->lacks_batch()) {
    sum_->Accompany([&] { Backward(Forward(features, seed).loss); });
  }
  return found;
}

GradientStep::Result GradientStep::Run(InputPipeline* input, uint64_t step_seed,
                                       const Signals& signals) {
  Result result;
  result.signals = signals;
  const double waited = Waited();
  const double under_way = group_ == nullptr ? 0 : group_->under_way_seconds();
  Batches batches = Read(input, &result.times);
  if (options_.parameters != nullptr) options_.parameters->BeginStep();
  const Losses found = Compute(std::move(batches), step_seed, &result);
  if (options_.parameters != nullptr) options_.parameters->EndStep();
  Exchange(found, &result);
  if (!one_batch()) {
    SumGradients(&result);
    at::manual_seed(Rng::Combine(step_seed, "update"));
  }
  result.exposed_seconds = Waited() - waited;
  if (group_ != nullptr) {
    result.communication_seconds = group_->under_way_seconds() - under_way;
  }
  return result;
}

void GradientStep::SumGradients(Result* result) {
  const double waited = Waited();
  {
    const Phase phase("sum of gradients", &result->times.backward);
    result->gradients = sum_->Finish(1.0 / std::max(1.0, result->weight));
  }
  for (size_t i = 0; i < result->gradients.size(); ++i) {
    if (!result->used[sum_->runs()[i].parameter]) {
      result->gradients[i] = at::Tensor();
    }
  }
  result->times.backward -= Waited() - waited;
}

void GradientStep::ReadLosses(const Losses& found, Result* result,
                              std::vector<double>* losses,
                              std::vector<double>* tokens) const {
  const Phase phase("loss", &result->times.backward);
  for (const auto& [batch, loss] : found) {
    (*losses)[static_cast<size_t>(batch)] = loss.loss.item<double>();
    (*tokens)[static_cast<size_t>(batch)] = loss.weight.item<double>();
  }
  for (const double count : *tokens) result->own_tokens += count;
}

void GradientStep::Exchange(const Losses& found, Result* result) {
  const auto batches = static_cast<size_t>(options_.micro_batches);
  std::vector<double> losses(batches);
  std::vector<double> tokens(batches);
  ReadLosses(found, result, &losses, &tokens);
  if (one_batch()) {
    result->loss = losses[0];
    result->weight = tokens[0];
    return;
  }
  result->used = sum_->used();
  const size_t ranks =
      group_ == nullptr ? 0 : static_cast<size_t>(group_->size());
  const Row row(batches, result->used.size(), ranks);
  row.SetSignals(result->signals, IsFirst(group_));
  for (size_t i = 0; i < batches && options_.counts; ++i) {
    row.batches[2 * i] = losses[i];
    row.batches[2 * i + 1] = tokens[i];
  }
  for (size_t i = 0; i < result->used.size(); ++i) {
    row.used[i] = result->used[i] ? 1 : 0;
  }
  if (group_ != nullptr) {
    const StepTimes& times = result->times;
    double* const own = row.ranks + 3 * static_cast<size_t>(group_->rank());
    own[0] = times.input + times.forward + times.backward;
    own[1] = static_cast<double>(OwnBatches().size());
    own[2] = result->own_tokens;
    group_->AllReduce(row.tensor, "the step's losses");
  }
  row.GetSignals(&result->signals);
  for (size_t i = 0; i < batches; ++i) {
    result->loss += row.batches[2 * i];
    result->weight += row.batches[2 * i + 1];
  }
  result->loss /= std::max(1.0, result->weight);
  for (size_t i = 0; i < result->used.size(); ++i) {
    result->used[i] = row.used[i] > 0;
  }
  for (size_t rank = 0; rank < ranks; ++rank) {
    result->rank_seconds.push_back(row.ranks[3 * rank]);
    result->rank_batches.push_back(row.ranks[3 * rank + 1]);
    result->rank_tokens.push_back(row.ranks[3 * rank + 2]);
  }
}

}  // namespace t2t
