// The Universal Transformer. Dehghani et al. 2018, "Universal Transformers",
// arXiv:1807.03819: one layer (or a few) applied several times, where each
// position may halt by itself (ACT); and T2T's other recurrences in depth.
// Differs from the paper: layer norm comes before each sublayer, as in T2T.
// Shapes: B batch, L length, D hidden_size.

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/all_models.h"
#include "models/stacked_encoder.h"
#include "models/transformer_config.h"
#include "models/transformer_layers.h"
#include "t2t/base/error.h"
#include "t2t/hparams/values_or.h"
#include "t2t/model/stacked_model.h"
#include "t2t/nn/depth_recurrence.h"
#include "t2t/nn/recur.h"

namespace t2t {
namespace {

using nn::Pass;

struct UniversalConfig {
  static UniversalConfig FromHParams(const HParams& hparams);

  TransformerConfig layer;
  nn::RecurOptions recur;
  StepSignalOptions signals;
  bool is_unit = false;  // a recurrent unit stands where the layers are
  bool unit_has_ffn = false;
  int64_t layers = 1;    // of a step
  bool add_sru = false;  // before them
  int64_t mixed_layers = 0;
  std::string mix;  // where those stand: before_ut, after_ut
};

UniversalConfig UniversalConfig::FromHParams(const HParams& hparams) {
  UniversalConfig config;
  TransformerConfig& layer = config.layer;
  layer = TransformerConfig::FromHParams(hparams);
  config.recur = nn::RecurOptions::FromHParams(hparams, layer.preprocess);
  config.signals = StepSignalOptions::FromHParams(hparams, config.recur.steps);
  // Each step is told the positions anew then.
  if (config.signals.add_position) {
    layer.sequence.position = PositionKind::kNone;
  }
  const std::string ffn = StringOr(hparams, "transformer_ffn_type", "fc");
  if (ffn == "sepconv") {
    layer.ffn.type = "sepconv_relu_sepconv";
  } else if (ffn != "fc") {
    throw UsageError("transformer_ffn_type=" + ffn, "fc or sepconv",
                     "change --hparams=transformer_ffn_type=...");
  }
  layer.remove_padding =
      config.recur.remove_padding && (layer.ffn.type == "dense_relu_dense" ||
                                      layer.ffn.type == "conv_hidden_relu");
  config.is_unit = config.recur.type == "gru" || config.recur.type == "lstm";
  config.unit_has_ffn =
      BoolOr(hparams, "add_ffn_unit_to_the_transition_function", false);
  config.layers = IntOr(hparams, "num_inrecurrence_layers", 1);
  config.add_sru = BoolOr(hparams, "add_sru", false);
  config.mixed_layers = IntOr(hparams, "num_mixedin_layers", 2);
  config.mix = StringOr(hparams, "mix_with_transformer", "none");
  return config;
}

// T2T's attention_unit and ffn_unit.
nn::Block LayerBlock(const Scope& scope, const TransformerConfig& config,
                     bool has_memory, bool has_ffn) {
  std::vector<nn::Residual> units = {ResidualOf<nn::SelfAttention>(
      scope.Sub("self_attention"), config, config.self_attention)};
  if (has_memory) {
    units.push_back(ResidualOf<nn::MemoryAttention>(
        scope.Sub("encdec_attention"), config, config.memory_attention));
  }
  if (has_ffn) {
    units.push_back(ResidualOf<nn::Transition>(
        scope.Sub("ffn"), config, config.ffn, config.remove_padding));
  }
  return nn::Block(std::move(units));
}

// All steps, and plain layers around them.
class UniversalLayers : public nn::Sublayer {
 public:
  UniversalLayers(const Scope& scope, const UniversalConfig& config,
                  bool has_memory)
      : recur_(nn::MakeRecur(scope, config.recur)),
        signals_(scope, config.signals,
                 config.recur.type == "dwa" ? "dense_1" : "dense") {
    const auto add = [&](nn::Stack* stack, const Scope& layer, bool has_ffn) {
      stack->blocks.push_back(
          LayerBlock(layer, config.layer, has_memory, has_ffn));
    };
    const auto has = [&](const char* where) {
      return config.mix.find(where) != std::string::npos;
    };
    for (int64_t i = 0; i < config.mixed_layers; ++i) {
      const std::string name = LayerName(i);
      if (has("before_ut")) add(&before_, scope.Sub("before_ut_" + name), true);
      if (has("after_ut")) add(&after_, scope.Sub("after_ut_" + name), true);
    }
    if (config.is_unit) add(&layers_, scope, config.unit_has_ffn);
    for (int64_t i = 0; i < config.layers && !config.is_unit; ++i) {
      add(&layers_, scope.Sub("rec_layer_" + std::to_string(i)), true);
    }
    if (config.add_sru) {
      FfnOptions sru = config.layer.ffn;
      sru.type = "sru";
      sru_ = std::make_unique<nn::Transition>(scope, sru);
    }
  }

