#include "t2t/train/sharded_optimizer.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <deque>
#include <numeric>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/json.h"
#include "t2t/ops/device.h"

namespace t2t {
namespace {

constexpr char kGathering[] = "gathering the optimizer's state";
constexpr char kSharing[] = "sharing the checkpoint";

// What the ranks together do is not to be done again by one of them.
HParams WithoutNoise(HParams hparams) {
  for (const char* const name : {"grad_noise_scale", "weight_noise"}) {
    if (hparams.Has(name)) hparams.Set(name, 0.0);
  }
  return hparams;
}

int64_t Pieces(int64_t size) {
  return (size + Optimizer::kPieceSize - 1) / Optimizer::kPieceSize;
}

// Every rank's 1-D tensor of one type, to rank 0.
std::vector<at::Tensor> ToFirst(ProcessGroup* group, const at::Tensor& tensor) {
  const at::Tensor sizes = group->AllGather(
      at::full({1}, tensor.numel(), at::TensorOptions().dtype(at::kLong)),
      kGathering);
  const auto ranks = static_cast<size_t>(group->size());
  const bool first = group->rank() == 0;
  std::vector<int64_t> sent(ranks, 0);
  std::vector<int64_t> received(ranks, 0);
  sent[0] = tensor.numel();
  int64_t all = 0;
  for (size_t i = 0; i < ranks && first; ++i) {
    received[i] = sizes[static_cast<int64_t>(i)].item<int64_t>();
    all += received[i];
  }
  const at::Tensor together = at::empty(all, tensor.options());
  group->Wait(group->StartAllToAll(tensor, sent, together, received),
              kGathering);
  std::vector<at::Tensor> parts;
  int64_t begin = 0;
  for (const int64_t size : received) {
    parts.push_back(together.narrow(0, begin, size));
    begin += size;
  }
  return parts;
}

at::Tensor TextTensor(const std::string& text) {
  const at::Tensor tensor = at::empty(static_cast<int64_t>(text.size()),
                                      at::TensorOptions().dtype(at::kByte));
  std::memcpy(tensor.mutable_data_ptr(), text.data(), text.size());
  return tensor;
}

std::string TextOf(const at::Tensor& tensor) {
  return {static_cast<const char*>(tensor.const_data_ptr()),
          static_cast<size_t>(tensor.numel())};
}

Json ShapeJson(at::IntArrayRef shape) {
  Json json = Json::Array();
  for (const int64_t size : shape) json.Append(size);
  return json;
}

std::vector<int64_t> ShapeOf(const Json& json) {
  std::vector<int64_t> shape;
  for (const Json& size : json.items()) shape.push_back(size.AsInt());
  return shape;
}

}  // namespace

std::shared_ptr<const Partition> ShardedOptimizer::MakePartition(
    const HParams& hparams, const std::vector<NamedTensor>& parameters,
    int64_t ranks, int64_t bucket_bytes, std::vector<int64_t> groups) {
  Partition::Options options;
  options.groups = std::move(groups);
  options.ranks = ranks;
  options.bucket_bytes = bucket_bytes;
  options.shards = Partition::Shards::kOwners;
  switch (MakeOptimizer(hparams, {})->sharing()) {
    case Sharing::kPieces:
      options.cut = Optimizer::kPieceSize;
      break;
    case Sharing::kParameters:
      options.cut = 0;
      break;
    case Sharing::kNone:
      throw UsageError(
          "--zero_stage with --hparams=optimizer=" +
              hparams.GetString("optimizer") +
              ", whose state is of all parameters together",
          "an optimizer whose state can be shared out",
          "use --zero_stage=0, or another optimizer, as adam or adafactor");
  }
  std::vector<int64_t> sizes;
  for (const NamedTensor& parameter : parameters) {
    sizes.push_back(parameter.tensor.numel());
  }
  return std::make_shared<Partition>(std::move(sizes), options);
}

ShardedOptimizer::ShardedOptimizer(const HParams& hparams,
                                   std::vector<NamedTensor> parameters,
                                   std::shared_ptr<const Partition> partition,
                                   ProcessGroup* group, double ema_decay,
                                   const std::vector<at::Tensor>& own)
    : hparams_(hparams),
      parameters_(std::move(parameters)),
      partition_(std::move(partition)),
      group_(group),
      whole_(own.empty()) {
  if (hparams.Has("grad_noise_scale")) {
    gradient_noise_ = hparams.GetDouble("grad_noise_scale");
  }
  for (size_t i = 0; i < parameters_.size(); ++i) {
    index_[parameters_[i].name] = i;
  }
  for (int64_t rank = 0; rank < group->size(); ++rank) {
    runs_.push_back(partition_->RunsOf(rank));
  }
  for (const Partition::Run& run : runs_[static_cast<size_t>(group->rank())]) {
    const NamedTensor& parameter = parameters_[run.parameter];
    at::Tensor tensor = whole_ ? parameter.tensor.detach().view(-1).narrow(
                                     0, run.begin, run.size)
                               : own[own_.size()];
    if (IsWhole(run)) {
      tensor = tensor.view(parameter.tensor.sizes());
    } else if (parameter.tensor.dim() > 1) {
      // A matrix stays one: a bias alone has one dimension.
      tensor = tensor.view({1, -1});
    }
    own_.push_back({parameter.name, tensor});
  }
  optimizer_ = MakeOptimizer(WithoutNoise(hparams), own_);
  if (ema_decay > 0) {
    average_ = std::make_unique<MovingAverage>(ema_decay, own_);
  }
}

void ShardedOptimizer::AddWeightNoise(double learning_rate) {
  if (whole_) {
    t2t::AddWeightNoise(hparams_, parameters_, learning_rate, shards_);
    return;
  }
  const auto& runs = runs_[static_cast<size_t>(group_->rank())];
  size_t own = 0;
  // All of it on all ranks, so that each draws the same.
  ForWeightNoise(
      hparams_, parameters_, learning_rate,
      [&](size_t i, const at::Tensor& noise) {
        while (own < runs.size() && runs[own].parameter < i) ++own;
        if (own == runs.size() || runs[own].parameter != i) return;
        own_[own].tensor.view(-1).add_(
            noise.flatten().narrow(0, runs[own].begin, runs[own].size));
      },
      shards_);
}

void ShardedOptimizer::AddGradientNoise(
    const std::vector<bool>& used, std::vector<at::Tensor>* gradients) const {
  size_t own = 0;
  const auto& runs = runs_[static_cast<size_t>(group_->rank())];
  // All of it on all ranks, so that each draws the same.
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const at::Tensor& tensor = parameters_[i].tensor;
    at::Tensor noise;
    if (used[i] || optimizer_->CountsAsZeros(parameters_[i])) {
      noise = TruncatedNoise(tensor.sizes(), gradient_noise_,
                             shards_ == nullptr
                                 ? std::nullopt
                                 : shards_->ShardOf(parameters_[i].name))
                  .flatten();
    }
    if (own == runs.size() || runs[own].parameter != i) continue;
    at::Tensor& gradient = (*gradients)[own];
    if (noise.defined()) {
      noise = noise.narrow(0, runs[own].begin, runs[own].size);
      gradient = gradient.defined() ? gradient.flatten().add(noise) : noise;
    }
    ++own;
  }
}

