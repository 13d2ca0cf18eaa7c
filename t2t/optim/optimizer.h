#ifndef T2T_OPTIM_OPTIMIZER_H_
#define T2T_OPTIM_OPTIMIZER_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "t2t/hparams/hparams.h"
#include "t2t/ops/optimizer_kernels.h"
#include "t2t/problem/registries.h"

namespace t2t {

// A trainable parameter: fp32, contiguous.
struct NamedTensor {
  std::string name;
  at::Tensor tensor;
};

// How the parameters may be shared out among several optimizers, each of which
// updates some of them, with the same result.
enum class Sharing {
  kPieces,      // even cut, at multiples of Optimizer::kPieceSize
  kParameters,  // whole ones
  kNone,        // not at all: it looks at all of them together
};

// Where parameters are shards of larger ones, cut along one dimension (tensor
// parallelism), and other ranks' optimizers have the other shards. All of them
// make the same calls.
class OptimizerShards {
 public:
  struct Shard {
    std::vector<int64_t> shape;  // of the whole
    int64_t dim;
    int64_t begin;  // along dim
  };

  virtual ~OptimizerShards() = default;
  // nullopt: it is whole, and every rank has it.
  virtual std::optional<Shard> ShardOf(const std::string& name) const = 0;
  // fp64 numbers become their sums over the ranks.
  virtual void Sum(const at::Tensor& numbers) const = 0;
};

// The hparam optimizer_multistep_accumulate_steps: how many steps, each a batch
// (of each rank), make an update; at least 1.
int64_t AccumulatedSteps(const HParams& hparams);

// tf.truncated_normal's noise with a standard deviation. Of a shard: what of
// the noise that the whole would get falls on it.
at::Tensor TruncatedNoise(
    at::IntArrayRef shape, double deviation,
    const std::optional<OptimizerShards::Shard>& shard = std::nullopt);

// The hparam weight_noise, on a list of parameters: to be called before a
// step's loss is computed.
void AddWeightNoise(const HParams& hparams,
                    const std::vector<NamedTensor>& parameters,
                    double learning_rate,
                    const OptimizerShards* shards = nullptr);
// The same, but that `add` is given each parameter's index and noise.
void ForWeightNoise(const HParams& hparams,
                    const std::vector<NamedTensor>& parameters,
                    double learning_rate,
                    const std::function<void(size_t, const at::Tensor&)>& add,
                    const OptimizerShards* shards = nullptr);

// T2T's optimizers over a whole list of parameters at once. What is common to
// them is done here: L2 weight decay (hparam weight_decay, biases left out),
// gradient noise, the gradients' global norm and clipping by it, weight noise.
// A subclass then has one pass over all the parameters, cut into pieces that
// run in parallel. Gradients are never written to. Random noise is drawn from
// ATen's default generator.
class Optimizer {
 public:
  // The gradients' norm is a sum over pieces of so many numbers of a parameter.
  static constexpr int64_t kPieceSize = 1 << 14;
  // How many pieces that makes of it: on a device that is not the CPU it is
  // one.
  static int64_t PieceCount(const at::Tensor& parameter);

  Optimizer(const HParams& hparams, std::vector<NamedTensor> parameters);
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  // Before the first step; it outlives this.
  void SetShards(const OptimizerShards* shards);

  void AddWeightNoise(double learning_rate) {
    t2t::AddWeightNoise(hparams_, parameters_, learning_rate, shards_);
  }

  virtual Sharing sharing() const { return Sharing::kNone; }

  // Whether an undefined gradient counts as zeros: with weight decay, the
  // hparam optimizer_zero_grads, or where gradients are added up. Else its
  // parameter is left alone.
  bool CountsAsZeros(const NamedTensor& parameter) const {
    return zero_gradients_ || accumulate_ > 1 ||
           (weight_decay_ != 0 && Decays(parameter));
  }

  // The sum of squares of all parameters, where these are some of them: out of
  // the sums of these ones' pieces (one list, in the parameters' order).
  using TotalSquares = std::function<double(const std::vector<double>&)>;

  // One step, counted from 0; with optimizer_multistep_accumulate_steps=n the
  // gradients, clipped, are added up, and only each n-th step updates the
  // parameters, as T2T's MultistepAdam does. Returns the gradients' norm before
  // clipping; where that is not finite, nothing was changed.
  double Step(const std::vector<at::Tensor>& gradients, double learning_rate,
              int64_t step, const TotalSquares& total = nullptr);

