#include "t2t/distributed/gradient_sum.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/plural.h"
#include "t2t/ops/tensor_memory.h"

namespace t2t {
namespace {

constexpr char kWhat[] = "the sum of gradients";
// Buckets of which a rank has what it is to add up on the way, or the sums:
// more would take more memory.
constexpr size_t kUnderWay = 3;

std::vector<int64_t> Sizes(const std::vector<at::Tensor>& tensors) {
  std::vector<int64_t> sizes;
  for (const at::Tensor& tensor : tensors) sizes.push_back(tensor.numel());
  return sizes;
}

// The last bucket is full when the pass is over, and nothing hides how it is
// sent: of a small model's gradients it is not to be a large part.
int64_t BucketBytes(const std::vector<int64_t>& sizes, int64_t asked) {
  constexpr int64_t kBuckets = 16;
  constexpr int64_t kLeast = 128 << 10;
  const int64_t bytes =
      std::accumulate(sizes.begin(), sizes.end(), int64_t{0}) *
      static_cast<int64_t>(sizeof(float));
  return std::min(asked, std::max(kLeast, bytes / kBuckets));
}

// Gloo carries any two bytes.
at::Tensor AsHalf(const at::Tensor& bf16) { return bf16.view(at::kHalf); }

}  // namespace

GradientSum::GradientSum(std::vector<at::Tensor> parameters, int64_t batches,
                         ProcessGroup* group, const Options& options)
    : parameters_(std::move(parameters)),
      batches_(batches),
      group_(group),
      ranks_(group == nullptr ? 1 : group->size()),
      deterministic_(options.deterministic),
      bf16_(options.bf16 && ranks_ > 1),
      partition_(options.owners != nullptr
                     ? options.owners
                     : std::make_shared<Partition>(
                           Sizes(parameters_),
                           Partition::Options{BucketBytes(Sizes(parameters_),
                                                          options.bucket_bytes),
                                              ranks_,
                                              Partition::Shards::kEven,
                                              0,
                                              {}})),
      owners_(options.owners != nullptr),
      release_(owners_ && options.release && ranks_ > 1),
      in_step_(release_ && options.in_step),
      all_to_all_(ranks_ > 1 && (deterministic_ || owners_ || bf16_)) {
  if (batches < ranks_) {
    throw UsageError(
        "there are " + Count(ranks_, "rank") + ", but " +
            Count(batches, "batch") + " a step",
        "a batch for every rank at least",
        "start fewer ranks, or set --virtual_ranks=" + std::to_string(ranks_));
  }
  if (bf16_ && deterministic_) {
    throw UsageError(
        "--gradient_compression=bf16 with --deterministic",
        "one of them: what is rounded depends on the number of ranks");
  }
  if (partition_->ranks() != ranks_) {
    throw Error(ExitCode::kInternal, "gradients are cut for another group");
  }
  ShareOut();
  buckets_.resize(partition_->buckets().size());
  filled_.assign(parameters_.size(), false);
  used_.assign(parameters_.size(), false);
  for (size_t i = 0; i < parameters_.size(); ++i) {
    hooks_.push_back(
        parameters_[i].register_hook([this, i](const at::Tensor& gradient) {
          return TakeGradient(i, gradient);
        }));
  }
}

void GradientSum::ShareOut() {
  if (release_) {
    // Round by round: the ranks' batches of a round stand side by side in the
    // tree, so that an owner can add them up as they come.
    for (int64_t batch = group_->rank(); batch < batches_; batch += ranks_) {
      own_.push_back(batch);
    }
  } else {
    const BatchRange own = BatchesOfRank(batches_, ranks_, int64_t(rank()));
    for (int64_t i = own.begin; i < own.end; ++i) own_.push_back(i);
    leaves_ = deterministic_ ? batches_ : ranks_;
    for (int64_t i = 0; i < ranks_; ++i) {
      nodes_.push_back(
          deterministic_
              ? TreeNodes(batches_, BatchesOfRank(batches_, ranks_, i))
              : std::vector<BatchRange>{{i, i + 1}});
    }
  }
  if (owners_) {
    runs_ = partition_->RunsOf(static_cast<int64_t>(rank()));
  } else {
    for (size_t i = 0; i < parameters_.size(); ++i) {
      runs_.push_back({i, 0, parameters_[i].numel()});
    }
  }
}

GradientSum::~GradientSum() {
  for (size_t i = 0; i < hooks_.size(); ++i) {
    parameters_[i].remove_hook(hooks_[i]);
  }
}

int64_t GradientSum::bytes() const {
  size_t bytes = 0;
  for (const at::Tensor& slot : slots_) bytes += slot.nbytes();
  for (const Bucket& bucket : buckets_) {
    // What is sent may be a view of a slot.
    const bool sends = bucket.sent.defined() &&
                       (slots_.empty() || !bucket.sent.is_alias_of(slots_[0]));
    if (sends) bytes += bucket.sent.nbytes();
    for (const at::Tensor* tensor : {&bucket.received, &bucket.gradient}) {
      if (tensor->defined()) bytes += tensor->nbytes();
    }
    for (const at::Tensor& node : bucket.nodes) bytes += node.nbytes();
  }
  return static_cast<int64_t>(bytes);
}

void GradientSum::Begin(int64_t batch) {
  const bool first = batch_ == -1;
  if (first) {
    top_ = 0;
    used_.assign(used_.size(), false);
    for (Bucket& bucket : buckets_) {
      bucket.nodes.clear();
      bucket.summed = 0;
      bucket.launched = 0;
    }
  }
  // Where neither holds, every batch goes into one sum.
  if (deterministic_ || release_ || first) {
    filled_.assign(filled_.size(), false);
  }
  if (release_ || first) BeginRound();
  if (!release_ && slots_.size() <= top_) {
    slots_.push_back(
        at::zeros(partition_->total(), parameters_[0].detach().options()));
    NotePeak();
  }
  batch_ = batch;
  launching_ = release_ || batch == own_.back();
  running_ = true;
}

void GradientSum::BeginAccompanying() {
  accompanies_ = true;
  BeginRound();
  launching_ = true;
  running_ = true;
}

void GradientSum::BeginRound() {
  next_bucket_ = 0;
  for (size_t i = 0; i < buckets_.size(); ++i) {
    buckets_[i].missing = partition_->buckets()[i].parameters.size();
  }
}

void GradientSum::Complete(const std::vector<size_t>& buckets) {
  if (!launching_) return;
  const at::NoGradGuard no_grad;
  for (const size_t i : buckets) buckets_[i].missing = 0;
  LaunchReady(/*all=*/false);
}

at::Tensor GradientSum::GradientView(size_t parameter) {
  const size_t bucket = partition_->bucket_of(parameter);
  const Partition::Bucket& extent = partition_->buckets()[bucket];
  at::Tensor flat;
  int64_t offset = partition_->offset(parameter);
  if (release_) {
    if (!buckets_[bucket].gradient.defined()) {
      // Zeros, since the padding travels, too.
      buckets_[bucket].gradient =
          MappedFloats(extent.size, parameters_[0].device()).zero_();
      NotePeak();
    }
    flat = buckets_[bucket].gradient;
    offset -= extent.begin;
  } else {
    flat = slots_[top_];
  }
  const at::Tensor& like = parameters_[parameter];
  return flat.narrow(0, offset, like.numel()).view(like.sizes());
}

at::Tensor GradientSum::TakeGradient(size_t parameter,
                                     const at::Tensor& gradient) {
  if (!running_ || !gradient.defined()) return {};
  const at::NoGradGuard no_grad;
  if (accompanies_) return StandIn(gradient);
  const at::Tensor view = GradientView(parameter);
  if (filled_[parameter]) {
    view.add_(gradient);
  } else {
    view.copy_(gradient);
    filled_[parameter] = true;
  }
  used_[parameter] = true;
  if (launching_ && !in_step_) {
    --buckets_[partition_->bucket_of(parameter)].missing;
    LaunchReady(/*all=*/false);
  }
  return StandIn(gradient);
}

at::Tensor GradientSum::StandIn(const at::Tensor& gradient) {
  if (!stand_in_.defined()) stand_in_ = at::zeros({}, gradient.options());
  return stand_in_.expand(gradient.sizes());
}

void GradientSum::Merge(int64_t begin, int64_t size, size_t top) {
  if (!deterministic_ || release_) return;
  const BatchRange own{own_.front(), own_.back() + 1};
  for (int64_t left = MergesAfter(batches_, own, batch_); left > 0; --left) {
    slots_[top - 1]
        .narrow(0, begin, size)
        .add_(slots_[top].narrow(0, begin, size));
    --top;
  }
}

void GradientSum::FillUnused(const std::vector<size_t>& parameters) {
  for (const size_t i : parameters) {
    if (!filled_[i]) GradientView(i).zero_();
  }
}

void GradientSum::LaunchReady(bool all) {
  while (next_bucket_ < buckets_.size() &&
         (all || buckets_[next_bucket_].missing == 0)) {
    const size_t i = next_bucket_++;
    const Partition::Bucket& extent = partition_->buckets()[i];
    if (!accompanies_) FillUnused(extent.parameters);
    Merge(extent.begin, extent.size, top_);
    if (release_) {
      LaunchBatch(i);
    } else if (distributed()) {
      Launch(i);
    }
  }
}

void GradientSum::End() {
  running_ = false;
  const at::NoGradGuard no_grad;
  if (launching_) {
    LaunchReady(/*all=*/true);
    launching_ = false;
    if (lacks_batch() && batch_ == own_.back() && !in_step_) {
      // The others have one more.
      for (size_t i = 0; i < buckets_.size(); ++i) LaunchBatch(i);
    }
    return;
  }
  if (!deterministic_) return;
  for (const Partition::Bucket& bucket : partition_->buckets()) {
    FillUnused(bucket.parameters);
  }
  Merge(0, partition_->total(), top_);
  const BatchRange own{own_.front(), own_.back() + 1};
  top_ = top_ + 1 - static_cast<size_t>(MergesAfter(batches_, own, batch_));
}

void GradientSum::Exchange(size_t index, const std::vector<int64_t>& sent,
                           const std::vector<int64_t>& received) {
  Bucket& bucket = buckets_[index];
  const int64_t count =
      std::accumulate(received.begin(), received.end(), int64_t{0});
  if (bf16_) bucket.sent = bucket.sent.to(at::kBFloat16);
  if (!bucket.received.defined() || bucket.received.numel() != count) {
    bucket.received = release_ && !bf16_
                          ? MappedFloats(count, bucket.sent.device())
                          : at::empty(count, bucket.sent.options());
  }
  NotePeak();
  bucket.work = bf16_ ? group_->StartAllToAll(AsHalf(bucket.sent), sent,
                                              AsHalf(bucket.received), received)
                      : group_->StartAllToAll(bucket.sent, sent,
                                              bucket.received, received);
}

at::Tensor GradientSum::Received(const Bucket& bucket, int64_t begin,
                                 int64_t size) const {
  return bucket.received.narrow(0, begin, size).to(at::kFloat);
}

void GradientSum::Launch(size_t index) {
  if (!all_to_all_) {
    buckets_[index].work = group_->StartAllReduce(Slice(0, index));
    return;
  }
  if (owners_) LimitUnderWay();
  const Partition::Bucket& extent = partition_->buckets()[index];
  const std::vector<BatchRange>& own = nodes_[rank()];
  Bucket& bucket = buckets_[index];
  bucket.sent = Slice(0, index);
  std::vector<at::Tensor> slices;
  std::vector<int64_t> sent;
  std::vector<int64_t> received;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    // For each rank its shard of every node.
    for (size_t node = 0; node < own.size() && own.size() > 1; ++node) {
      slices.push_back(
          Slice(node, index).narrow(0, extent.bounds[i], extent.shard_size(i)));
    }
    sent.push_back(static_cast<int64_t>(own.size()) * extent.shard_size(i));
    received.push_back(static_cast<int64_t>(nodes_[i].size()) *
                       extent.shard_size(rank()));
  }
  if (!slices.empty()) bucket.sent = at::cat(slices);
  Exchange(index, sent, received);
  under_way_.push_back(index);
  // Every rank starts its collectives in this same order.
  while (!owners_ && under_way_.size() > kUnderWay) Gather();
}

