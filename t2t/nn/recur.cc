#include "t2t/nn/recur.h"

#include <ATen/ATen.h>

#include <cmath>
#include <optional>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/hparams/values_or.h"
#include "t2t/ops/device.h"

namespace t2t::nn {
namespace {

// TF numbers the norms of one scope.
PrePost NumberedNorm(const Scope& scope, const RecurOptions& options,
                     size_t number) {
  return PrePost(scope,
                 "layer_prepostprocess" +
                     (number == 0 ? "" : "_" + std::to_string(number)),
                 options.preprocess);
}

// 1 where gates are kept, [B, L, 1]; undefined: everywhere.
at::Tensor Kept(const RecurOptions& options, const Pass& pass) {
  if (!options.remove_padding || pass.whole() == nullptr) return {};
  return pass.whole()->own_nonpadding_BL.unsqueeze(2);
}

at::Tensor Times(const at::Tensor& x, const at::Tensor& kept) {
  return kept.defined() ? x * kept : x;
}

class BasicRecur : public Recur {
 public:
  explicit BasicRecur(const RecurOptions& options) : steps_(options.steps) {}

  at::Tensor operator()(const at::Tensor& x_BLD, const StepFunctions& step,
                        Pass&) const override {
    at::Tensor state = x_BLD;
    for (int64_t i = 0; i < steps_; ++i) {
      state = step.layers(step.tell(state, i));
    }
    return state;
  }

 private:
  int64_t steps_;
};

// Srivastava et al. 2015, "Highway Networks", arXiv:1505.00387.
class GatedRecur : public Recur {
 public:
  GatedRecur(const Scope& scope, const RecurOptions& options)
      : options_(options) {
    size_t norms = 0;
    for (const char letter : std::string("sti")) {
      if (options.gate_inputs.find(letter) == std::string::npos) continue;
      seen_.push_back(letter);
      transform_norms_.push_back(NumberedNorm(scope, options, norms++));
    }
    GateLayer::Options gate = options.gate;
    gate.inputs = static_cast<int64_t>(seen_.size());
    transform_.emplace(scope, "transform", gate, options.transform_bias);
    if (options.couple_gates) return;
    for (size_t i = 0; i < seen_.size(); ++i) {
      carry_norms_.push_back(NumberedNorm(scope, options, norms++));
    }
    carry_.emplace(scope, "carry", gate, -options.transform_bias);
  }

  at::Tensor operator()(const at::Tensor& x_BLD, const StepFunctions& step,
                        Pass& pass) const override {
    const Context& context = pass.context();
    const at::Tensor kept = Kept(options_, pass);
    at::Tensor state = x_BLD;
    for (int64_t i = 0; i < options_.steps; ++i) {
      const at::Tensor result = step.layers(step.tell(state, i));
      std::vector<at::Tensor> seen;
      for (size_t k = 0; k < seen_.size(); ++k) {
        const at::Tensor& one =
            seen_[k] == 's' ? state : (seen_[k] == 't' ? result : x_BLD);
        seen.push_back(transform_norms_[k]({}, one, context));
      }
      const at::Tensor transform =
          Times(at::sigmoid((*transform_)(seen, context)), kept);
      at::Tensor carry = 1.0 - transform;
      if (carry_) {
        // T2T norms what it has normed for the other gate already.
        for (size_t k = 0; k < seen.size(); ++k) {
          seen[k] = carry_norms_[k]({}, seen[k], context);
        }
        carry = Times(at::sigmoid((*carry_)(seen, context)), kept);
      }
      state = (options_.type == "skip" ? x_BLD : state) * carry +
              result * transform;
    }
    return state;
  }