  // The state, "<slot>/<parameter's name>" (shared, not copied).
  std::map<std::string, at::Tensor> State() const { return state_; }
  // Copies a saved state in. Throws a mismatch error naming the entry that is
  // missing or of another shape.
  void LoadState(const std::map<std::string, at::Tensor>& state);
  int64_t StateBytes() const;

 protected:
  // A piece of one parameter.
  struct Piece {
    size_t parameter;
    int64_t begin;
    int64_t size;
  };

  // One state tensor for every parameter, filled with a value.
  std::vector<at::Tensor> AddSlot(const std::string& slot, float value);
  // A state tensor of any shape, under "<key>".
  at::Tensor AddState(const std::string& key, const at::Tensor& value);
  const at::Tensor& StateOf(const std::string& key) const {
    return state_.at(key);
  }

  // After SetShards().
  virtual void OnShards() {}
  // Null: all parameters are whole.
  const OptimizerShards* shards() const { return shards_; }
  const std::optional<OptimizerShards::Shard>& ShardOf(size_t parameter) const {
    return own_shards_[parameter];
  }
  // The number of numbers of the whole.
  int64_t WholeSize(size_t parameter) const;
  // One number a parameter: the sums over the ranks, where it is split.
  void SumOverShards(std::vector<double>* numbers) const;

  // The update itself, of the parameters that HasGradient(); step counts
  // updates from 0.
  virtual void Update(double learning_rate, int64_t step) = 0;

  // Runs body in parallel on the pieces of all parameters with a gradient.
  void ForPieces(const std::function<void(const Piece&)>& body) const;
  bool HasGradient(size_t parameter) const {
    return gradients_[parameter].defined();
  }
  // Where a piece's parameter, state and gradient lie.
  float* At(const Piece& piece) const {
    return data_[piece.parameter] + piece.begin;
  }
  static float* At(const std::vector<at::Tensor>& slot, const Piece& piece) {
    return slot[piece.parameter].mutable_data_ptr<float>() + piece.begin;
  }
  GradientTerms GradientAt(const Piece& piece) const {
    return GradientAt(piece.parameter, piece.begin);
  }
  GradientTerms GradientAt(size_t parameter, int64_t begin) const;
  float* Data(size_t parameter) const { return data_[parameter]; }
  // The gradient as the update is to see it, as a tensor.
  at::Tensor EffectiveGradient(size_t parameter) const;

  const std::vector<NamedTensor>& parameters() const { return parameters_; }
  const HParams& hparams() const { return hparams_; }
  // Whether T2T's weight decay is for this parameter.
  static bool Decays(const NamedTensor& parameter);
  void DropWeightDecay() {
    weight_decay_ = 0;
    decay_.assign(decay_.size(), 0.0F);
  }

 private:
  std::vector<double> PieceSquares() const;
  // Adds the gradients to those of the steps before, and updates where it is
  // time to.
  void Accumulate(double learning_rate, int64_t step);

  HParams hparams_;
  std::vector<NamedTensor> parameters_;
  const OptimizerShards* shards_ = nullptr;
  std::vector<std::optional<OptimizerShards::Shard>> own_shards_;
  std::vector<float*> data_;
  std::vector<float> decay_;
  std::vector<Piece> pieces_;
  std::vector<at::Tensor> gradients_;  // of this step
  float scale_ = 1.0F;
  double clip_norm_ = 0;
  double gradient_noise_ = 0;
  double weight_decay_ = 0;
  bool zero_gradients_ = false;
  int64_t accumulate_ = 1;
  std::vector<at::Tensor> gradient_sums_;  // empty: they aren't added up
  std::map<std::string, at::Tensor> state_;
};

// T2T's names, plus "adamw" (decoupled decay as in PyTorch) and "adadelta".
void RegisterOptimizers(OptimizerRegistry& optimizers);

// The optimizer that the hparam "optimizer" names.
std::unique_ptr<Optimizer> MakeOptimizer(const HParams& hparams,
                                         std::vector<NamedTensor> parameters);

}  // namespace t2t

#endif  // T2T_OPTIM_OPTIMIZER_H_