double ShardedOptimizer::TotalSquares(const std::vector<double>& own) const {
  // Where each parameter's pieces begin among all of them.
  std::vector<int64_t> begins;
  int64_t count = 0;
  for (const int64_t size : partition_->sizes()) {
    begins.push_back(count);
    count += Pieces(size);
  }
  const at::Tensor all =
      at::zeros(count, at::TensorOptions().dtype(at::kDouble));
  double* const squares = all.mutable_data_ptr<double>();
  size_t next = 0;
  const auto& runs = runs_[static_cast<size_t>(group_->rank())];
  for (size_t i = 0; i < runs.size(); ++i) {
    double* const to = squares + begins[runs[i].parameter] +
                       runs[i].begin / Optimizer::kPieceSize;
    const int64_t pieces = Optimizer::PieceCount(own_[i].tensor);
    for (int64_t piece = 0; piece < pieces; ++piece) to[piece] = own[next++];
  }
  // Each is one rank's number and zeros: exact.
  group_->AllReduce(all, "the gradients' norm");
  if (total_ != nullptr) {
    // In the pieces that one optimizer of all parameters would have.
    std::vector<double> pieces;
    for (size_t i = 0; i < parameters_.size(); ++i) {
      const double* const begin = squares + begins[i];
      const double* const end = begin + Pieces(partition_->sizes()[i]);
      if (Optimizer::PieceCount(parameters_[i].tensor) == end - begin) {
        pieces.insert(pieces.end(), begin, end);
      } else {
        pieces.push_back(std::accumulate(begin, end, 0.0));
      }
    }
    return total_(pieces);
  }
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += squares[i];
  return sum;
}

double ShardedOptimizer::Step(const std::vector<at::Tensor>& gradients,
                              const std::vector<bool>& used,
                              double learning_rate, int64_t step) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> noisy;
  if (gradient_noise_ != 0) {
    noisy = gradients;
    AddGradientNoise(used, &noisy);
  }
  const double norm = optimizer_->Step(
      gradient_noise_ != 0 ? noisy : gradients, learning_rate, step,
      [this](const std::vector<double>& own) { return TotalSquares(own); });
  if (!std::isfinite(norm)) return norm;
  if (whole_) GatherParameters();
  if (average_ != nullptr) average_->Update(step);
  return norm;
}

