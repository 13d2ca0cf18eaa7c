#include "t2t/train/sharded_step.h"

#include <ATen/CPUGeneratorImpl.h>
#include <signal.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/rng.h"

namespace t2t {

ShardedStep::ShardedStep(Model* model, ProcessGroup* group,
                         const Options& options)
    : model_(model),
      group_(group),
      options_(options),
      trainable_(model->params().Trainable()),
      sum_(trainable_, options.virtual_ranks,
           options.data_group != nullptr ? options.data_group : group,
           options.sum) {
  if (options_.parameters == nullptr) return;
  options_.parameters->set_after_backward(
      [this](const std::vector<size_t>& buckets) { sum_.Complete(buckets); });
}

ShardedStep::WeightedLoss ShardedStep::Forward(const Features& features,
                                               uint64_t seed) {
  at::manual_seed(seed);
  const LossParts parts = model_->Loss(features, Mode::kTrain);
  const at::Tensor weight = parts.denominator.detach();
  at::Tensor loss = parts.numerator;
  for (const auto& [name, extra] : parts.extra) loss = loss + extra * weight;
  return {loss, weight};
}

void ShardedStep::Backward(const at::Tensor& loss) {
  torch::autograd::grad({loss}, trainable_, {}, std::nullopt,
                        /*create_graph=*/false, /*allow_unused=*/true);
  if (options_.parameters != nullptr) options_.parameters->EndPass();
}

double ShardedStep::Waited() const {
  return group_ == nullptr ? 0 : group_->waited_seconds();
}

ShardedStep::Result ShardedStep::Run(InputPipeline* input, uint64_t step_seed,
                                     const Signals& signals) {
  const double waited = Waited();
  const double under_way = group_ == nullptr ? 0 : group_->under_way_seconds();
  const std::vector<int64_t>& own = sum_.own_shards();
  const auto shards = static_cast<size_t>(options_.virtual_ranks);
  // Batches of this rank, by virtual rank.
  std::map<int64_t, Batch> batches;
  Result result;
  StepTimes& times = result.times;
  for (int64_t shard = 0; shard < options_.virtual_ranks; ++shard) {
    std::optional<Batch> batch;
    {
      const Phase phase("input", &times.input);
      batch = input->Next();
    }
    if (!batch) {
      throw DataError("the training data has ended", "data without an end");
    }
    if (std::find(own.begin(), own.end(), shard) != own.end()) {
      batches[shard] = std::move(*batch);
    }
  }
  std::vector<double> losses(shards);
  std::vector<double> tokens(shards);
  const ParameterUnits::Use use(options_.parameters);
  if (options_.parameters != nullptr) options_.parameters->BeginStep();
  Features features;
  uint64_t seed = 0;
  // On the device until all is queued: reading one waits for it.
  std::vector<std::pair<int64_t, WeightedLoss>> found;
  for (const int64_t shard : own) {
    seed = Rng::Combine(step_seed, static_cast<uint64_t>(shard) + 1);
    const double before = Waited();
    WeightedLoss batch;
    {
      const Phase phase("forward", &times.forward);
      features = ToFeatures(batches.at(shard));
      batches.erase(shard);
      batch = Forward(features, seed);
      found.emplace_back(
          shard, WeightedLoss{batch.loss.detach(), batch.weight.detach()});
    }
    const double between = Waited();
    times.forward -= between - before;
    {
      const Phase phase("backward", &times.backward);
      sum_.Backward(shard, /*last=*/true, [&] { Backward(batch.loss); });
    }
    times.backward -= Waited() - between;
  }
  if (options_.parameters != nullptr) {
    // Where the others have a batch more, they need this rank's parameters: it
    // goes through the model with them, with a batch it has had already.
    if (sum_.lacks_shard()) {
      sum_.Accompany(/*last=*/true,
                     [&] { Backward(Forward(features, seed).loss); });
    }
    options_.parameters->EndStep();
  }
  {
    const Phase phase("loss", &times.backward);
    for (const auto& [shard, batch] : found) {
      losses[static_cast<size_t>(shard)] = batch.loss.item<double>();
      tokens[static_cast<size_t>(shard)] = batch.weight.item<double>();
    }
  }
  result.signals = signals;
  result.used = sum_.used();
  Exchange(losses, tokens, &result);
  const double exchanged = Waited();
  {
    const Phase phase("sum of gradients", &times.backward);
    result.gradients = sum_.Finish(1.0 / std::max(1.0, result.weight));
  }
  for (size_t i = 0; i < result.gradients.size(); ++i) {
    if (!result.used[sum_.runs()[i].parameter]) {
      result.gradients[i] = at::Tensor();
    }
  }
  times.backward -= Waited() - exchanged;
  result.exposed_seconds = Waited() - waited;
  if (group_ != nullptr) {
    result.communication_seconds = group_->under_way_seconds() - under_way;
  }
  return result;
}

void ShardedStep::Exchange(const std::vector<double>& losses,
                           const std::vector<double>& tokens, Result* result) {
  std::vector<bool>& used = result->used;
  // One row for all: each number comes from one rank, or is a count.
  const size_t shards = losses.size();
  const size_t head = 3;
  const size_t ranks =
      group_ == nullptr ? 1 : static_cast<size_t>(group_->size());
  const size_t tail = head + 2 * shards + used.size();
  const at::Tensor row = at::zeros(static_cast<int64_t>(tail + 3 * ranks),
                                   at::TensorOptions().dtype(at::kDouble));
  double* const values = row.mutable_data_ptr<double>();
  const bool first = group_ == nullptr || group_->rank() == 0;
  values[0] = result->signals.stop == SIGINT ? 1 : 0;
  values[1] = result->signals.stop != 0 && result->signals.stop != SIGINT;
  values[2] = first && result->signals.save ? 1 : 0;
  for (size_t i = 0; i < shards && options_.counts; ++i) {
    values[head + 2 * i] = losses[i];
    values[head + 2 * i + 1] = tokens[i];
  }
  for (size_t i = 0; i < used.size(); ++i) {
    values[head + 2 * shards + i] = used[i] ? 1 : 0;
  }
  const StepTimes& times = result->times;
  const size_t own =
      tail + (group_ == nullptr ? 0 : 3 * static_cast<size_t>(group_->rank()));
  values[own] = times.input + times.forward + times.backward;
  values[own + 1] = static_cast<double>(sum_.own_shards().size());
  for (const double count : tokens) values[own + 2] += count;
  if (group_ != nullptr) group_->AllReduce(row, "the step's losses");
  result->signals.stop = values[0] > 0 ? SIGINT : values[1] > 0 ? SIGTERM : 0;
  result->signals.save = values[2] > 0;
  double loss = 0;
  for (size_t i = 0; i < shards; ++i) {
    loss += values[head + 2 * i];
    result->weight += values[head + 2 * i + 1];
  }
  result->loss = loss / std::max(1.0, result->weight);
  for (size_t i = 0; i < used.size(); ++i) {
    used[i] = values[head + 2 * shards + i] > 0;
  }
  for (size_t at = tail; at < tail + 3 * ranks; at += 3) {
    result->rank_seconds.push_back(values[at]);
    result->rank_batches.push_back(values[at + 1]);
    result->rank_tokens.push_back(values[at + 2]);
  }
}

}  // namespace t2t
