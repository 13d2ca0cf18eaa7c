#include "t2t/nn/depth_recurrence.h"

#include <ATen/ATen.h>

#include "t2t/base/error.h"
#include "t2t/hparams/values_or.h"
#include "t2t/ops/device.h"
#include "t2t/ops/dropout.h"

namespace t2t {
namespace {

at::Tensor Join(const at::Tensor& x_BLD, const at::Tensor& signal) {
  return at::cat({x_BLD, signal.expand({x_BLD.size(0), x_BLD.size(1), -1})},
                 -1);
}

GateLayer::Options TwoInputs(int64_t hidden_size) {
  return {.inputs = 2, .hidden_size = hidden_size};
}

}  // namespace

StepSignalOptions StepSignalOptions::FromHParams(const HParams& hparams,
                                                 int64_t steps) {
  StepSignalOptions options;
  options.steps = steps;
  options.channels = hparams.GetInt("hidden_size");
  options.add_position = BoolOr(hparams, "add_position_timing_signal", true);
  options.add_step = BoolOr(hparams, "add_step_timing_signal", true);
  options.step_type = StringOr(hparams, "step_timing_signal_type", "learned");
  options.position_start = StringOr(hparams, "position_start_index", "none");
  const std::string how =
      StringOr(hparams, "add_or_concat_timing_signal", "add");
  options.concat = how == "concat";
  if (!options.concat && how != "add") {
    throw UsageError("add_or_concat_timing_signal=" + how, "add or concat",
                     "change --hparams=add_or_concat_timing_signal=...");
  }
  if (options.position_start != "none" && options.position_start != "random" &&
      options.position_start != "step") {
    throw UsageError("position_start_index=" + options.position_start,
                     "none, random or step",
                     "change --hparams=position_start_index=...");
  }
  if (options.concat && options.add_step && !options.add_position) {
    throw UsageError(
        "add_or_concat_timing_signal=concat without "
        "add_position_timing_signal",
        "both signals, or the position's alone",
        "set --hparams=add_position_timing_signal=True, or "
        "add_or_concat_timing_signal=add");
  }
  return options;
}

StepSignals::StepSignals(const Scope& scope, const StepSignalOptions& options,
                         const std::string& dense_name)
    : options_(options) {
  const bool concat = options.concat;
  const int64_t channels = options.channels;
  // What stands beside x already is a part of what the step's signal is as
  // wide as.
  int64_t width = concat && options.add_position ? 2 * channels : channels;
  if (options.add_step) {
    step_.emplace(scope, options.step_type, options.steps, width);
    if (concat) width *= 2;
  }
  if (concat && options.add_position) {
    project_.emplace(scope.Sub(dense_name), width, channels,
                     /*use_bias=*/false);
  }
}

at::Tensor StepSignals::operator()(const at::Tensor& x_BLD,
                                   const at::Tensor& positions, int64_t step,
                                   const nn::Context& context) const {
  at::Tensor x = x_BLD;
  if (options_.add_position) {
    const int64_t length = x.size(1);
    at::Tensor shifted = positions;
    if (options_.position_start == "random") {
      shifted =
          positions +
          at::randint(length, {1}, context.rng, at::kLong).to(ComputeDevice());
    } else if (options_.position_start == "step") {
      shifted = positions + length * step / options_.steps;
    }
    const at::Tensor signal = TimingSignalAt(shifted, options_.channels);
    x = options_.concat ? Join(x, signal) : x + signal;
  }
  if (step_) x = options_.concat ? Join(x, (*step_)(step)) : x + (*step_)(step);
  return project_ ? (*project_)(x) : x;
}

GateLayer::GateLayer(const Scope& scope, const std::string& name,
                     const Options& options, double bias_init)
    : dropout_(options.dropout) {
  const int64_t in = options.inputs * options.hidden_size;
  if (options.type == "dense") {
    output_ = Dense(scope.Sub(name), in, options.hidden_size,
                    ConstantInit(bias_init));
  } else if (options.type == "dense_relu_dense") {
    hidden_.emplace(scope.Sub(name + "_conv1"), in, options.filter_size);
    output_ = Dense(scope.Sub(name + "_conv2"), options.filter_size,
                    options.hidden_size);
  } else {
    throw UsageError("gate_ffn_layer=" + options.type + " is not supported",
                     "dense or dense_relu_dense",
                     "change --hparams=gate_ffn_layer=...");
  }
}

at::Tensor GateLayer::operator()(const std::vector<at::Tensor>& inputs_BLD,
                                 const nn::Context& context) const {
  const at::Tensor joined_BLG =
      inputs_BLD.size() == 1 ? inputs_BLD[0] : at::cat(inputs_BLD, -1);
  if (!hidden_) return output_(joined_BLG);
  return output_(ReluDropout((*hidden_)(joined_BLG),
                             context.training ? dropout_ : 0.0, context.rng));
}

DepthGru::DepthGru(const Scope& scope, int64_t hidden_size)
    : update_(scope, "update", TwoInputs(hidden_size), 1.0),
      reset_(scope, "reset", TwoInputs(hidden_size), 1.0),
      candidate_(scope, "candidate", TwoInputs(hidden_size), 0.0) {}

at::Tensor DepthGru::operator()(const at::Tensor& x_BLD,
                                const at::Tensor& state_BLD) const {
  const at::Tensor update = at::sigmoid(update_({x_BLD, state_BLD}, {}));
  const at::Tensor reset = at::sigmoid(reset_({x_BLD, state_BLD}, {}));
  const at::Tensor candidate =
      at::tanh(candidate_({x_BLD, reset * state_BLD}, {}));
  return (1.0 - update) * x_BLD + update * candidate;
}

DepthLstm::DepthLstm(const Scope& scope, int64_t hidden_size,
                     double forget_bias)
    : forget_bias_(forget_bias),
      input_(scope, "input", TwoInputs(hidden_size), 0.0),
      forget_(scope, "forget", TwoInputs(hidden_size), 0.0),
      output_(scope, "output", TwoInputs(hidden_size), 0.0),
      modulation_(scope, "input_modulation", TwoInputs(hidden_size), 0.0) {}

at::Tensor DepthLstm::operator()(const at::Tensor& x_BLD,
                                 const at::Tensor& state_BLD,
                                 at::Tensor* memory_BLD) const {
  const auto gate = [&](const GateLayer& layer) {
    return layer({x_BLD, state_BLD}, {});
  };
  *memory_BLD = *memory_BLD * at::sigmoid(gate(forget_) + forget_bias_) +
                at::sigmoid(gate(input_)) * at::tanh(gate(modulation_));
  return at::tanh(*memory_BLD) * at::sigmoid(gate(output_));
}

Halting::Halting(const Scope& scope, int64_t hidden_size,
                 const HaltingOptions& options)
    : options_(options) {
  const std::string& type = options.type;
  if (type != "basic" && type != "accumulated" && type != "global" &&
      type != "random") {
    throw UsageError("act_type=" + type + " is not supported",
                     "basic, accumulated, global or random",
                     "change --hparams=act_type=...");
  }
  if (options.max_steps < 1) {
    throw UsageError("act_max_steps=" + std::to_string(options.max_steps),
                     "at least 1", "change --hparams=act_max_steps=...");
  }
  if (type != "random") {
    probability_.emplace(scope.Sub("sigmoid_activation_for_pondering/dense"),
                         hidden_size, 1, ConstantInit(options.bias_init));
  }
}

Halting::Walk::Walk(const Halting& halting, const at::Tensor& x_BLD,
                    bool all_steps, const nn::Context& context)
    : halting_(halting),
      context_(context),
      all_steps_(all_steps),
      result_BLD_(at::zeros_like(x_BLD)),
      probability_(at::zeros(
          {x_BLD.size(0), halting.IsPositionwise() ? x_BLD.size(1) : 1, 1},
          OnDevice(at::kFloat))),
      remainders_(at::zeros_like(probability_)),
      updates_(at::zeros_like(probability_)) {}

bool Halting::Walk::GoesOn() const {
  if (step_ >= halting_.options_.max_steps) return false;
  return all_steps_ ||
         probability_.lt(1.0 - halting_.options_.epsilon).any().item<bool>();
}

void Halting::Walk::Weigh(const at::Tensor& state_BLD) {
  at::Tensor p;
  if (!halting_.probability_) {
    p = nn::UniformLike(probability_, context_);
  } else {
    p = at::sigmoid((*halting_.probability_)(state_BLD)).to(at::kFloat);
    if (!halting_.IsPositionwise()) p = p.mean(1, /*keepdim=*/true);
  }
  const double threshold = 1.0 - halting_.options_.epsilon;
  const at::Tensor running = probability_.lt(1.0).to(at::kFloat);
  const at::Tensor sum = probability_ + p * running;
  const at::Tensor halts = sum.gt(threshold).to(at::kFloat) * running;
  const at::Tensor stays = sum.le(threshold).to(at::kFloat) * running;
  probability_ = probability_ + p * stays;
  remainders_ = remainders_ + halts * (1.0 - probability_);
  probability_ = probability_ + halts * remainders_;
  updates_ = updates_ + stays + halts;
  weights_ = p * stays + halts * remainders_;
}

void Halting::Walk::Add(const at::Tensor& state_BLD) {
  const at::Tensor kept = halting_.options_.type == "accumulated"
                              ? result_BLD_
                              : result_BLD_ * (1.0 - weights_);
  result_BLD_ = state_BLD * weights_ + kept;
  ++step_;
}

at::Tensor Halting::Walk::Cost() const {
  return (updates_ + remainders_).mean();
}

}  // namespace t2t
