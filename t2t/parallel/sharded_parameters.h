#ifndef T2T_PARALLEL_SHARDED_PARAMETERS_H_
#define T2T_PARALLEL_SHARDED_PARAMETERS_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "t2t/distributed/partition.h"
#include "t2t/distributed/process_group.h"
#include "t2t/nn/fsdp.h"

namespace t2t {

// ZeRO stage 3, also called fully sharded data parallelism (FSDP): a rank keeps
// its own runs of the parameters alone. The parameters of an FSDP unit are
// gathered from all ranks before the unit's forward pass and again before its
// backward pass, and their memory is freed after each. The next unit is on its
// way meanwhile. Parameters of no unit are there throughout a step.
//
// All ranks enter the same units in the same order. What is written into a
// parameter between the steps is lost.
class ShardedParameters : public FsdpHooks {
 public:
  // Partition::Options::groups for parameters of these names.
  static std::vector<int64_t> Groups(const std::vector<std::string>& names,
                                     const std::vector<std::string>& units);

  // The partition has the groups. Where rank 0's parameters have memory, it has
  // all of it until DropWhole(), and the values, which come to the others with
  // Scatter().
  ShardedParameters(std::vector<at::Tensor> parameters,
                    const std::vector<int64_t>& groups,
                    std::vector<std::string> units,
                    std::shared_ptr<const Partition> partition,
                    ProcessGroup* group);
  ~ShardedParameters() override;

  // This rank's runs (Partition::RunsOf()), 1-D: to be updated.
  const std::vector<at::Tensor>& own() const { return own_; }

  // Between steps, each rank for itself: this rank's runs, and on rank 0 all,
  // as drawn. (Without a draw all of rank 0's have memory, but no values.)
  using Draw = std::function<at::Tensor(size_t parameter)>;
  void DrawOwn(const Draw& draw);
  void MakeWhole(const Draw& draw);
  // Between steps, on all ranks: rank 0's parameters to their owners; the
  // owners' runs to rank 0, which then has all parameters.
  void Scatter();
  void GatherToFirst();
  // Frees what rank 0 has of all.
  void DropWhole();

  // Called within a backward pass: the gradients of these buckets' parameters
  // have all been made.
  using AfterBackward = std::function<void(const std::vector<size_t>& buckets)>;
  void set_after_backward(AfterBackward done) { done_ = std::move(done); }

  // Around a step, and after each backward pass.
  void BeginStep();
  void EndPass();
  void EndStep();

  at::Tensor Enter(const std::string& unit, const at::Tensor& x) override;
  at::Tensor Leave(const std::string& unit, const at::Tensor& x) override;
  at::Tensor Join(const std::vector<at::Tensor>& parameters,
                  int64_t dim) override;

  // For the backward pass.
  void BackwardEnters(size_t unit);
  void BackwardLeaves(size_t unit);

  // Bytes of parameters held now (with what is under way, and without what
  // rank 0 holds between steps), and the most in a step.
  int64_t bytes() const { return bytes_; }
  int64_t peak_bytes() const { return peak_bytes_; }
  int64_t own_bytes() const;

 private:
  enum class State { kAway, kComing, kHere };
  struct Bucket {
    at::Tensor all;  // what its parameters share; its memory comes and goes
    at::Tensor own;  // this rank's shard
    at::Tensor sent;
    ProcessGroup::Work work;
  };
  struct Joined {
    at::Tensor tensor;
    std::vector<at::Tensor> parts;
    int64_t dim;
  };
  struct Unit {
    std::vector<size_t> buckets;
    State state = State::kAway;
    std::vector<Joined> joined;
  };

  size_t IndexOf(const std::string& unit) const;
  int64_t ShardSize(size_t bucket, int64_t rank) const {
    return partition_->buckets()[bucket].shard_size(static_cast<size_t>(rank));
  }
  void Start(Unit* unit);
  void Need(Unit* unit);
  // Its parameters alone, or with what was joined.
  void Free(Unit* unit);
  void DropJoined(Unit* unit);
  void Restore(const at::Tensor& tensor);
  void Drop(const at::Tensor& tensor);
  void Count(int64_t bytes);

  const std::vector<at::Tensor> parameters_;
  const std::vector<std::string> names_;
  const std::shared_ptr<const Partition> partition_;
  // For these alone, so that nothing else comes between.
  const std::unique_ptr<ProcessGroup> group_;
  std::vector<Bucket> buckets_;
  const at::Device device_;
  std::vector<at::Tensor> own_;
  // The first is what is in no unit; then one for each name.
  std::vector<Unit> units_;
  size_t entered_ = 0;  // 0: none
  bool whole_ = false;  // rank 0 has all
  AfterBackward done_;
  int64_t bytes_ = 0;
  int64_t peak_bytes_ = 0;
};

}  // namespace t2t

#endif  // T2T_PARALLEL_SHARDED_PARAMETERS_H_
