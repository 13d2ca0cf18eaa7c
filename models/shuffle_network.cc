// Neural Shuffle-Exchange networks: Freivalds, Ozolins and Sostaks 2019,
// arXiv:1907.07897, and with residual units Draguns et al. 2020,
// arXiv:2004.04662. Neighbours meet in a switch, then all positions are
// shuffled, so that after log(length) rounds each has met each.
// Shapes: B batch, P length, a power of two, D hidden_size, E two neighbours
// side by side.

#include <ATen/ATen.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/all_models.h"
#include "models/encoder_only.h"
#include "t2t/base/error.h"
#include "t2t/hparams/values_or.h"
#include "t2t/model/stacked_model.h"
#include "t2t/nn/context.h"
#include "t2t/ops/dropout.h"

namespace t2t {
namespace {

int64_t BitsOf(int64_t length) {
  return std::bit_width(static_cast<uint64_t>(length)) - 1;
}

// Position i takes what stood where i's bits, rotated by one, point.
at::Tensor Shuffle(const at::Tensor& x_BPD, bool left) {
  const int64_t length = x_BPD.size(1);
  std::vector<int64_t> from(static_cast<size_t>(length));
  const int64_t top = BitsOf(length) - 1;
  for (int64_t i = 0; i < length; ++i) {
    from[static_cast<size_t>(i)] = left ? ((i << 1) & (length - 1)) | (i >> top)
                                        : (i >> 1) | (i & 1) << top;
  }
  return x_BPD.index_select(1, at::tensor(from).to(x_BPD.device()));
}

at::Tensor Pairs(const at::Tensor& x_BPD) {
  return x_BPD.reshape({x_BPD.size(0), x_BPD.size(1) / 2, -1});
}

// Dropout and a little noise, as both kinds of switches have them.
at::Tensor Disturb(const at::Tensor& x_BPD, double dropout,
                   const nn::Context& context) {
  if (!context.training || dropout == 0.0) return x_BPD;
  const double rate = dropout / static_cast<double>(BitsOf(x_BPD.size(1)));
  return Dropout(x_BPD, rate, context.rng) *
         (1.0 + 0.001 * nn::NormalLike(x_BPD, context));
}

Initializer FanAverage() {
  return VarianceScalingInit(1.0, "fan_avg", "uniform");
}

// A layer of switches; all share their weights.
class Switch {
 public:
  virtual ~Switch() = default;
  // earlier: what the block before had in the same place; undefined: none.
  virtual at::Tensor operator()(const at::Tensor& x_BPD,
                                const at::Tensor& earlier_BPD,
                                const nn::Context& context) const = 0;
};

class GatedSwitch : public Switch {
 public:
  GatedSwitch(const Scope& scope, int64_t size, double dropout)
      : dropout_(dropout),
        residual_(scope.Param("residual_scale", {size}, ConstantInit(0.5))),
        reset1_(scope.Sub("reset1/c"), 2 * size, 2 * size, 0.5),
        reset2_(scope.Sub("reset2/c"), 2 * size, 2 * size, 0.5),
        candidate1_(scope.Sub("cand1/c"), 2 * size, size, 0.0),
        candidate2_(scope.Sub("cand2/c"), 2 * size, size, 0.0),
        gate_(scope.Sub("g"), 2 * size, 2 * size, 0.5) {}

  at::Tensor operator()(const at::Tensor& x_BPD, const at::Tensor& earlier_BPD,
                        const nn::Context& context) const override {
    const at::Tensor seen =
        earlier_BPD.defined() ? x_BPD + earlier_BPD * residual_ : x_BPD;
    const at::Tensor pairs_BPE = Pairs(seen);
    const auto candidate = [&](const Map& reset, const Map& map) {
      return map(pairs_BPE * at::sigmoid(reset(pairs_BPE)));
    };
    const at::Tensor fresh = at::tanh(at::cat({candidate(reset1_, candidate1_),
                                               candidate(reset2_, candidate2_)},
                                              2))
                                 .view(x_BPD.sizes());
    const at::Tensor gate = at::sigmoid(gate_(pairs_BPE)).view(x_BPD.sizes());
    return Disturb(gate * SwapHalves(x_BPD) + (1.0 - gate) * fresh, dropout_,
                   context);
  }

