#include "t2t/dist/gradient_sum.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <bit>
#include <functional>
#include <string>
#include <utility>

#include "t2t/base/error.h"

namespace t2t {
namespace {

// Gradients begin at cache lines, as tensors of their own do.
constexpr int64_t kAlignment = 16;
constexpr char kWhat[] = "the sum of gradients";

// Where a node's second half begins.
int64_t Middle(int64_t begin, int64_t end) {
  const uint64_t size = static_cast<uint64_t>(end - begin);
  return begin + static_cast<int64_t>(std::bit_floor(size - 1));
}

void AddNodes(int64_t begin, int64_t end, ShardRange range,
              std::vector<ShardRange>* nodes) {
  if (begin >= range.end || end <= range.begin) return;
  if (begin >= range.begin && end <= range.end) {
    nodes->push_back({begin, end});
    return;
  }
  const int64_t middle = Middle(begin, end);
  AddNodes(begin, middle, range, nodes);
  AddNodes(middle, end, range, nodes);
}

// How many sums of two are due once `shard`, the last of some nodes within
// `range`, is there.
int64_t MergesAfter(int64_t shards, ShardRange range, int64_t shard) {
  int64_t merges = 0;
  int64_t begin = 0;
  int64_t end = shards;
  while (end - begin > 1) {
    const bool within = begin >= range.begin && end <= range.end;
    if (within && shard == end - 1) ++merges;
    const int64_t middle = Middle(begin, end);
    (shard < middle ? end : begin) = middle;
  }
  return merges;
}

}  // namespace

ShardRange ShardsOfRank(int64_t shards, int64_t size, int64_t rank) {
  return {rank * shards / size, (rank + 1) * shards / size};
}

std::vector<ShardRange> TreeNodes(int64_t shards, ShardRange range) {
  std::vector<ShardRange> nodes;
  AddNodes(0, shards, range, &nodes);
  return nodes;
}

GradientSum::GradientSum(std::vector<at::Tensor> parameters, int64_t shards,
                         ProcessGroup* group, const Options& options)
    : parameters_(std::move(parameters)),
      shards_(shards),
      group_(group),
      ranks_(group == nullptr ? 1 : group->size()),
      deterministic_(options.deterministic),
      own_(ShardsOfRank(shards, ranks_, group == nullptr ? 0 : group->rank())) {
  if (shards < ranks_) {
    throw UsageError(
        "there are " + std::to_string(ranks_) + " ranks, but " +
            std::to_string(shards) + " batches a step",
        "a batch for every rank at least",
        "start fewer ranks, or set --virtual_ranks=" + std::to_string(ranks_));
  }
  for (int64_t rank = 0; rank < ranks_; ++rank) {
    nodes_.push_back(TreeNodes(shards, ShardsOfRank(shards, ranks_, rank)));
  }
  MakeBuckets(options.bucket_bytes);
  filled_.assign(parameters_.size(), false);
  used_.assign(parameters_.size(), false);
  for (size_t i = 0; i < parameters_.size(); ++i) {
    hooks_.push_back(parameters_[i].register_hook(
        [this, i](const at::Tensor& gradient) { TakeGradient(i, gradient); }));
  }
}

GradientSum::~GradientSum() {
  for (size_t i = 0; i < hooks_.size(); ++i) {
    parameters_[i].remove_hook(hooks_[i]);
  }
}

// From the last parameter to the first, as a backward pass comes to them.
void GradientSum::MakeBuckets(int64_t bucket_bytes) {
  offsets_.assign(parameters_.size(), 0);
  bucket_of_.assign(parameters_.size(), 0);
  const auto close = [this] {
    Bucket& bucket = buckets_.back();
    const int64_t unit = ranks_ * kAlignment;
    bucket.size = (total_ - bucket.begin + unit - 1) / unit * unit;
    total_ = bucket.begin + bucket.size;
  };
  for (size_t i = parameters_.size(); i-- > 0;) {
    const int64_t bytes =
        (total_ - (buckets_.empty() ? 0 : buckets_.back().begin)) *
        static_cast<int64_t>(sizeof(float));
    if (buckets_.empty() || bytes >= bucket_bytes) {
      if (!buckets_.empty()) close();
      Bucket bucket;
      bucket.begin = total_;
      buckets_.push_back(bucket);
    }
    offsets_[i] = total_;
    bucket_of_[i] = buckets_.size() - 1;
    buckets_.back().parameters.push_back(i);
    total_ +=
        (parameters_[i].numel() + kAlignment - 1) / kAlignment * kAlignment;
  }
  if (!buckets_.empty()) close();
}

void GradientSum::Begin(int64_t shard, bool last) {
  if (shard_ == -1) {
    top_ = 0;
    next_bucket_ = 0;
    used_.assign(used_.size(), false);
    for (Bucket& bucket : buckets_) bucket.missing = bucket.parameters.size();
  }
  shard_is_new_ = shard != shard_;
  shard_ = shard;
  if (shard_is_new_) {
    // Not deterministic: every shard into one sum.
    if (deterministic_ || shard == own_.begin) {
      filled_.assign(filled_.size(), false);
    }
    if (slots_.size() <= top_)
      slots_.push_back(at::zeros(total_, parameters_[0].detach().options()));
  }
  last_of_shard_ = last;
  launching_ = last && shard == own_.end - 1;
  running_ = true;
}

void GradientSum::TakeGradient(size_t parameter, const at::Tensor& gradient) {
  if (!running_ || !gradient.defined()) return;
  const at::NoGradGuard no_grad;
  const at::Tensor place = slots_[top_]
                               .narrow(0, offsets_[parameter], gradient.numel())
                               .view(gradient.sizes());
  if (filled_[parameter]) {
    place.add_(gradient);
  } else {
    place.copy_(gradient);
    filled_[parameter] = true;
  }
  used_[parameter] = true;
  if (!launching_) return;
  --buckets_[bucket_of_[parameter]].missing;
  LaunchReady(/*all=*/false);
}

void GradientSum::Merge(int64_t begin, int64_t size, size_t top) {
  int64_t merges = deterministic_ ? MergesAfter(shards_, own_, shard_) : 0;
  for (; merges > 0; --merges, --top) {
    slots_[top - 1]
        .narrow(0, begin, size)
        .add_(slots_[top].narrow(0, begin, size));
  }
}

void GradientSum::LaunchReady(bool all) {
  while (next_bucket_ < buckets_.size() &&
         (all || buckets_[next_bucket_].missing == 0)) {
    Bucket* const bucket = &buckets_[next_bucket_++];
    for (const size_t parameter : bucket->parameters) {
      if (filled_[parameter]) continue;
      slots_[top_]
          .narrow(0, offsets_[parameter], parameters_[parameter].numel())
          .zero_();
    }
    Merge(bucket->begin, bucket->size, top_);
    if (group_ != nullptr && ranks_ > 1) Launch(bucket);
  }
}

void GradientSum::End() {
  running_ = false;
  if (!last_of_shard_) return;
  const at::NoGradGuard no_grad;
  if (launching_) {
    LaunchReady(/*all=*/true);
    launching_ = false;
    return;
  }
  if (!deterministic_) return;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (filled_[i]) continue;
    slots_[top_].narrow(0, offsets_[i], parameters_[i].numel()).zero_();
  }
  Merge(0, total_, top_);
  top_ = top_ + 1 - static_cast<size_t>(MergesAfter(shards_, own_, shard_));
}

