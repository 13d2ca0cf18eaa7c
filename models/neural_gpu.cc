// Neural GPUs: a gated convolution over all of the input, as often as the input
// is long. Kaiser and Sutskever 2015, "Neural GPUs Learn Algorithms",
// arXiv:1511.08228; diagonal: Freivalds and Liepins 2017, "Improving the Neural
// GPU Architecture for Algorithm Learning", arXiv:1702.08727.
// Shapes: B batch, L length, W width (1 for symbols), D hidden_size.

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "models/all_models.h"
#include "models/encoder_only.h"
#include "t2t/model/stacked_model.h"
#include "t2t/nn/grid_convolution.h"
#include "t2t/ops/dropout.h"

namespace t2t {
namespace {

// What the two have in common: three convolutions of a gated recurrent unit.
struct GatedUnit {
  GatedUnit(const Scope& scope, const HParams& hparams, double reset_start,
            double gate_start)
      : reset(Make(scope.Sub("reset_single"), hparams, reset_start)),
        gate(Make(scope.Sub("gate_single"), hparams, gate_start)),
        candidate(Make(scope.Sub("candidate_single"), hparams, 0.0)) {}

  static nn::GridConv Make(const Scope& scope, const HParams& hparams,
                           double start) {
    const int64_t size = hparams.GetInt("hidden_size");
    nn::GridConvOptions options{.in = size, .out = size, .bias_start = start};
    options.window.height = hparams.GetInt("kernel_height");
    options.window.width = hparams.GetInt("kernel_width");
    return {scope, options};
  }

  nn::GridConv reset, gate, candidate;
};

// Reaches 0 and 1.
at::Tensor SaturatingSigmoid(const at::Tensor& x) {
  return (1.2 * at::sigmoid(x) - 0.1).clamp(0.0, 1.0);
}

at::Tensor HardSigmoid(const at::Tensor& x) {
  return (0.5 * x + 0.5).clamp(0.0, 1.0);
}

// What it costs to be out of a hard sigmoid's slope.
at::Tensor Saturation(const at::Tensor& x) {
  return at::relu(x.abs() - 0.9).mean();
}

// A third of the channels as it is, one comes from the left, one from the
// right.
at::Tensor ShiftDiagonally(const at::Tensor& x_BLWD) {
  const int64_t third = x_BLWD.size(3) / 3;
  const int64_t width = x_BLWD.size(2);
  const std::vector<at::Tensor> parts =
      x_BLWD.split_with_sizes({x_BLWD.size(3) - 2 * third, third, third}, 3);
  return at::cat(
      {parts[0],
       at::constant_pad_nd(parts[1], {0, 0, 1, 0}).narrow(2, 0, width),
       at::constant_pad_nd(parts[2], {0, 0, 0, 1}).narrow(2, 1, width)},
      3);
}

class NeuralGpu : public EncoderOnlyModel {
 public:
  NeuralGpu(HParams hparams, ProblemInfo info, const ParamOptions& params)
      : NeuralGpu("neural_gpu", "cgru_", 1.0, 1.0, std::move(hparams),
                  std::move(info), params) {}

 protected:
  NeuralGpu(const std::string& name, const std::string& layer,
            double reset_start, double gate_start, HParams hparams,
            ProblemInfo info, const ParamOptions& params)
      : EncoderOnlyModel(name, std::move(hparams), std::move(info), params),
        dropout_(hparams_.GetDouble("dropout")) {
    RefuseSplitModel(root());
    const Scope body = root().Sub("body").Sub(name);
    for (int64_t i = 0; i < hparams_.GetInt("num_hidden_layers"); ++i) {
      layers_.emplace_back(body.Sub(layer + std::to_string(i)), hparams_,
                           reset_start, gate_start);
    }
    MakeEnds(root());
  }

  at::Tensor Body(const Features& features, nn::Context& context) override {
    const at::Tensor inputs = EmbedInputs(features, context);
    const bool sequence = inputs.dim() == 3;
    const at::Tensor x_BLWD = sequence ? inputs.unsqueeze(2) : inputs;
    const at::Tensor y = Steps(x_BLWD, context);
    const auto targets = features.find("targets");
    return targets == features.end()
               ? AsSequence(y)
               : ToLength(AsSequence(y), targets->second.size(1));
  }

  // One for each position of the input; nothing happens where that is padding.
  virtual at::Tensor Steps(const at::Tensor& x_BLWD, nn::Context& context) {
    at::Tensor state = x_BLWD;
    for (const at::Tensor& padding : PaddingOf(x_BLWD)) {
      state = at::where(padding, state, Step(Dropped(state, context)));
    }
    return state;
  }

  // For each position [B, 1, 1, 1].
  static std::vector<at::Tensor> PaddingOf(const at::Tensor& x_BLWD) {
    return x_BLWD.detach()
        .abs()
        .sum({2, 3})
        .lt(1e-5)
        .unsqueeze(2)
        .unsqueeze(3)
        .unsqueeze(4)
        .unbind(1);
  }
  at::Tensor Dropped(const at::Tensor& x, const nn::Context& context) const {
    return context.training ? Dropout(x, dropout_, context.rng) : x;
  }
  const std::vector<GatedUnit>& layers() const { return layers_; }

 private:
  at::Tensor Step(at::Tensor x) const {
    for (const GatedUnit& unit : layers_) {
      const at::Tensor reset = SaturatingSigmoid(unit.reset(x));
      const at::Tensor gate = SaturatingSigmoid(unit.gate(x));
      x = gate * x + (1.0 - gate) * at::tanh(unit.candidate(reset * x));
    }
    return x;
  }

  double dropout_;
  std::vector<GatedUnit> layers_;
};

class DiagonalNeuralGpu : public NeuralGpu {
 public:
  DiagonalNeuralGpu(HParams hparams, ProblemInfo info,
                    const ParamOptions& params)
      : NeuralGpu("diagonal_neural_gpu", "dcgru_", 0.5, 0.7, std::move(hparams),
                  std::move(info), params) {}

 protected:
  at::Tensor Steps(const at::Tensor& x_BLWD, nn::Context& context) override {
    at::Tensor state = x_BLWD;
    std::vector<at::Tensor> states, costs;
    for (const at::Tensor& padding : PaddingOf(x_BLWD)) {
      at::Tensor x = state;
      at::Tensor cost;
      for (const GatedUnit& unit : layers()) {
        const at::Tensor reset = unit.reset(x);
        const at::Tensor gate = unit.gate(x);
        cost = 0.5 * (Saturation(reset) + Saturation(gate));
        const at::Tensor candidate =
            at::tanh(unit.candidate(HardSigmoid(reset) * x));
        const at::Tensor open = HardSigmoid(gate);
        x = open * ShiftDiagonally(x) +
            (1.0 - open) * Dropped(candidate, context);
      }
      state = at::where(padding, state, x);
      states.push_back(state);
      costs.push_back(cost);
    }
    context.losses.Add("extra", 2.0 * at::stack(costs).mean());
    // As T2T has it: not after the last step.
    return states.front();
  }
};

}  // namespace

void RegisterNeuralGpu(ModelRegistry& models) {
  AddModel<NeuralGpu>(models, "neural_gpu");
  AddModel<DiagonalNeuralGpu>(models, "diagonal_neural_gpu");
}

}  // namespace t2t
