#ifndef T2T_DISTRIBUTED_GRADIENT_SUM_H_
#define T2T_DISTRIBUTED_GRADIENT_SUM_H_

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "t2t/distributed/partition.h"
#include "t2t/distributed/process_group.h"
#include "t2t/distributed/reduction_tree.h"

namespace t2t {

// Sums the gradients of a step's batches over a job's ranks. They are written
// into buckets as the backward pass makes them (by hooks on the parameters),
// and a bucket is on its way to the other ranks as soon as it is full.
//
// Deterministic: the sum runs in the order of the tree, whatever the number of
// ranks: each shard of a bucket is added up by one rank, which has every rank's
// nodes of it, and given to all. Otherwise Gloo adds as it likes.
//
// With an owner for every number (ZeRO) the sum is not given to all: its owner
// alone has it. With `release`, too, a rank keeps no more than its own shard:
// each batch's buckets go to the owners at once, and their memory is freed.
class GradientSum {
 public:
  struct Options {
    // At most; and a sixteenth of all gradients (or 128 KiB).
    int64_t bucket_bytes = 4 << 20;
    bool deterministic = false;
    // Gradients travel as bf16 and are added up in fp32; not deterministic.
    bool bf16 = false;
    // Of the ranks, kOwners, for ZeRO; null: every rank has the whole sum.
    std::shared_ptr<const Partition> owners;
    bool release = false;
    // With release: a bucket goes on its way with Complete(), not when it is
    // full, so that every rank does it at the same point between what else the
    // ranks do together. A rank without a batch in the last round calls
    // Accompany().
    bool in_step = false;
  };
  using Run = Partition::Run;

  // group: null where there is one process.
  GradientSum(std::vector<at::Tensor> parameters, int64_t batches,
              ProcessGroup* group, const Options& options);
  ~GradientSum();
  GradientSum(const GradientSum&) = delete;
  GradientSum& operator=(const GradientSum&) = delete;

  // This rank's, in order.
  const std::vector<int64_t>& own_batches() const { return own_; }

  // Runs a backward pass of a batch, whose gradients torch::autograd::grad()
  // makes: what it returns are zeros that take no memory. Batches come in
  // order, from the first to the last.
  template <typename F>
  void Backward(int64_t batch, const F& run) {
    Begin(batch);
    run();
    End();
  }

  // With in_step. Out of a backward pass: no further gradient of these buckets'
  // parameters comes in it.
  void Complete(const std::vector<size_t>& buckets);
  // Whether the other ranks have a batch more.
  bool lacks_batch() const {
    return release_ &&
           own_.back() - static_cast<int64_t>(rank()) + ranks_ < batches_;
  }
  // After all of this rank's batches: runs a backward pass whose gradients
  // count for nothing beside the others' last ones.
  template <typename F>
  void Accompany(const F& run) {
    BeginAccompanying();
    run();
    End();
    accompanies_ = false;
  }

  // Which parameters had a gradient in this step, here.
  const std::vector<bool>& used() const { return used_; }

  // What Finish() returns the sums of: all parameters, or this rank's runs.
  const std::vector<Run>& runs() const { return runs_; }
  // After the last backward pass: the sum over all batches, times `scale`, for
  // each run (1-D where that is less than a parameter): views of the buckets,
  // valid until the next step.
  std::vector<at::Tensor> Finish(double scale);

  // Bytes of gradients held now, and the most since the start.
  int64_t bytes() const;
  int64_t peak_bytes() const { return peak_bytes_; }

 private:
  struct Bucket {
    size_t missing = 0;  // parameters without a gradient yet
    ProcessGroup::Work work;
    at::Tensor sent;
    at::Tensor received;  // every rank's nodes of this rank's shard
    // With release: the gradient under way; the tree's nodes of this rank's
    // shard, from the left, and how many batches they are the sum of.
    at::Tensor gradient;
    std::vector<at::Tensor> nodes;
    int64_t summed = 0;
    int64_t launched = 0;  // batches that were sent
  };