 private:
  struct Map {
    Map(const Scope& scope, int64_t in, int64_t out, double bias_start)
        : start(bias_start),
          kernel(scope.Param("CvK", {in, out}, FanAverage())),
          bias(scope.Param("CvB", {out}, ZerosInit())) {}
    at::Tensor operator()(const at::Tensor& x) const {
      return at::matmul(x, kernel) + start + bias;
    }
    double start;
    at::Tensor kernel, bias;
  };

  // Neighbours exchange the first half of their channels.
  static at::Tensor SwapHalves(const at::Tensor& x_BPD) {
    const int64_t half = x_BPD.size(2) / 2;
    const at::Tensor first = x_BPD.slice(2, 0, half);
    return at::cat({first.unflatten(1, {-1, 2}).flip(2).flatten(1, 2),
                    x_BPD.slice(2, half)},
                   2);
  }

  double dropout_;
  at::Tensor residual_;
  Map reset1_, reset2_, candidate1_, candidate2_, gate_;
};

class ResidualSwitch : public Switch {
 public:
  // norm: the scope of its norm, which Keras numbers by itself.
  ResidualSwitch(const Scope& scope, const Scope& norm, int64_t size,
                 double dropout)
      : dropout_(dropout),
        residual_(scope.Param("residual", {2 * size},
                              ConstantInit(std::log(kKept / (1.0 - kKept))))),
        first_(scope.Sub("cand1").Param("kernel", {2 * size, 4 * size},
                                        FanAverage())),
        norm_(norm.Param("bias", {1, 1, 4 * size}, ZerosInit())),
        second_(scope.Sub("cand2").Param("kernel", {4 * size, 2 * size},
                                         FanAverage())),
        bias_(scope.Sub("cand2").Param("bias", {2 * size}, ZerosInit())) {}

  at::Tensor operator()(const at::Tensor& x_BPD, const at::Tensor&,
                        const nn::Context& context) const override {
    const at::Tensor pairs_BPE = Pairs(x_BPD);
    at::Tensor y = at::matmul(pairs_BPE, first_);
    // Over the positions, not the channels.
    y = y - y.mean(1, true) + norm_;
    y = y * (y.square().mean(1, true) + 1e-10).rsqrt();
    y = at::matmul(at::gelu(y, "tanh"), second_) + bias_;
    static const double kWeight = 0.25 * std::sqrt(1.0 - kKept * kKept);
    return Disturb(
        (at::sigmoid(residual_) * pairs_BPE + kWeight * y).view(x_BPD.sizes()),
        dropout_, context);
  }

 private:
  static constexpr double kKept = 0.9;  // at the start

  double dropout_;
  at::Tensor residual_, first_, norm_, second_, bias_;
};

// Blocks of rounds there and back, and a last layer of switches.
class ShuffleNetwork : public EncoderOnlyModel {
 public:
  ShuffleNetwork(const std::string& name, bool residual, HParams hparams,
                 ProblemInfo info, const ParamOptions& params)
      : EncoderOnlyModel(name, std::move(hparams), std::move(info), params),
        residual_(residual) {
    RefuseSplitModel(root());
    const int64_t blocks = hparams_.GetInt("num_hidden_layers");
    for (int64_t i = 0; i < blocks; ++i) {
      const std::string block = "benes_block_" + std::to_string(i) + "/";
      // Keras' layers live where TensorFlow's loops are.
      forward_.push_back(
          Make(block + (residual ? "scan/while/" : "") + "forward/", "switch"));
      back_.push_back(
          Make(block + (residual ? "scan_1/while/" : "") + "reverse/",
               "reverse_switch"));
    }
    last_ = Make("", "last_layer");
    MakeEnds(root());
  }

 protected:
  at::Tensor Body(const Features& features, nn::Context& context) override {
    const auto targets = features.find("targets");
    const at::Tensor y = Network(features, context);
    return targets == features.end() ? y : ToLength(y, targets->second.size(1));
  }