void ShardedOptimizer::SwapAverages() {
  if (average_ == nullptr) return;
  const at::NoGradGuard no_grad;
  average_->Swap();
  if (whole_) GatherParameters();
}

void ShardedOptimizer::ForRuns(
    size_t owner, size_t index, const at::Tensor& flat, int64_t begin,
    const std::function<void(const at::Tensor& parameter,
                             const at::Tensor& flat)>& copy) const {
  const Partition::Bucket& bucket = partition_->buckets()[index];
  const auto& runs = runs_[owner];
  for (const size_t i : bucket.parameters) {
    const auto run = std::lower_bound(
        runs.begin(), runs.end(), i,
        [](const Partition::Run& a, size_t b) { return a.parameter < b; });
    if (run == runs.end() || run->parameter != i) continue;
    const int64_t offset =
        partition_->offset(i) + run->begin - bucket.begin - begin;
    copy(parameters_[i].tensor.detach().view(-1).narrow(0, run->begin,
                                                        run->size),
         flat.narrow(0, offset, run->size));
  }
}

ShardedOptimizer::Gathering ShardedOptimizer::StartGathering(
    size_t index) const {
  const auto rank = static_cast<size_t>(group_->rank());
  const auto ranks = static_cast<size_t>(group_->size());
  const at::TensorOptions options = OnDevice(at::kFloat);
  const Partition::Bucket& bucket = partition_->buckets()[index];
  const at::Tensor own = at::zeros(bucket.shard_size(rank), options);
  ForRuns(rank, index, own, bucket.bounds[rank],
          [](const at::Tensor& parameter, const at::Tensor& flat) {
            flat.copy_(parameter);
          });
  std::vector<int64_t> received;
  for (size_t owner = 0; owner < ranks; ++owner) {
    received.push_back(bucket.shard_size(owner));
  }
  Gathering gathering{index, nullptr, own.repeat(group_->size()),
                      at::empty(bucket.size, options)};
  gathering.work = group_->StartAllToAll(
      gathering.sent, std::vector<int64_t>(ranks, bucket.shard_size(rank)),
      gathering.received, received);
  return gathering;
}

void ShardedOptimizer::FinishGathering(const Gathering& gathering) const {
  group_->Wait(gathering.work, "gathering the parameters");
  for (int64_t owner = 0; owner < group_->size(); ++owner) {
    if (owner == group_->rank()) continue;
    ForRuns(static_cast<size_t>(owner), gathering.bucket, gathering.received, 0,
            [](const at::Tensor& parameter, const at::Tensor& flat) {
              parameter.copy_(flat);
            });
  }
}

void ShardedOptimizer::GatherParameters() {
  // Few, for the sake of memory; more than one, so that one travels while
  // another is copied.
  constexpr size_t kUnderWay = 3;
  std::deque<Gathering> under_way;
  const auto finish = [&] {
    const Gathering gathering = std::move(under_way.front());
    under_way.pop_front();
    FinishGathering(gathering);
  };
  for (size_t i = 0; i < partition_->buckets().size(); ++i) {
    under_way.push_back(StartGathering(i));
    if (under_way.size() == kUnderWay) finish();
  }
  while (!under_way.empty()) finish();
}

size_t ShardedOptimizer::ParameterOf(const std::string& key) const {
  auto found = index_.find(key);
  if (found == index_.end()) found = index_.find(key.substr(key.find('/') + 1));
  if (found == index_.end()) {
    throw Error(ExitCode::kInternal, "'" + key + "' is of no parameter");
  }
  return found->second;
}

const Partition::Run& ShardedOptimizer::RunOf(size_t rank,
                                              size_t parameter) const {
  for (const Partition::Run& run : runs_[rank]) {
    if (run.parameter == parameter) return run;
  }
  throw Error(ExitCode::kInternal, "rank " + std::to_string(rank) +
                                       " has no part of '" +
                                       parameters_[parameter].name + "'");
}

