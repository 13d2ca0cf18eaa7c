#include "t2t/input/batching.h"

#include <algorithm>
#include <string>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

// Of T2T's table.
constexpr int64_t kHighlyComposite[] = {
    1,        2,        4,        6,        12,       24,       36,
    48,       60,       120,      180,      240,      360,      720,
    840,      1260,     1680,     2520,     5040,     7560,     10080,
    15120,    20160,    25200,    27720,    45360,    50400,    55440,
    83160,    110880,   166320,   221760,   277200,   332640,   498960,
    554400,   665280,   720720,   1081080,  1441440,  2162160,  2882880,
    3603600,  4324320,  6486480,  7207200,  8648640,  10810800, 14414400,
    17297280, 21621600, 32432400, 36756720, 43243200, 61261200, 73513440,
    110270160};

std::vector<int64_t> Boundaries(int64_t max_length, int64_t min_length,
                                double step) {
  std::vector<int64_t> boundaries;
  int64_t x = min_length;
  while (x < max_length) {
    boundaries.push_back(x);
    x = std::max(x + 1, static_cast<int64_t>(static_cast<double>(x) * step));
  }
  return boundaries;
}

int64_t LargestDivisorUpTo(int64_t number, int64_t limit) {
  int64_t best = 1;
  for (int64_t d = 1; d * d <= number; ++d) {
    if (number % d != 0) continue;
    if (d <= limit) best = std::max(best, d);
    if (number / d <= limit) best = std::max(best, number / d);
  }
  return best;
}

}  // namespace

size_t BatchingScheme::Bucket(int64_t length) const {
  return std::upper_bound(boundaries.begin(), boundaries.end(), length) -
         boundaries.begin();
}

BatchingScheme MakeBatchingScheme(
    int64_t batch_size, int64_t max_length, int64_t min_length_bucket,
    double length_bucket_step, bool drop_long_sequences,
    int64_t shard_multiplier, int64_t length_multiplier, int64_t min_length) {
  if (batch_size < 1) {
    throw UsageError("batch_size=" + std::to_string(batch_size), "at least 1");
  }
  if (max_length <= 0) max_length = batch_size;
  if (max_length < min_length) {
    throw UsageError("max_length=" + std::to_string(max_length) +
                         " is below min_length=" + std::to_string(min_length),
                     "max_length >= min_length");
  }
  if (!(length_bucket_step > 1.0)) {
    throw UsageError("length_bucket_step=" + DoubleToString(length_bucket_step),
                     "more than 1.0");
  }
  if (min_length_bucket < 1) {
    throw UsageError("min_length_bucket=" + std::to_string(min_length_bucket),
                     "at least 1");
  }
  BatchingScheme scheme;
  scheme.boundaries =
      Boundaries(max_length, min_length_bucket, length_bucket_step);
  for (int64_t& boundary : scheme.boundaries) boundary *= length_multiplier;
  max_length *= length_multiplier;

  std::vector<int64_t> lengths = scheme.boundaries;
  lengths.push_back(max_length);
  for (const int64_t length : lengths) {
    scheme.batch_sizes.push_back(std::max<int64_t>(1, batch_size / length));
  }
  const int64_t largest =
      *std::max_element(scheme.batch_sizes.begin(), scheme.batch_sizes.end());
  int64_t window = 1;
  for (const int64_t number : kHighlyComposite) {
    if (number <= 3 * largest) window = number;
  }
  for (int64_t& size : scheme.batch_sizes) {
    size = LargestDivisorUpTo(window, size) * shard_multiplier;
  }
  window *= shard_multiplier;
  const int64_t smallest =
      *std::min_element(scheme.batch_sizes.begin(), scheme.batch_sizes.end());
  scheme.shuffle_queue_size = window / smallest * 3;
  scheme.min_length = min_length;
  scheme.max_length = drop_long_sequences ? max_length : 1000000000;
  return scheme;
}

std::vector<Range> CutByTokens(const std::vector<int64_t>& lengths,
                               int64_t tokens, bool flush) {
  std::vector<Range> batches;
  Range batch;
  int64_t longest = 1;
  for (size_t i = 0; i < lengths.size(); ++i) {
    const int64_t longest_with = std::max(longest, lengths[i]);
    const auto size_with = static_cast<int64_t>(batch.size()) + 1;
    if (batch.size() > 0 && size_with * longest_with > tokens) {
      batches.push_back(batch);
      batch = {i, i};
      longest = std::max<int64_t>(1, lengths[i]);
    } else {
      longest = longest_with;
    }
    batch.end = i + 1;
  }
  // Nothing still to come is shorter, so this one may be full already.
  const bool full = static_cast<int64_t>(batch.size() + 1) * longest > tokens;
  if (batch.size() > 0 && (flush || full)) batches.push_back(batch);
  return batches;
}

Packer::Packer(int64_t row_length, size_t queue_size, int64_t spacing)
    : row_length_(row_length), queue_size_(queue_size), spacing_(spacing) {}

std::vector<size_t> Packer::Add(size_t index,
                                const std::vector<int64_t>& lengths) {
  const size_t features = lengths.size();
  for (size_t row = 0; row < open_.size(); ++row) {
    int64_t* used = used_.data() + row * features;
    bool fits = true;
    for (size_t f = 0; f < features; ++f) {
      fits = fits && used[f] + spacing_ + lengths[f] <= row_length_;
    }
    if (!fits) continue;
    open_[row].push_back(index);
    for (size_t f = 0; f < features; ++f) used[f] += spacing_ + lengths[f];
    return {};
  }
  std::vector<size_t> closed;
  if (open_.size() == queue_size_) {
    closed = std::move(open_.front());
    open_.erase(open_.begin());
    used_.erase(used_.begin(),
                used_.begin() + static_cast<std::ptrdiff_t>(features));
  }
  open_.push_back({index});
  used_.insert(used_.end(), lengths.begin(), lengths.end());
  return closed;
}

std::vector<std::vector<size_t>> Packer::Finish() {
  std::vector<std::vector<size_t>> rows = std::move(open_);
  open_.clear();
  used_.clear();
  return rows;
}

}  // namespace t2t