 private:
  RecurOptions options_;
  std::vector<char> seen_;
  std::vector<PrePost> transform_norms_, carry_norms_;
  std::optional<GateLayer> transform_, carry_;
};

// Attention over depth. As in T2T, a step does not see the result of the one
// before it, and the first step sees zeros.
class DepthwiseRecur : public Recur {
 public:
  DepthwiseRecur(const Scope& scope, const RecurOptions& options)
      : options_(options) {
    const int64_t size = options.gate.hidden_size;
    if (options.depth_embedding) {
      embedding_ = scope.Param(
          "depth_embedding", {options.steps + 1, 1, 1, size},
          NormalInit(0.0, std::pow(static_cast<double>(size), -0.5)));
    }
    weights_ =
        Dense(scope.Sub("dense"), size, options.weigh_elements ? size : 1);
  }

  at::Tensor operator()(const at::Tensor& x_BLD, const StepFunctions& step,
                        Pass&) const override {
    std::vector<at::Tensor> states_BLD = {x_BLD};
    for (int64_t i = 0; i < options_.steps; ++i) {
      at::Tensor input_BLD = at::zeros_like(x_BLD);
      if (i > 0) {
        at::Tensor states_NBLD =
            at::stack(at::TensorList(states_BLD).slice(0, i));
        if (embedding_.defined()) {
          states_NBLD =
              states_NBLD +
              embedding_.narrow(0, 0, i) *
                  std::sqrt(static_cast<double>(options_.gate.hidden_size));
        }
        const at::Tensor weights = at::softmax(weights_(states_NBLD), -1);
        input_BLD = (states_NBLD * weights).sum(0);
      }
      states_BLD.push_back(step.layers(step.tell(input_BLD, i)));
    }
    return states_BLD.back();
  }

 private:
  RecurOptions options_;
  at::Tensor embedding_;
  Dense weights_;
};

// A recurrent unit beside the layers, turned so that time is depth.
class UnitRecur : public Recur {
 public:
  UnitRecur(const Scope& scope, const RecurOptions& options)
      : options_(options),
        before_(NumberedNorm(scope, options, 0)),
        after_(NumberedNorm(scope, options, 1)) {
    const int64_t size = options.gate.hidden_size;
    if (options.type == "gru") {
      gru_.emplace(scope.Sub("gru"), size);
    } else {
      lstm_.emplace(scope.Sub("lstm"), size, options.forget_bias);
    }
  }

  at::Tensor operator()(const at::Tensor& x_BLD, const StepFunctions& step,
                        Pass& pass) const override {
    const at::Tensor kept = Kept(options_, pass);
    at::Tensor state = x_BLD;
    at::Tensor memory = at::zeros_like(x_BLD);
    for (int64_t i = 0; i < options_.steps; ++i) {
      const at::Tensor y =
          before_({}, step.layers(step.tell(state, i)), pass.context());
      if (gru_) {
        const at::Tensor mixed = (*gru_)(y, state);
        state = kept.defined() ? y + (mixed - y) * kept : mixed;
      } else {
        state = Times((*lstm_)(y, state, &memory), kept);
        memory = Times(memory, kept);
      }
      state = after_({}, state, pass.context());
    }
    return options_.memory_is_result && lstm_ ? memory : state;
  }

 private:
  RecurOptions options_;
  PrePost before_, after_;
  std::optional<DepthGru> gru_;
  std::optional<DepthLstm> lstm_;
};

class AdaptiveRecur : public Recur {
 public:
  AdaptiveRecur(const Scope& scope, const RecurOptions& options)
      : halting_(scope, options.gate.hidden_size, options.halting),
        loss_weight_(options.act_loss_weight) {}

  at::Tensor operator()(const at::Tensor& x_BLD, const StepFunctions& step,
                        Pass& pass) const override {
    // A later position may take more steps than this one, and then sees what
    // this one would have been in them.
    Halting::Walk walk(halting_, x_BLD, /*all_steps=*/pass.step() != nullptr,
                       pass.context());
    at::Tensor state = x_BLD;
    while (walk.GoesOn()) {
      state = step.tell(state, walk.step());
      walk.Weigh(state);
      state = step.layers(state);
      walk.Add(state);
    }
    if (loss_weight_ != 0.0) {
      pass.context().losses.Add("act_loss", walk.Cost() * loss_weight_);
    }
    return walk.result();
  }

  // The cost is the mean over padding, too.
  bool CanBeRagged() const override { return false; }
  bool CanStep() const override { return halting_.IsPositionwise(); }