ShardedOptimizer::State ShardedOptimizer::Gather(const State& own) const {
  const at::NoGradGuard no_grad;
  Json names = Json::Array();
  std::vector<at::Tensor> flat = {at::empty(0)};
  for (const auto& [key, tensor] : own) {
    Json entry = Json::Array();
    entry.Append(key);
    entry.Append(ShapeJson(tensor.sizes()));
    names.Append(std::move(entry));
    // By way of the CPU: rank 0's device need not have room for all.
    flat.push_back(tensor.cpu().flatten());
  }
  const std::vector<at::Tensor> texts =
      ToFirst(group_, TextTensor(names.ToString()));
  const std::vector<at::Tensor> numbers = ToFirst(group_, at::cat(flat));
  State whole;
  if (group_->rank() > 0) return whole;
  for (size_t rank = 0; rank < numbers.size(); ++rank) {
    int64_t begin = 0;
    const Json entries = Json::Parse(TextOf(texts[rank]));
    for (const Json& entry : entries.items()) {
      const std::string key = entry.items()[0].AsString();
      const std::vector<int64_t> shape = ShapeOf(entry.items()[1]);
      int64_t size = 1;
      for (const int64_t extent : shape) size *= extent;
      const at::Tensor shard = numbers[rank].narrow(0, begin, size);
      begin += size;
      const size_t parameter = ParameterOf(key);
      const Partition::Run& run = RunOf(rank, parameter);
      if (IsWhole(run)) {
        whole[key] = shard.view(shape);
        continue;
      }
      at::Tensor& tensor = whole[key];
      if (!tensor.defined()) {
        tensor = at::empty(parameters_[parameter].tensor.sizes());
      }
      tensor.view(-1).narrow(0, run.begin, run.size).copy_(shard);
    }
  }
  return whole;
}

ShardedOptimizer::State ShardedOptimizer::GatherState() const {
  return Gather(optimizer_->State());
}

ShardedOptimizer::State ShardedOptimizer::GatherAverages() const {
  return average_ == nullptr ? State() : Gather(average_->State());
}

bool ShardedOptimizer::ForEach(
    const State* whole,
    const std::function<void(const std::string&, const at::Tensor&)>& take)
    const {
  std::string text;
  if (group_->rank() == 0 && whole != nullptr) {
    Json names = Json::Array();
    for (const auto& [key, tensor] : *whole) {
      if (tensor.scalar_type() != at::kFloat) continue;
      Json entry = Json::Array();
      entry.Append(key);
      entry.Append(ShapeJson(tensor.sizes()));
      names.Append(std::move(entry));
    }
    text = names.ToString();
  }
  text = group_->BroadcastText(text, kSharing);
  if (text.empty()) return false;
  const Json names = Json::Parse(text);
  for (const Json& entry : names.items()) {
    const std::string key = entry.items()[0].AsString();
    const at::Tensor tensor = group_->rank() == 0
                                  ? whole->at(key).contiguous()
                                  : at::empty(ShapeOf(entry.items()[1]));
    group_->Broadcast(tensor, kSharing);
    take(key, tensor);
  }
  return true;
}

bool ShardedOptimizer::TakeShard(const State* whole, const State& own,
                                 State* taken) const {
  const auto rank = static_cast<size_t>(group_->rank());
  return ForEach(whole, [&](const std::string& key, const at::Tensor& tensor) {
    const auto found = own.find(key);
    if (found == own.end()) return;
    const Partition::Run& run = RunOf(rank, ParameterOf(key));
    const bool cut =
        !IsWhole(run) && tensor.numel() == partition_->sizes()[run.parameter];
    (*taken)[key] = cut ? tensor.flatten()
                              .narrow(0, run.begin, run.size)
                              .clone()
                              .view(found->second.sizes())
                        : tensor;
  });
}

void ShardedOptimizer::ScatterState(const State* whole) {
  const at::NoGradGuard no_grad;
  State own;
  if (TakeShard(whole, optimizer_->State(), &own)) optimizer_->LoadState(own);
}

TensorPlace ShardedOptimizer::PlaceOf(const Partition::Run& run) const {
  return {parameters_[run.parameter].tensor.sizes().vec(), run.begin, run.size,
          std::nullopt};
}

ShardedOptimizer::ShardMap ShardedOptimizer::ShardsOf(const State& own) const {
  const auto rank = static_cast<size_t>(group_->rank());
  ShardMap shards;
  for (const auto& [key, tensor] : own) {
    const Partition::Run& run = RunOf(rank, ParameterOf(key));
    TensorPlace place = TensorPlace::All(tensor.sizes().vec());
    if (!IsWhole(run)) place = PlaceOf(run);
    shards[key] = {tensor.flatten(), std::move(place)};
  }
  return shards;
}

ShardedOptimizer::ShardMap ShardedOptimizer::ParameterShards() const {
  const at::NoGradGuard no_grad;
  ShardMap shards;
  const auto& runs = runs_[static_cast<size_t>(group_->rank())];
  for (size_t i = 0; i < runs.size(); ++i) {
    shards[own_[i].name] = {own_[i].tensor.flatten(), PlaceOf(runs[i])};
  }
  return shards;
}

void ShardedOptimizer::ScatterAverages(const State* whole) {
  if (average_ == nullptr) return;
  const at::NoGradGuard no_grad;
  State own;
  TakeShard(whole, average_->State(), &own);
  average_->LoadState(own);
}

}  // namespace t2t
