#ifndef T2T_DIST_GRADIENT_SUM_H_
#define T2T_DIST_GRADIENT_SUM_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "t2t/dist/process_group.h"

namespace t2t {

// [begin, end) of a step's shards.
struct ShardRange {
  int64_t begin;
  int64_t end;
  int64_t size() const { return end - begin; }
};
// Rank's part: neighbouring shards, as even as it goes.
ShardRange ShardsOfRank(int64_t shards, int64_t size, int64_t rank);

// The fixed binary tree by which shards are added up: a node [begin, end) is
// its first half plus its second, the first one being the larger. The largest
// nodes that lie within a range, in order.
std::vector<ShardRange> TreeNodes(int64_t shards, ShardRange range);

// Sums the gradients of a step's shards over a job's ranks. They are written
// into buckets as the backward pass makes them (by hooks on the parameters),
// and a bucket is on its way to the other ranks as soon as it is full.
//
// Deterministic: the sum runs in the order of the tree, whatever the number of
// ranks: each piece of a bucket is added up by one rank, which has every
// rank's nodes of it, and given to all. Otherwise Gloo adds as it likes.
class GradientSum {
 public:
  struct Options {
    int64_t bucket_bytes = 4 << 20;
    bool deterministic = false;
  };

  // group: null where there is one process.
  GradientSum(std::vector<at::Tensor> parameters, int64_t shards,
              ProcessGroup* group, const Options& options);
  ~GradientSum();
  GradientSum(const GradientSum&) = delete;
  GradientSum& operator=(const GradientSum&) = delete;

  ShardRange own_shards() const { return own_; }

  // Runs a backward pass of a shard, whose gradients torch::autograd::grad()
  // makes. Shards come in order, from the first to the last; those of one
  // shard are added up. last: no other of this shard comes.
  template <typename F>
  void Backward(int64_t shard, bool last, const F& run) {
    Begin(shard, last);
    run();
    End();
  }

  // Which parameters had a gradient in this step, here.
  const std::vector<bool>& used() const { return used_; }

  // After the last backward pass: the sum over all shards, times `scale`, for
  // each parameter: views of the buckets, valid until the next step.
  std::vector<at::Tensor> Finish(double scale);

 private:
  struct Bucket {
    int64_t begin = 0;  // in a flat buffer
    int64_t size = 0;   // a multiple of the number of ranks
    std::vector<size_t> parameters;
    size_t missing = 0;  // parameters without a gradient yet
    ProcessGroup::Work work;
    at::Tensor received;  // every rank's nodes of this rank's piece
  };

  void MakeBuckets(int64_t bucket_bytes);
  void Begin(int64_t shard, bool last);
  void End();
  void TakeGradient(size_t parameter, const at::Tensor& gradient);
  void LaunchReady(bool all);
  void Launch(Bucket* bucket);
  void SumPieces(Bucket* bucket, double scale);
  at::Tensor Slice(size_t slot, const Bucket& bucket) const {
    return slots_[slot].narrow(0, bucket.begin, bucket.size);
  }
  // Adds up the finished shard and those before it, as the tree has it.
  void Merge(int64_t begin, int64_t size, size_t top);

  const std::vector<at::Tensor> parameters_;
  const int64_t shards_;
  ProcessGroup* const group_;
  const int64_t ranks_;
  const bool deterministic_;
  const ShardRange own_;
  std::vector<std::vector<ShardRange>> nodes_;  // by rank
  std::vector<int64_t> offsets_;                // by parameter
  std::vector<size_t> bucket_of_;               // by parameter
  std::vector<Bucket> buckets_;
  int64_t total_ = 0;
  // Flat buffers: shards and nodes that are not added up yet.
  std::vector<at::Tensor> slots_;
  std::vector<unsigned> hooks_;

  // Of the step.
  size_t top_ = 0;  // the slot of the shard under way
  int64_t shard_ = -1;
  bool running_ = false;
  bool shard_is_new_ = true;
  bool last_of_shard_ = false;
  bool launching_ = false;
  size_t next_bucket_ = 0;
  std::vector<bool> filled_;
  std::vector<bool> used_;
};

}  // namespace t2t

#endif  // T2T_DIST_GRADIENT_SUM_H_