void GradientSum::LaunchBatch(size_t index) {
  Absorb(index);
  LimitUnderWay();
  const Partition::Bucket& extent = partition_->buckets()[index];
  Bucket& bucket = buckets_[index];
  const bool here = bucket.gradient.defined();
  bucket.sent =
      here ? bucket.gradient : at::empty(0, parameters_[0].detach().options());
  bucket.gradient = at::Tensor();
  std::vector<int64_t> sent;
  std::vector<int64_t> received;
  for (int64_t i = 0; i < ranks_; ++i) {
    sent.push_back(here ? extent.shard_size(static_cast<size_t>(i)) : 0);
    received.push_back(
        bucket.launched + i < batches_ ? extent.shard_size(rank()) : 0);
  }
  bucket.launched = std::min(batches_, bucket.launched + ranks_);
  Exchange(index, sent, received);
  under_way_.push_back(index);
}

void GradientSum::LimitUnderWay() {
  while (under_way_.size() >= kUnderWay) Absorb(under_way_.front());
}

void GradientSum::Absorb(size_t index) {
  const auto place = std::find(under_way_.begin(), under_way_.end(), index);
  if (place == under_way_.end()) return;
  under_way_.erase(place);
  Bucket& bucket = buckets_[index];
  group_->Wait(bucket.work, kWhat);
  bucket.work = nullptr;
  bucket.sent = at::Tensor();
  if (release_) {
    AddNodes(index);
  } else {
    OwnShard(index).copy_(SumOfNodes(bucket, OwnShard(index).numel()));
  }
  bucket.received = at::Tensor();
}