 private:
  Halting halting_;
  double loss_weight_;
};

}  // namespace

RecurOptions RecurOptions::FromHParams(const HParams& hparams,
                                       const PrePostOptions& preprocess) {
  RecurOptions options;
  const int64_t layers = hparams.GetInt("num_hidden_layers");
  options.type = StringOr(hparams, "recurrence_type", "basic");
  options.preprocess = preprocess;
  options.gate_inputs = StringOr(hparams, "gates_inputs", "i");
  options.gate.type = StringOr(hparams, "gate_ffn_layer", "dense");
  options.gate.hidden_size = hparams.GetInt("hidden_size");
  options.gate.filter_size = hparams.GetInt("filter_size");
  options.gate.dropout = hparams.GetDouble("relu_dropout");
  options.transform_bias = DoubleOr(hparams, "transform_bias_init", -1.0);
  options.couple_gates = BoolOr(hparams, "couple_carry_transform_gates", true);
  options.depth_embedding = BoolOr(hparams, "depth_embedding", true);
  options.weigh_elements = BoolOr(hparams, "dwa_elements", true);
  options.forget_bias = DoubleOr(hparams, "lstm_forget_bias", 1.0);
  options.memory_is_result =
      BoolOr(hparams, "use_memory_as_final_state", false);
  options.halting.type = StringOr(hparams, "act_type", "basic");
  options.halting.max_steps = IntOr(hparams, "act_max_steps", 2 * layers);
  options.halting.epsilon = DoubleOr(hparams, "act_epsilon", 0.01);
  options.halting.bias_init = DoubleOr(hparams, "act_halting_bias_init", 1.0);
  options.act_loss_weight = DoubleOr(hparams, "act_loss_weight", 0.01);
  options.remove_padding = BoolOr(hparams, "use_pad_remover", true);
  options.steps = options.type == "act"
                      ? options.halting.max_steps
                      : IntOr(hparams, "num_rec_steps", layers);
  if (options.steps < 1) {
    throw UsageError("num_rec_steps=" + std::to_string(options.steps),
                     "at least 1", "change --hparams=num_rec_steps=...");
  }
  if (options.gate_inputs.empty() ||
      options.gate_inputs.find_first_not_of("sti") != std::string::npos) {
    throw UsageError("gates_inputs=" + options.gate_inputs,
                     "of the letters s (state), t (transformed state) and i "
                     "(input), at least one",
                     "change --hparams=gates_inputs=...");
  }
  if ((options.type == "gru" || options.type == "lstm") &&
      BoolOr(hparams, "add_step_timing_signal", true)) {
    throw UsageError(
        "recurrence_type=" + options.type + " with add_step_timing_signal",
        "a recurrent unit that counts the steps by itself",
        "set --hparams=add_step_timing_signal=False");
  }
  return options;
}

at::Tensor PositionsOf(const at::Tensor& x, const Pass& pass) {
  if (pass.ragged() != nullptr) return pass.ragged()->rows.positions_1T;
  const int64_t start = pass.step() != nullptr ? pass.position() : 0;
  return at::arange(start, start + x.size(1), OnDevice(at::kLong)).unsqueeze(0);
}

std::unique_ptr<const Recur> MakeRecur(const Scope& scope,
                                       const RecurOptions& options) {
  const std::string& type = options.type;
  if (type == "basic") return std::make_unique<BasicRecur>(options);
  if (type == "act") return std::make_unique<AdaptiveRecur>(scope, options);
  if (type == "dwa") return std::make_unique<DepthwiseRecur>(scope, options);
  if (type == "highway" || type == "skip") {
    return std::make_unique<GatedRecur>(scope, options);
  }
  if (type == "gru" || type == "lstm") {
    return std::make_unique<UnitRecur>(scope, options);
  }
  throw UsageError("recurrence_type=" + type + " is not supported",
                   "basic, act, highway, skip, dwa, gru or lstm",
                   "change --hparams=recurrence_type=...");
}

}  // namespace t2t::nn
