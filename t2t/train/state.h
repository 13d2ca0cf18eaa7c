#ifndef T2T_TRAIN_STATE_H_
#define T2T_TRAIN_STATE_H_

#include <ATen/core/Tensor.h>

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
#include "t2t/model/model.h"
#include "t2t/optim/optimizer.h"
#include "t2t/parallel/sharded_parameters.h"
#include "t2t/train/trainer_options.h"

namespace t2t {

// What a run starts from. `kind` is the same on all ranks.
struct Restored {
  enum class Kind {
    kNothing,    // initial values
    kWarmStart,  // some parameters of another run
    kWeights,    // parameters and averages; the optimizer starts anew
    kAll,
  };
  Kind kind = Kind::kNothing;
  // Whole tensors, on rank 0; elsewhere the path alone.
  Checkpoint checkpoint;
};

// The tensors that training changes: parameters, optimizer state and moving
// averages. A strategy, chosen once by MakeTrainState(), says which rank holds
// what of them:
//
//   WholeState           every rank a replica of everything
//   ZeroState            every rank a shard of what ZeRO's stage names
//   TensorParallelState  tensor parallelism around one of these two
//
// Tensors go by a checkpoint's names. All ranks make the same calls in the same
// order. To the last bit each strategy computes what WholeState does.
class TrainState {
 public:
  using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;
  using Tensors = std::map<std::string, at::Tensor>;
  using TensorShards = std::map<std::string, TensorShard>;
  // Fills the shards from a sharded checkpoint's files; returns the names that
  // no file has.
  using ShardReader =
      std::function<std::vector<std::string>(const TensorShards& shards)>;
  // This rank's place among those that write shards of a checkpoint. No rank
  // writes any where `count` is 0, and this rank none where `index` is -1.
  struct Writer {
    int64_t index = -1;
    int64_t count = 0;
  };

  virtual ~TrainState() = default;

  // One step: noise on the weights before the loss is computed; the optimizer's
  // update and the averages after. Returns the gradients' norm before clipping;
  // where that is not finite nothing was changed. gradients: of this rank's
  // GradientSum::runs(). used: the parameters of which any rank has a gradient.
  virtual void AddWeightNoise(double learning_rate) = 0;
  virtual double Update(const std::vector<at::Tensor>& gradients,
                        const std::vector<bool>& used, double learning_rate,
                        int64_t step) = 0;
  // Exchanges parameters and moving averages; twice is nothing.
  virtual void SwapAverages() = 0;

  // Replicas: the ranks that take different batches, or null, and what each of
  // them holds whole.
  virtual ProcessGroup* replicas() const = 0;
  virtual NamedTensors Replicated() const = 0;
  // Groups of ranks whose tensors are to have the same bits between steps.
  virtual std::vector<std::pair<ProcessGroup*, NamedTensors>> SameTensors()
      const = 0;
  // One rank of each model is counted; the others of a tensor parallel group
  // compute the same losses.
  virtual bool counts() const { return true; }

  // A checkpoint of whole tensors: all of them, on rank 0; and back.
  virtual Tensors Gather() = 0;
  virtual void Restore(const Restored& restored) = 0;
  // A sharded checkpoint: this rank's shard (views, not copies); what is in
  // Replicated() is not in it, but stands in the checkpoint's own file. And
  // back: each rank reads its own shards.
  virtual Writer writer() const { return {}; }
  virtual TensorShards OwnShards() const { return {}; }
  virtual void RestoreShards(const ShardReader& read) = 0;

  // ZeRO: who owns which gradients, and stage 3's parameters; else null.
  virtual std::shared_ptr<const Partition> owners() const { return nullptr; }
  virtual ShardedParameters* sharded_parameters() const { return nullptr; }

  // Bytes that this rank holds: of optimizer state, of parameters between steps
  // and of parameters during a step at most.
  virtual int64_t OptimizerBytes() const = 0;
  virtual int64_t ParameterBytes() const = 0;
  virtual int64_t PeakParameterBytes() const { return ParameterBytes(); }
};

std::unique_ptr<TrainState> MakeTrainState(Model* model,
                                           const TrainerOptions& options);

// For strategies.
std::vector<NamedTensor> TrainableParameters(const ParamStore& params);
// Gives rank 0's tensors to all.
void BroadcastAll(ProcessGroup* group, const TrainState::NamedTensors& tensors);
// Of names that a ShardReader did not find: the parameters whose averages they
// are. Throws a MismatchError for any other.
std::vector<std::string> MissingAverages(const std::vector<std::string>& names);

}  // namespace t2t

#endif  // T2T_TRAIN_STATE_H_
