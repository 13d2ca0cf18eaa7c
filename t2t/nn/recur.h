#ifndef T2T_NN_RECUR_H_
#define T2T_NN_RECUR_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "t2t/hparams/hparams.h"
#include "t2t/nn/depth_recurrence.h"
#include "t2t/nn/norm.h"
#include "t2t/nn/params.h"
#include "t2t/nn/pass.h"

// How the steps of layers that are applied several times follow each other:
// the recurrences of T2T's universal_transformer_util.
// Shapes: B batch, L length, D hidden_size, N steps before this one.
namespace t2t::nn {

struct RecurOptions {
  // Throws a usage error on values that are not supported.
  static RecurOptions FromHParams(const HParams& hparams,
                                  const PrePostOptions& preprocess);

  // basic: a step's result is the next one's input. act: each position halts by
  // itself. highway, skip: a gate mixes the result with the step's input, or
  // with the first step's. dwa: a step's input is a weighted sum of all earlier
  // results (depth-wise attention). gru, lstm: the result goes into a recurrent
  // unit that has the state.
  std::string type = "basic";
  int64_t steps = 0;  // the most there may be, in act
  PrePostOptions preprocess;
  // highway, skip: what gates see, of the letters s (the step's input), t (its
  // result) and i (the first step's input).
  std::string gate_inputs = "i";
  GateLayer::Options gate;
  double transform_bias = -1.0;
  bool couple_gates = true;  // carries what it does not transform
  // dwa: depths have embeddings; each number has a weight of its own.
  bool depth_embedding = true;
  bool weigh_elements = true;
  // lstm
  double forget_bias = 1.0;
  bool memory_is_result = false;
  // act
  HaltingOptions halting;
  double act_loss_weight = 0.0;
  // Gates are 0 on padding, as with T2T's pad remover: an encoder's.
  bool remove_padding = false;
};

// What a step does: first it is told its number, then its layers run.
struct StepFunctions {
  std::function<at::Tensor(const at::Tensor& state_BLD, int64_t step)> tell;
  std::function<at::Tensor(const at::Tensor& state_BLD)> layers;
};

class Recur {
 public:
  virtual ~Recur() = default;

  // From the first step's input to the result of all steps. act adds
  // "act_loss" to the context's losses.
  virtual at::Tensor operator()(const at::Tensor& x_BLD,
                                const StepFunctions& step,
                                Pass& pass) const = 0;
  // Whether it runs over ragged sequences, and step by step.
  virtual bool CanBeRagged() const { return true; }
  virtual bool CanStep() const { return true; }
};

// Where x's rows stand, [1, positions] or of ragged sequences: counted from the
// row's start, for packed examples, too, as T2T's steps do.
at::Tensor PositionsOf(const at::Tensor& x, const Pass& pass);

std::unique_ptr<const Recur> MakeRecur(const Scope& scope,
                                       const RecurOptions& options);

}  // namespace t2t::nn

#endif  // T2T_NN_RECUR_H_