void GradientSum::Launch(Bucket* bucket) {
  if (!deterministic_) {
    bucket->work = group_->StartAllReduce(Slice(0, *bucket));
    return;
  }
  const int64_t piece = bucket->size / ranks_;
  const std::vector<ShardRange>& own =
      nodes_[static_cast<size_t>(group_->rank())];
  at::Tensor sent = Slice(0, *bucket);
  if (own.size() > 1) {
    // For each rank its piece of every node.
    std::vector<at::Tensor> slices;
    for (size_t i = 0; i < own.size(); ++i) {
      slices.push_back(Slice(i, *bucket).view({ranks_, piece}));
    }
    sent = at::stack(slices, 1).flatten();
  }
  std::vector<int64_t> received;
  int64_t count = 0;
  for (const std::vector<ShardRange>& nodes : nodes_) {
    received.push_back(static_cast<int64_t>(nodes.size()) * piece);
    count += received.back();
  }
  if (!bucket->received.defined()) {
    bucket->received = at::empty(count, sent.options());
  }
  bucket->work = group_->StartAllToAll(
      sent,
      std::vector<int64_t>(static_cast<size_t>(ranks_),
                           static_cast<int64_t>(own.size()) * piece),
      bucket->received, received);
}

void GradientSum::SumPieces(Bucket* bucket, double scale) {
  const int64_t piece = bucket->size / ranks_;
  std::vector<ShardRange> nodes;
  for (const auto& of_rank : nodes_) {
    nodes.insert(nodes.end(), of_rank.begin(), of_rank.end());
  }
  size_t next = 0;
  // Left to right: the nodes stand in that order.
  const std::function<at::Tensor(int64_t, int64_t)> sum = [&](int64_t begin,
                                                              int64_t end) {
    if (nodes[next].begin == begin && nodes[next].end == end) {
      return bucket->received.narrow(0, static_cast<int64_t>(next++) * piece,
                                     piece);
    }
    const int64_t middle = Middle(begin, end);
    at::Tensor first = sum(begin, middle);
    return first.add_(sum(middle, end));
  };
  const at::Tensor own = sum(0, shards_).mul_(scale);
  bucket->work = group_->StartAllGather(own, Slice(0, *bucket));
}

std::vector<at::Tensor> GradientSum::Finish(double scale) {
  const at::NoGradGuard no_grad;
  shard_ = -1;
  if (group_ != nullptr && ranks_ > 1) {
    for (Bucket& bucket : buckets_) {
      group_->Wait(bucket.work, kWhat);
      if (deterministic_) SumPieces(&bucket, scale);
    }
    if (deterministic_) {
      for (const Bucket& bucket : buckets_) group_->Wait(bucket.work, kWhat);
    }
  }
  if (!deterministic_ || ranks_ == 1) slots_[0].mul_(scale);
  std::vector<at::Tensor> gradients;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    gradients.push_back(slots_[0]
                            .narrow(0, offsets_[i], parameters_[i].numel())
                            .view(parameters_[i].sizes()));
  }
  return gradients;
}

}  // namespace t2t