  // T2T's: the mean over all positions, padding too.
  LossParts TargetLoss(const Features& features,
                       nn::Context& context) override {
    const at::Tensor logits_BPV = Top(Network(features, context));
    const at::Tensor ids_BP =
        ToLength(RequiredFeature(features, "targets"), logits_BPV.size(1));
    LossParts parts;
    parts.numerator = at::cross_entropy_loss(
        logits_BPV.flatten(0, 1), ids_BP.flatten(), {}, at::Reduction::Sum);
    parts.denominator =
        at::full({}, static_cast<double>(ids_BP.numel()), logits_BPV.options());
    return parts;
  }

 private:
  std::unique_ptr<const Switch> Make(const std::string& where,
                                     const std::string& name) {
    const int64_t size = hparams_.GetInt("hidden_size");
    const double dropout = hparams_.GetDouble("dropout");
    if (!residual_) {
      return std::make_unique<const GatedSwitch>(
          root().Sub("body/" + where + name), size, dropout);
    }
    const std::string number = made_ == 0 ? "" : "_" + std::to_string(made_);
    ++made_;
    const std::string model = root().prefix();
    const Scope unit = root().Sub("parallel_0_4/" + model + "/" + model +
                                  "/body/" + where + "rsu" + number);
    return std::make_unique<const ResidualSwitch>(
        unit.Sub(name), unit.Sub("layer_normalization" + number), size,
        dropout);
  }

  // The power of two to which all is filled up.
  int64_t LengthFor(const Features& features) const {
    const int64_t most = hparams_.GetInt("max_length");
    const auto targets = features.find("targets");
    if (!BoolOr(hparams_, "force_max_length", false) &&
        targets != features.end()) {
      const int64_t length = std::max(
          {int64_t{2}, features.at("inputs").size(1), targets->second.size(1)});
      return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(length)));
    }
    const int64_t length = RequiredFeature(features, "inputs").size(1);
    if (most < 2 || !std::has_single_bit(static_cast<uint64_t>(most)) ||
        length > most) {
      throw UsageError("max_length=" + std::to_string(most) +
                           " with inputs of " + std::to_string(length),
                       "a power of two that all inputs fit in",
                       "change --hparams=max_length=...");
    }
    return most;
  }

  at::Tensor Network(const Features& features, nn::Context& context) const {
    const at::Tensor inputs = AsSequence(EmbedInputs(features, context));
    const int64_t length = LengthFor(features);
    const auto bits = static_cast<size_t>(BitsOf(length));
    at::Tensor x_BPD = ToLength(inputs, length);
    if (!residual_) x_BPD = at::tanh(x_BPD);
    // What the last block had before each of its rounds, and at its end.
    std::vector<at::Tensor> earlier(2 * bits + 1);
    for (size_t block = 0; block < forward_.size(); ++block) {
      std::vector<at::Tensor> own = {x_BPD};
      for (size_t round = 0; round < 2 * bits; ++round) {
        const bool there = round < bits;
        const Switch& layer = there ? *forward_[block] : *back_[block];
        x_BPD = Shuffle(layer(x_BPD, earlier[round], context), there);
        own.push_back(x_BPD);
      }
      earlier = std::move(own);
    }
    return (*last_)(x_BPD, earlier.back(), context);
  }

  bool residual_;
  int64_t made_ = 0;
  std::vector<std::unique_ptr<const Switch>> forward_, back_;
  std::unique_ptr<const Switch> last_;
};

template <bool kResidual>
class Shuffling : public ShuffleNetwork {
 public:
  Shuffling(HParams hparams, ProblemInfo info, const ParamOptions& params)
      : ShuffleNetwork(
            kResidual ? "residual_shuffle_exchange" : "shuffle_network",
            kResidual, std::move(hparams), std::move(info), params) {}
};

}  // namespace

void RegisterShuffleNetwork(ModelRegistry& models) {
  AddModel<Shuffling<false>>(models, "shuffle_network");
  AddModel<Shuffling<true>>(models, "residual_shuffle_exchange");
}

}  // namespace t2t