  bool distributed() const { return ranks_ > 1; }
  size_t rank() const {
    return group_ == nullptr ? 0 : static_cast<size_t>(group_->rank());
  }
  // Which micro-batches, nodes of the tree and runs of gradients are this
  // rank's.
  void ShareOut();
  void Begin(int64_t batch);
  void BeginAccompanying();
  void BeginRound();
  void End();
  // Copies a parameter's gradient into its bucket and returns a stand-in of
  // zeros for the rest of the graph. So the gradient's memory is free at once,
  // and the next gradient finds it in the processor's cache.
  at::Tensor TakeGradient(size_t parameter, const at::Tensor& gradient);
  at::Tensor StandIn(const at::Tensor& gradient);
  // A view of the bucket, where a parameter's gradient of the batch under way
  // goes.
  at::Tensor GradientView(size_t parameter);
  void FillUnused(const std::vector<size_t>& parameters);
  void LaunchReady(bool all);
  void Launch(size_t bucket);
  // With release: sends this round's batch of a bucket, if there is one here.
  void LaunchBatch(size_t bucket);
  // With owners: takes in what the others have sent of a bucket.
  void Absorb(size_t bucket);
  void AddNodes(size_t bucket);
  // So that no more than a few buckets need memory.
  void LimitUnderWay();
  void Exchange(size_t bucket, const std::vector<int64_t>& sent,
                const std::vector<int64_t>& received);
  // The sum of every rank's nodes of this rank's shard.
  at::Tensor SumOfNodes(const Bucket& bucket, int64_t shard) const;
  // This rank's shard of the sum.
  at::Tensor OwnShard(size_t bucket) const;
  // Without owners, of the bucket that was sent first: each rank's sums, to
  // all.
  void Gather();
  // Of the bucket whose sums were: they are here.
  void TakeGathered();
  at::Tensor Received(const Bucket& bucket, int64_t begin, int64_t size) const;
  // A bucket in a flat buffer.
  at::Tensor Slice(size_t slot, size_t bucket) const {
    const Partition::Bucket& extent = partition_->buckets()[bucket];
    return slots_[slot].narrow(0, extent.begin, extent.size);
  }
  // Adds up the finished batch and those before it, as the tree has it.
  void Merge(int64_t begin, int64_t size, size_t top);
  void NotePeak() { peak_bytes_ = std::max(peak_bytes_, bytes()); }

  const std::vector<at::Tensor> parameters_;
  const int64_t batches_;
  ProcessGroup* const group_;
  const int64_t ranks_;
  const bool deterministic_;
  const bool bf16_;
  const std::shared_ptr<const Partition> partition_;
  const bool owners_;   // of each number, who alone has the sum
  const bool release_;  // and of each batch at once
  const bool in_step_;
  // With all_to_all_: nodes of a tree over so many leaves, by rank.
  const bool all_to_all_;
  int64_t leaves_ = 0;
  std::vector<std::vector<BatchRange>> nodes_;
  std::vector<int64_t> own_;
  std::vector<Run> runs_;
  std::vector<Bucket> buckets_;
  // Flat buffers: batches and nodes that are not added up yet.
  std::vector<at::Tensor> slots_;
  std::vector<unsigned> hooks_;
  at::Tensor stand_in_;  // one zero
  int64_t peak_bytes_ = 0;

  // Of the step.
  size_t top_ = 0;  // the slot of the batch under way
  int64_t batch_ = -1;
  bool running_ = false;
  bool launching_ = false;
  bool accompanies_ = false;
  size_t next_bucket_ = 0;
  // With all_to_all_: buckets whose shards, or whose sums, are on their way.
  std::deque<size_t> under_way_;
  std::deque<size_t> gathering_;
  std::vector<bool> filled_;
  std::vector<bool> used_;
};

}  // namespace t2t

#endif  // T2T_DISTRIBUTED_GRADIENT_SUM_H_