  at::Tensor operator()(const at::Tensor& x_BLD, Pass& pass) const override {
    const at::Tensor positions = nn::PositionsOf(x_BLD, pass);
    const auto plain = [&](const nn::Stack& stack, const at::Tensor& x) {
      const bool told = stack.blocks.empty() || !signals_.adds_position();
      return stack(told ? x : x + TimingSignalAt(positions, x.size(-1)), pass);
    };
    const auto tell = [&](const at::Tensor& state_BLD, int64_t step) {
      const at::Tensor told =
          signals_(state_BLD, positions, step, pass.context());
      return sru_ == nullptr ? told : (*sru_)(told, pass);
    };
    const auto layers = [&](const at::Tensor& state_BLD) {
      return layers_(state_BLD, pass);
    };
    return plain(after_,
                 (*recur_)(plain(before_, x_BLD), {tell, layers}, pass));
  }

  bool CanBeRagged() const override {
    return recur_->CanBeRagged() && signals_.IsFixed() && sru_ == nullptr &&
           before_.CanBeRagged() && layers_.CanBeRagged() &&
           after_.CanBeRagged();
  }
  bool CanStep() const override {
    return recur_->CanStep() && signals_.IsFixed() && before_.CanStep() &&
           layers_.CanStep() && after_.CanStep();
  }

 private:
  std::unique_ptr<const nn::Recur> recur_;
  StepSignals signals_;
  nn::Stack before_, layers_, after_;
  std::unique_ptr<nn::Transition> sru_;
};

MakeStack StepsAndNorm(const HParams& hparams) {
  return [config = UniversalConfig::FromHParams(hparams)](
             const Scope& scope, StackSide side) mutable {
    RefuseSplitModel(scope);
    if (side.is_decoder) {  // nothing looks at its padding
      config.layer.remove_padding = config.recur.remove_padding = false;
    }
    TransformerConfig bare = config.layer;
    bare.preprocess.sequence = bare.postprocess.sequence = "none";
    const Scope own = scope.Sub("universal_transformer_" + config.recur.type);
    nn::Stack stack;
    stack.blocks.push_back(nn::Block(
        {ResidualOf<UniversalLayers>(own, bare, config, side.has_memory)}));
    stack.last.emplace(scope, "layer_prepostprocess", config.layer.preprocess);
    return stack;
  };
}

class UniversalTransformer : public StackedModel {
 public:
  UniversalTransformer(const HParams& hparams, ProblemInfo info,
                       const ParamOptions& params)
      : StackedModel("universal_transformer",
                     UniversalConfig::FromHParams(hparams).layer.sequence,
                     StepsAndNorm(hparams), hparams, std::move(info), params) {}
};

class UniversalTransformerEncoder : public StackedEncoder {
 public:
  UniversalTransformerEncoder(const HParams& hparams, ProblemInfo info,
                              const ParamOptions& params)
      : StackedEncoder("universal_transformer_encoder",
                       UniversalConfig::FromHParams(hparams).layer.sequence,
                       StepsAndNorm(hparams), hparams, std::move(info),
                       params) {}
};

}  // namespace

void RegisterUniversalTransformer(ModelRegistry& models) {
  AddModel<UniversalTransformer>(models, "universal_transformer");
  AddModel<UniversalTransformerEncoder>(models,
                                        "universal_transformer_encoder");
}

}  // namespace t2t
