#ifndef T2T_INPUT_BATCHING_H_
#define T2T_INPUT_BATCHING_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace t2t {

// T2T's table of length buckets and their batch sizes: bucket i takes the
// lengths below boundaries[i] (and not below boundaries[i - 1]); the last one
// all longer ones.
struct BatchingScheme {
  std::vector<int64_t> boundaries;
  std::vector<int64_t> batch_sizes;  // one more than boundaries
  int64_t min_length = 0;
  int64_t max_length = 0;
  int64_t shuffle_queue_size = 0;  // batches

  // The bucket of a length.
  size_t Bucket(int64_t length) const;
};

// max_length 0 means batch_size. The batch sizes are rounded down to divisors
// of one highly composite number, as T2T does. Throws a usage error where the
// numbers make no table.
BatchingScheme MakeBatchingScheme(int64_t batch_size, int64_t max_length,
                                  int64_t min_length_bucket,
                                  double length_bucket_step,
                                  bool drop_long_sequences = false,
                                  int64_t shard_multiplier = 1,
                                  int64_t length_multiplier = 1,
                                  int64_t min_length = 0);

// A half-open range of indices.
struct Range {
  size_t begin = 0;
  size_t end = 0;

  size_t size() const { return end - begin; }
  bool operator==(const Range&) const = default;
};

// Cuts examples that come by rising length into batches as full as `tokens`
// (a batch's size times its longest length) allows; one longer than `tokens`
// is a batch of its own. Without `flush` a last batch that could take more is
// left out.
std::vector<Range> CutByTokens(const std::vector<int64_t>& lengths,
                               int64_t tokens, bool flush);

// First-fit packing of examples into rows (T2T's pack_examples and
// pack_dataset): an example goes into the oldest open row with room in each of
// its features; with `queue_size` rows open and none fitting, the oldest is
// closed.
class Packer {
 public:
  // spacing: zeros between two examples.
  Packer(int64_t row_length, size_t queue_size, int64_t spacing = 0);

  // lengths: of each feature that is packed. Returns the row that this closes
  // (indices in the order of adding), or nothing.
  std::vector<size_t> Add(size_t index, const std::vector<int64_t>& lengths);
  // The rows still open, oldest first.
  std::vector<std::vector<size_t>> Finish();

 private:
  int64_t row_length_;
  size_t queue_size_;
  int64_t spacing_;
  // The open rows, oldest first: their examples, and how much of each feature
  // is used (all rows' one after another).
  std::vector<std::vector<size_t>> open_;
  std::vector<int64_t> used_;
};

}  // namespace t2t

#endif  // T2T_INPUT_BATCHING_H_