void GradientSum::AddNodes(size_t index) {
  Bucket& bucket = buckets_[index];
  const int64_t shard = partition_->buckets()[index].shard_size(rank());
  std::vector<at::Tensor>& nodes = bucket.nodes;
  const size_t kept = nodes.size();
  for (int64_t begin = 0; bucket.summed < bucket.launched; begin += shard) {
    nodes.push_back(Received(bucket, begin, shard));
    for (int64_t left = MergesAfter(batches_, {0, batches_}, bucket.summed);
         left > 0; --left) {
      nodes[nodes.size() - 2].add_(nodes.back());
      nodes.pop_back();
    }
    ++bucket.summed;
  }
  // Of what was received only the sums stay.
  for (size_t i = std::min(kept, nodes.size()); i < nodes.size(); ++i) {
    nodes[i] = nodes[i].clone();
  }
}

at::Tensor GradientSum::OwnShard(size_t index) const {
  if (release_) return buckets_[index].nodes.front();
  const Partition::Bucket& extent = partition_->buckets()[index];
  return Slice(0, index).narrow(0, extent.bounds[rank()],
                                extent.shard_size(rank()));
}

at::Tensor GradientSum::SumOfNodes(const Bucket& bucket, int64_t shard) const {
  std::vector<BatchRange> nodes;
  for (const auto& of_rank : nodes_) {
    nodes.insert(nodes.end(), of_rank.begin(), of_rank.end());
  }
  return SumOfTree(leaves_, nodes, [&](size_t node) {
    return Received(bucket, static_cast<int64_t>(node) * shard, shard);
  });
}

