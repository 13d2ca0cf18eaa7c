#ifndef T2T_TRAIN_SHARDED_OPTIMIZER_H_
#define T2T_TRAIN_SHARDED_OPTIMIZER_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "t2t/checkpoint/checkpoint.h"
#include "t2t/distributed/partition.h"
#include "t2t/distributed/process_group.h"
#include "t2t/hparams/hparams.h"
#include "t2t/optim/moving_average.h"
#include "t2t/optim/optimizer.h"

namespace t2t {

// ZeRO's optimizer (Rajbhandari et al. 2019, arXiv:1910.02054): each rank of a
// group holds the optimizer state and the moving averages of its own runs of
// the parameters, updates these and sends them to the others. To the last bit
// the result of one Optimizer of all parameters. All ranks make the same calls
// in the same order.
class ShardedOptimizer {
 public:
  using State = std::map<std::string, at::Tensor>;

  // Which rank owns which runs of the parameters; for the gradients' sum, too.
  // groups: Partition::Options's. Throws a UsageError for an optimizer whose
  // state can't be sharded.
  static std::shared_ptr<const Partition> MakePartition(
      const HParams& hparams, const std::vector<NamedTensor>& parameters,
      int64_t ranks, int64_t bucket_bytes, std::vector<int64_t> groups = {});

  // ema_decay: of the moving averages; 0: none. own: this rank's runs of the
  // parameters, where it keeps nothing else of them between steps (stage 3);
  // empty: every rank keeps all parameters.
  ShardedOptimizer(const HParams& hparams, std::vector<NamedTensor> parameters,
                   std::shared_ptr<const Partition> partition,
                   ProcessGroup* group, double ema_decay,
                   const std::vector<at::Tensor>& own = {});

  // Tensor parallelism: the parameters are shards of the model's, or replicas.
  // total: as Optimizer::Step() takes it, of all of this rank's parameters.
  void SetShards(const OptimizerShards* shards, Optimizer::TotalSquares total) {
    shards_ = shards;
    total_ = std::move(total);
  }

  void AddWeightNoise(double learning_rate);
  // As Optimizer::Step() and MovingAverage::Update(). gradients: of this rank's
  // runs; used: which parameters have one, by any rank.
  double Step(const std::vector<at::Tensor>& gradients,
              const std::vector<bool>& used, double learning_rate,
              int64_t step);

  // Exchanges the moving averages, where there are any, and the parameters (of
  // stage 3, this rank's runs of them); twice is nothing.
  void SwapAverages();

  // Whole tensors on rank 0, as one Optimizer and one MovingAverage have them;
  // nothing on the others.
  State GatherState() const;
  State GatherAverages() const;
  // Gives each rank its shard of rank 0's whole tensors; null there: all start
  // anew (the averages: from the parameters). A tensor that is missing or of
  // another shape is a MismatchError on the rank that needs it.
  void ScatterState(const State* whole);
  void ScatterAverages(const State* whole);

  // This rank's shards (views, not copies), by the names of the whole tensors.
  using ShardMap = std::map<std::string, TensorShard>;
  ShardMap StateShards() const { return ShardsOf(optimizer_->State()); }
  ShardMap AverageShards() const {
    return average_ == nullptr ? ShardMap() : ShardsOf(average_->State());
  }
  ShardMap ParameterShards() const;

  // Of this rank, without averages.
  int64_t StateBytes() const { return optimizer_->StateBytes(); }

 private:
  void AddGradientNoise(const std::vector<bool>& used,
                        std::vector<at::Tensor>* gradients) const;
  double TotalSquares(const std::vector<double>& own) const;
  // A bucket of parameters on its way from its owners to all.
  struct Gathering {
    size_t bucket;
    ProcessGroup::Work work;
    at::Tensor sent;
    at::Tensor received;
  };
  void GatherParameters();
  Gathering StartGathering(size_t bucket) const;
  void FinishGathering(const Gathering& gathering) const;
  // Calls copy(the parameter's numbers, those of the bucket) for the runs of a
  // rank in a bucket; `begin` is where the flat tensor begins in the bucket.
  void ForRuns(size_t owner, size_t bucket, const at::Tensor& flat,
               int64_t begin,
               const std::function<void(const at::Tensor& parameter,
                                        const at::Tensor& flat)>& copy) const;
  ShardMap ShardsOf(const State& own) const;
  TensorPlace PlaceOf(const Partition::Run& run) const;
  // Whole tensors out of the ranks' shards, on rank 0.
  State Gather(const State& own) const;
  // Calls take with each entry of rank 0's, on all ranks; false where there
  // are none.
  bool ForEach(const State* whole,
               const std::function<void(const std::string&, const at::Tensor&)>&
                   take) const;
  // Puts this rank's shard of `whole` into *taken, for the entries of own.
  bool TakeShard(const State* whole, const State& own, State* taken) const;
  // Of "<slot>/<name>", or of "<name>".
  size_t ParameterOf(const std::string& key) const;
  // The run that a rank has of a parameter; it must have one.
  const Partition::Run& RunOf(size_t rank, size_t parameter) const;
  bool IsWhole(const Partition::Run& run) const {
    return run.size == partition_->sizes()[run.parameter];
  }

  const HParams hparams_;
  const std::vector<NamedTensor> parameters_;
  const std::shared_ptr<const Partition> partition_;
  ProcessGroup* const group_;
  const OptimizerShards* shards_ = nullptr;
  Optimizer::TotalSquares total_;
  double gradient_noise_ = 0;
  std::map<std::string, size_t> index_;            // by the parameter's name
  std::vector<std::vector<Partition::Run>> runs_;  // by rank
  const bool whole_;              // every rank has all parameters
  std::vector<NamedTensor> own_;  // if so, views of them
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<MovingAverage> average_;
};

}  // namespace t2t

#endif  // T2T_TRAIN_SHARDED_OPTIMIZER_H_
