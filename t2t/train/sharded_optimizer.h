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
#include "t2t/optim/optimizer.h"

namespace t2t {

// ZeRO: each rank of a group has the optimizer's state, and the moving
// averages, of its own runs of the parameters, updates these and gives them to
// the others. To the last bit what one Optimizer of all parameters does. All
// ranks make the same calls in the same order.
class ShardedOptimizer {
 public:
  using State = std::map<std::string, at::Tensor>;

  // Who owns what; for the gradients' sum, too. groups: Partition::Options's.
  // Throws a usage error for an optimizer whose state can't be shared out.
  static std::shared_ptr<const Partition> Share(
      const HParams& hparams, const std::vector<NamedTensor>& parameters,
      int64_t ranks, int64_t bucket_bytes, std::vector<int64_t> groups = {});

  // ema_decay: of the moving averages; 0: none. own: where this rank's runs
  // are kept, where it has nothing else of the parameters between steps; empty:
  // every rank has all.
  ShardedOptimizer(const HParams& hparams, std::vector<NamedTensor> parameters,
                   std::shared_ptr<const Partition> partition,
                   ProcessGroup* group, double ema_decay,
                   const std::vector<at::Tensor>& own = {});

  // The parameters are parts, or common to the ranks of a model; total: as
  // Optimizer::Step() takes it, of all of this model's part.
  void SetSplit(const SplitParameters* split, Optimizer::TotalSquares total) {
    split_ = split;
    total_ = std::move(total);
  }

  void AddWeightNoise(double learning_rate);
  // As Optimizer::Step() and MovingAverage::Update(). gradients: of this rank's
  // runs; used: which parameters have one, by any rank.
  double Step(const std::vector<at::Tensor>& gradients,
              const std::vector<bool>& used, double learning_rate,
              int64_t step);

  // Exchanges the moving averages, where there are any, and the parameters of
  // which this rank has all or its runs; twice is nothing.
  void SwapAverages();

  // The whole state on rank 0, as one Optimizer and one MovingAverage have it;
  // nothing on the others.
  State GatherState() const;
  State GatherAverages() const;
  // From rank 0's whole state; null there: all start anew (the averages: from
  // the parameters). What is missing or of another shape is a mismatch error on
  // the rank that needs it.
  void ShareState(const State* whole);
  void ShareAverages(const State* whole);

  // This rank's parts (shared, not copied), by the names that the whole ones
  // have.
  using PieceMap = std::map<std::string, CheckpointPiece>;
  PieceMap StatePieces() const { return PiecesOf(optimizer_->State()); }
  PieceMap AveragePieces() const {
    return average_ == nullptr ? PieceMap() : PiecesOf(average_->State());
  }
  PieceMap ParameterPieces() const;

  // Of this rank, without averages.
  int64_t StateBytes() const { return optimizer_->StateBytes(); }

 private:
  void AddGradientNoise(const std::vector<bool>& used,
                        std::vector<at::Tensor>* gradients) const;
  double TotalSquares(const std::vector<double>& own) const;
  void GatherParameters();
  PieceMap PiecesOf(const State& own) const;
  TensorPlace PlaceOf(const Partition::Run& run) const;
  // The ranks' entries put together, on rank 0.
  State Gather(const State& own) const;
  // Calls take with each entry of rank 0's, on all ranks; false where there
  // are none.
  bool ForEach(const State* whole,
               const std::function<void(const std::string&, const at::Tensor&)>&
                   take) const;
  // This rank's part of what whole has for the entries of own.
  bool TakeOwn(const State* whole, const State& own, State* taken) const;
  // Of "<slot>/<name>", or of "<name>".
  size_t ParameterOf(const std::string& key) const;
  // A rank's, which has one of this parameter.
  const Partition::Run& RunOf(size_t rank, size_t parameter) const;
  bool IsWhole(const Partition::Run& run) const {
    return run.size == partition_->sizes()[run.parameter];
  }

  const HParams hparams_;
  const std::vector<NamedTensor> parameters_;
  const std::shared_ptr<const Partition> partition_;
  ProcessGroup* const group_;
  const SplitParameters* split_ = nullptr;
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
