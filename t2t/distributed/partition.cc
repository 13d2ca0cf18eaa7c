#include "t2t/distributed/partition.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <utility>

namespace t2t {
namespace {

// Gradients begin at cache lines, as tensors of their own do.
constexpr int64_t kAlignment = 16;

int64_t RoundUp(int64_t value, int64_t unit) {
  return (value + unit - 1) / unit * unit;
}

}  // namespace

Partition::Partition(std::vector<int64_t> sizes, const Options& options)
    : sizes_(std::move(sizes)),
      options_(options),
      offsets_(sizes_.size(), 0),
      bucket_of_(sizes_.size(), 0) {
  const bool whole = options.shards == Shards::kOwners && options.cut == 0;
  const std::vector<size_t> owners =
      whole ? WholeOwners() : std::vector<size_t>();
  std::vector<int64_t> before(static_cast<size_t>(options.ranks), 0);
  const auto close = [&](Bucket* bucket) {
    bucket->begin = total_;
    if (whole) {
      std::stable_sort(
          bucket->parameters.begin(), bucket->parameters.end(),
          [&](size_t a, size_t b) { return owners[a] < owners[b]; });
    }
    for (const size_t i : bucket->parameters) {
      offsets_[i] = total_;
      bucket_of_[i] = buckets_.size();
      total_ += Padded(i);
    }
    if (options.shards == Shards::kEven) {
      total_ = bucket->begin +
               RoundUp(total_ - bucket->begin, options.ranks * kAlignment);
    }
    bucket->size = total_ - bucket->begin;
    if (options.shards == Shards::kEven) {
      SetEvenBounds(bucket);
    } else if (whole) {
      SetOwnerBounds(owners, bucket);
    } else {
      SetCutBounds(bucket, &before);
    }
    buckets_.push_back(std::move(*bucket));
  };
  Bucket bucket;
  int64_t bytes = 0;
  for (const size_t i : Order()) {
    if (!bucket.parameters.empty() &&
        (bytes >= options.bucket_bytes ||
         GroupOf(i) != GroupOf(bucket.parameters.back()))) {
      close(&bucket);
      bucket = Bucket();
      bytes = 0;
    }
    bucket.parameters.push_back(i);
    bytes += Padded(i) * static_cast<int64_t>(sizeof(float));
  }
  if (!bucket.parameters.empty()) close(&bucket);
}

std::vector<size_t> Partition::Order() const {
  std::vector<size_t> order(sizes_.size());
  std::iota(order.rbegin(), order.rend(), 0);
  std::stable_sort(order.begin(), order.end(), [this](size_t a, size_t b) {
    return GroupOf(a) > GroupOf(b);
  });
  return order;
}

int64_t Partition::Padded(size_t parameter) const {
  return RoundUp(sizes_[parameter], kAlignment);
}

void Partition::SetEvenBounds(Bucket* bucket) const {
  for (int64_t rank = 0; rank <= options_.ranks; ++rank) {
    bucket->bounds.push_back(bucket->size / options_.ranks * rank);
  }
}

void Partition::SetCutBounds(Bucket* bucket,
                             std::vector<int64_t>* before) const {
  // Where it may be cut, and the numbers that lie before.
  std::vector<std::pair<int64_t, int64_t>> cuts;
  int64_t count = 0;
  for (const size_t i : bucket->parameters) {
    const int64_t offset = offsets_[i] - bucket->begin;
    for (int64_t at = 0; at < sizes_[i]; at += options_.cut) {
      cuts.emplace_back(offset + at, count + at);
    }
    count += sizes_[i];
  }
  cuts.emplace_back(bucket->size, count);
  int64_t all = count;
  for (const int64_t numbers : *before) all += numbers;
  bucket->bounds.push_back(0);
  int64_t first_ranks = 0;  // what the ranks so far have in the buckets before
  int64_t last_count = 0;
  size_t cut = 0;
  for (int64_t rank = 0; rank < options_.ranks; ++rank) {
    first_ranks += (*before)[static_cast<size_t>(rank)];
    // The cut that leaves the ranks so far nearest to their share of all.
    const int64_t wanted = all * (rank + 1) / options_.ranks - first_ranks;
    const auto off = [&](size_t i) {
      return std::abs(cuts[i].second - wanted);
    };
    while (cut + 1 < cuts.size() && off(cut + 1) <= off(cut)) ++cut;
    if (rank + 1 == options_.ranks) cut = cuts.size() - 1;
    bucket->bounds.push_back(cut == 0 ? 0 : cuts[cut].first);
    (*before)[static_cast<size_t>(rank)] += cuts[cut].second - last_count;
    last_count = cuts[cut].second;
  }
}

std::vector<size_t> Partition::WholeOwners() const {
  std::vector<size_t> order(sizes_.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return sizes_[a] > sizes_[b]; });
  std::vector<int64_t> load(static_cast<size_t>(options_.ranks), 0);
  std::vector<size_t> owners(sizes_.size());
  for (const size_t i : order) {
    const auto least = std::min_element(load.begin(), load.end());
    owners[i] = static_cast<size_t>(least - load.begin());
    *least += sizes_[i];
  }
  return owners;
}

void Partition::SetOwnerBounds(const std::vector<size_t>& owners,
                               Bucket* bucket) {
  bucket->bounds.assign(static_cast<size_t>(options_.ranks) + 1, 0);
  for (const size_t i : bucket->parameters) {
    bucket->bounds[owners[i] + 1] += Padded(i);
  }
  std::partial_sum(bucket->bounds.begin(), bucket->bounds.end(),
                   bucket->bounds.begin());
}

std::vector<Partition::Run> Partition::RunsOf(int64_t rank) const {
  std::vector<Run> runs;
  for (const Bucket& bucket : buckets_) {
    const int64_t part_begin =
        bucket.begin + bucket.bounds[static_cast<size_t>(rank)];
    const int64_t part_end =
        bucket.begin + bucket.bounds[static_cast<size_t>(rank) + 1];
    for (const size_t i : bucket.parameters) {
      const int64_t begin = std::max(part_begin, offsets_[i]);
      const int64_t end = std::min(part_end, offsets_[i] + sizes_[i]);
      if (begin < end) runs.push_back({i, begin - offsets_[i], end - begin});
    }
  }
  std::sort(runs.begin(), runs.end(), [](const Run& a, const Run& b) {
    return a.parameter < b.parameter;
  });
  return runs;
}

}  // namespace t2t
