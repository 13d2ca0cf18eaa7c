#ifndef T2T_NN_DEPTH_RECURRENCE_H_
#define T2T_NN_DEPTH_RECURRENCE_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "t2t/hparams/hparams.h"
#include "t2t/nn/context.h"
#include "t2t/nn/dense.h"
#include "t2t/nn/params.h"
#include "t2t/nn/positional.h"

namespace t2t {

// Layers of models that apply one layer several times: what tells a step which
// one it is, what mixes a step's result with the state before it, and what
// decides that enough steps were taken.
// Shapes: B batch, L length, D hidden_size, G gate inputs side by side.

struct StepSignalOptions {
  // Throws a usage error on values that are not supported.
  static StepSignalOptions FromHParams(const HParams& hparams, int64_t steps);

  int64_t steps = 0;  // at most
  int64_t channels = 0;
  bool add_position = true;
  bool add_step = true;
  std::string step_type = "learned";  // or "sinusoid"
  // Signals stand beside the channels, and a dense layer brings all back to
  // their number, instead of being added to them.
  bool concat = false;
  // Where positions begin: "none" (at 0), "random" (anywhere below the length,
  // drawn each step) or "step" (later each step).
  std::string position_start = "none";
};

// Position and number of the step, told anew at the start of every step.
// Parameters in the scope: "layer_embedding" (learned steps), "dense" (concat;
// dense_name says which of several it is).
class StepSignals {
 public:
  StepSignals(const Scope& scope, const StepSignalOptions& options,
              const std::string& dense_name = "dense");

  // positions [1 or B, L]: where x's rows stand.
  at::Tensor operator()(const at::Tensor& x_BLD, const at::Tensor& positions,
                        int64_t step, const nn::Context& context) const;
  bool adds_position() const { return options_.add_position; }
  // Whether a position is told the same whatever the length.
  bool IsFixed() const {
    return !options_.add_position || options_.position_start == "none";
  }

 private:
  StepSignalOptions options_;
  std::optional<LayerTiming> step_;
  std::optional<Dense> project_;
};

// A dense layer over several inputs side by side, for the gates of a
// recurrence.
class GateLayer {
 public:
  // type "dense": parameters "<name>/kernel" and bias; "dense_relu_dense":
  // "<name>_conv1" and "<name>_conv2" with a ReLU of filter_size and its
  // dropout between, whose biases begin at zero.
  struct Options {
    std::string type = "dense";
    int64_t inputs = 1;
    int64_t hidden_size = 0;
    int64_t filter_size = 0;
    double dropout = 0.0;
  };
  GateLayer(const Scope& scope, const std::string& name, const Options& options,
            double bias_init);

  // Before the gate's activation.
  at::Tensor operator()(const std::vector<at::Tensor>& inputs_BLD,
                        const nn::Context& context) const;

 private:
  double dropout_;
  std::optional<Dense> hidden_;
  Dense output_;
};

// A gated recurrent unit whose state goes from step to step. As in T2T, and not
// as in Cho et al. 2014 (arXiv:1406.1078), the gate mixes the candidate with
// the unit's input, not with the state before it.
class DepthGru {
 public:
  DepthGru(const Scope& scope, int64_t hidden_size);
  at::Tensor operator()(const at::Tensor& x_BLD,
                        const at::Tensor& state_BLD) const;

 private:
  GateLayer update_, reset_, candidate_;
};

// A long short-term memory whose memory goes from step to step.
class DepthLstm {
 public:
  DepthLstm(const Scope& scope, int64_t hidden_size, double forget_bias);
  // Changes the memory.
  at::Tensor operator()(const at::Tensor& x_BLD, const at::Tensor& state_BLD,
                        at::Tensor* memory_BLD) const;

 private:
  double forget_bias_;
  GateLayer input_, forget_, output_, modulation_;
};

struct HaltingOptions {
  // What decides that a position takes no more steps: "basic" (its own sum of
  // halting probabilities), "accumulated" (the same; all steps' results are
  // added up), "global" (the mean of all positions' probabilities stops them
  // together) or "random" (probabilities are drawn).
  std::string type = "basic";
  int64_t max_steps = 0;
  double epsilon = 0.01;   // stops once the sum is within it of 1
  double bias_init = 1.0;  // higher: stops sooner at first
};

// Adaptive computation time: Graves 2016, arXiv:1603.08983. Parameters
// "sigmoid_activation_for_pondering/dense" in the scope.
class Halting {
 public:
  Halting(const Scope& scope, int64_t hidden_size,
          const HaltingOptions& options);

  // Whether a position stops by what it is itself.
  bool IsPositionwise() const { return options_.type != "global"; }

  // One walk through the steps:
  //   Halting::Walk walk(halting, x, false, context);
  //   while (walk.GoesOn()) {
  //     walk.Weigh(state);             // the step's input
  //     walk.Add(state = Step(state));  // the step's output
  //   }
  //   ... walk.result(), walk.Cost()
  class Walk {
   public:
    // all_steps: goes on to max_steps, which changes nothing in the result
    // (a halted position's weight is 0) but leaves every step's state to look
    // at for positions that come later.
    // The context outlives it.
    Walk(const Halting& halting, const at::Tensor& x_BLD, bool all_steps,
         const nn::Context& context);

    bool GoesOn() const;
    int64_t step() const { return step_; }
    void Weigh(const at::Tensor& state_BLD);
    void Add(const at::Tensor& state_BLD);
    const at::Tensor& result() const { return result_BLD_; }
    // Steps taken and the remainders, the mean over positions: what the paper
    // calls the ponder cost.
    at::Tensor Cost() const;

   private:
    const Halting& halting_;
    const nn::Context& context_;
    bool all_steps_;
    int64_t step_ = 0;
    at::Tensor result_BLD_;
    // [B, L, 1]; [B, 1, 1] where all positions stop together.
    at::Tensor probability_, remainders_, updates_, weights_;
  };

 private:
  HaltingOptions options_;
  std::optional<Dense> probability_;
};

}  // namespace t2t

#endif  // T2T_NN_DEPTH_RECURRENCE_H_
