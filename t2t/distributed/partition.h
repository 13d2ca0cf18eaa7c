#ifndef T2T_DISTRIBUTED_PARTITION_H_
#define T2T_DISTRIBUTED_PARTITION_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace t2t {

// How one flat buffer of all gradients is cut into gradient buckets, and each
// bucket into a shard for every rank. Parameters lie in the buffer from the
// last to the first, as a backward pass comes to them.
class Partition {
 public:
  enum class Shards {
    kEven,    // of equal length, so that ranks add up equally much
    kOwners,  // the parameters, or runs of them, that a rank updates (ZeRO)
  };
  struct Options {
    int64_t bucket_bytes = 4 << 20;
    int64_t ranks = 1;
    Shards shards = Shards::kEven;
    // With kOwners: a parameter may be cut at multiples of this; 0: nowhere.
    int64_t cut = 0;
    // By parameter: a bucket holds those of one group. The greatest group comes
    // first. Empty: there is one.
    std::vector<int64_t> groups;
  };
  struct Bucket {
    int64_t begin = 0;  // in the flat buffer
    int64_t size = 0;
    std::vector<size_t> parameters;
    std::vector<int64_t> bounds;  // ranks + 1, from 0 to size

    int64_t shard_size(size_t rank) const {
      return bounds[rank + 1] - bounds[rank];
    }
  };
  // Neighbouring numbers of one parameter.
  struct Run {
    size_t parameter;
    int64_t begin;
    int64_t size;
  };

  // sizes: of the parameters, in numbers.
  Partition(std::vector<int64_t> sizes, const Options& options);

  int64_t ranks() const { return options_.ranks; }
  // Of the flat buffer; parameters are padded.
  int64_t total() const { return total_; }
  const std::vector<Bucket>& buckets() const { return buckets_; }
  size_t bucket_of(size_t parameter) const { return bucket_of_[parameter]; }
  int64_t offset(size_t parameter) const { return offsets_[parameter]; }
  const std::vector<int64_t>& sizes() const { return sizes_; }
  // The runs that a rank updates, at most one of each parameter, in the order
  // of the parameters. Its shard of each bucket holds just these (and padding).
  std::vector<Run> RunsOf(int64_t rank) const;

 private:
  // The parameters as they lie in the buffer, but for those of one bucket.
  std::vector<size_t> Order() const;
  int64_t GroupOf(size_t parameter) const {
    return options_.groups.empty() ? 0 : options_.groups[parameter];
  }
  int64_t Padded(size_t parameter) const;
  void SetEvenBounds(Bucket* bucket) const;
  // before: the numbers that each rank has in the buckets before; counted on.
  void SetCutBounds(Bucket* bucket, std::vector<int64_t>* before) const;
  // Whole parameters, by owner.
  void SetOwnerBounds(const std::vector<size_t>& owners, Bucket* bucket);
  // The largest first, each to the rank that has the least.
  std::vector<size_t> WholeOwners() const;

  const std::vector<int64_t> sizes_;
  const Options options_;
  std::vector<int64_t> offsets_;   // by parameter
  std::vector<size_t> bucket_of_;  // by parameter
  std::vector<Bucket> buckets_;
  int64_t total_ = 0;
};

}  // namespace t2t

#endif  // T2T_DISTRIBUTED_PARTITION_H_