void GradientSum::Gather() {
  const size_t index = under_way_.front();
  under_way_.pop_front();
  Bucket& bucket = buckets_[index];
  const Partition::Bucket& extent = partition_->buckets()[index];
  group_->Wait(bucket.work, kWhat);
  bucket.sent = at::Tensor();
  const at::Tensor own = SumOfNodes(bucket, extent.shard_size(rank()));
  if (bf16_) {
    const at::Tensor rounded = own.to(at::kBFloat16);
    bucket.received = at::empty(extent.size, rounded.options());
    bucket.work =
        group_->StartAllGather(AsHalf(rounded), AsHalf(bucket.received));
  } else {
    bucket.work = group_->StartAllGather(own, Slice(0, index));
  }
  gathering_.push_back(index);
  while (gathering_.size() > kUnderWay) TakeGathered();
}

void GradientSum::TakeGathered() {
  const size_t index = gathering_.front();
  gathering_.pop_front();
  Bucket& bucket = buckets_[index];
  group_->Wait(bucket.work, kWhat);
  bucket.work = nullptr;
  if (bf16_) Slice(0, index).copy_(bucket.received);
  bucket.received = at::Tensor();
}

std::vector<at::Tensor> GradientSum::Finish(double scale) {
  const at::NoGradGuard no_grad;
  batch_ = -1;
  if (owners_ && distributed()) {
    while (!under_way_.empty()) Absorb(under_way_.front());
    for (size_t i = 0; i < buckets_.size(); ++i) OwnShard(i).mul_(scale);
  } else {
    while (all_to_all_ && !under_way_.empty()) Gather();
    // The first ones while the others are still on their way.
    for (size_t i = 0; i < buckets_.size(); ++i) {
      if (!gathering_.empty() && gathering_.front() == i) TakeGathered();
      if (buckets_[i].work != nullptr) group_->Wait(buckets_[i].work, kWhat);
      buckets_[i].work = nullptr;
      Slice(0, i).mul_(scale);
    }
  }
  std::vector<at::Tensor> gradients;
  for (const Run& run : runs_) {
    const size_t index = partition_->bucket_of(run.parameter);
    const Partition::Bucket& extent = partition_->buckets()[index];
    const int64_t offset =
        partition_->offset(run.parameter) + run.begin - extent.begin;
    const at::Tensor flat =
        owners_ ? OwnShard(index).narrow(0, offset - extent.bounds[rank()],
                                         run.size)
                : Slice(0, index).narrow(0, offset, run.size);
    const at::Tensor& parameter = parameters_[run.parameter];
    gradients.push_back(
        run.size == parameter.numel() ? flat.view(parameter.sizes()) : flat);
  }
  return gradients;
}

}  // namespace t2t
