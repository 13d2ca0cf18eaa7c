// A Transformer of reversible layers: Gomez et al. 2017, "The Reversible
// Residual Network", arXiv:1707.04585. Each half of the channels is changed by
// what the other half says (attention, then a feed-forward layer), and the
// backward pass computes the layers anew instead of keeping them.
// Shapes: B batch, L length, D hidden_size, E half of it.

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "models/all_models.h"
#include "models/transformer_config.h"
#include "models/transformer_layers.h"
#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/model/autocast.h"
#include "t2t/model/stacked_model.h"
#include "t2t/nn/reversible.h"

namespace t2t {
namespace {

using nn::Pass;

// What the layers themselves are made by: half as wide.
TransformerConfig HalfOf(TransformerConfig config) {
  const int64_t half = config.sequence.hidden_size / 2;
  if (2 * half != config.sequence.hidden_size) {
    throw UsageError(
        "hidden_size=" + std::to_string(config.sequence.hidden_size),
        "an even number, for the model transformer_revnet",
        "change --hparams=hidden_size=...");
  }
  if (config.ffn.type == "local_moe") {
    throw UsageError("ffn_layer=local_moe in the model transformer_revnet",
                     "a layer without losses of its own",
                     "change --hparams=ffn_layer=...");
  }
  const auto halve = [&](int64_t* size) {
    if (*size == config.sequence.hidden_size) *size = half;
  };
  for (AttentionOptions* options :
       {&config.self_attention, &config.memory_attention}) {
    options->input_size = options->output_size = half;
    halve(&options->key_channels);
    halve(&options->value_channels);
  }
  config.memory_attention.memory_size = config.sequence.hidden_size;
  config.ffn.hidden_size = half;
  config.preprocess = config.preprocess.OfDepth(half);
  config.postprocess = config.postprocess.OfDepth(half);
  return config;
}

// What a pass over a whole batch sees, for as long as the backward pass needs
// it.
struct OwnPass {
  explicit OwnPass(const Pass& pass)
      : context(pass.training()), causal(pass.causal()) {
    context.rng = pass.context().rng;
    context.precision = pass.context().precision;
    if (pass.whole() != nullptr) whole = *pass.whole();
    if (pass.ragged() != nullptr) ragged = *pass.ragged();
  }

  at::Tensor Run(const nn::Residual& layer, const at::Tensor& x) {
    if (ragged) {
      Pass pass(&context, causal, &*ragged);
      return layer(x, pass);
    }
    Pass pass(&context, causal, &*whole);
    return layer(x, pass);
  }

  nn::Context context;
  bool causal;
  std::optional<nn::WholeRows> whole;
  std::optional<nn::RaggedSequences> ragged;
};

class ReversibleLayers : public nn::Sublayer {
 public:
  // scope: that of T2T's rev_block.
  ReversibleLayers(const Scope& scope, const TransformerConfig& config,
                   int64_t layers, bool has_memory)
      : precision_(config.sequence.activation_type) {
    const TransformerConfig half = HalfOf(config);
    for (int64_t i = 0; i < layers; ++i) {
      const Scope own = scope.Sub("revlayer_" + std::to_string(i));
      const Scope self = own.Sub("f").Sub("self_attention");
      nn::Residual attention =
          ResidualOf<nn::SelfAttention>(self, half, half.self_attention);
      // In T2T what attention to the memory gives stands in place of what
      // self-attention gives, whose parameters are there for nothing.
      if (has_memory) {
        attention = ResidualOf<nn::MemoryAttention>(
            self.Sub("encdec_attention"), half, half.memory_attention);
      }
      layers_.push_back(
          {std::make_shared<nn::Residual>(std::move(attention)),
           std::make_shared<nn::Residual>(ResidualOf<nn::Transition>(
               own.Sub("g").Sub("ffn"), half, half.ffn))});
    }
    for (const ParamStore::Entry& entry : scope.store()->entries()) {
      if (StartsWith(entry.name, scope.prefix() + "/")) {
        parameters_.push_back(entry.tensor);
      }
    }
  }

  at::Tensor operator()(const at::Tensor& x_BLD, Pass& pass) const override {
    const std::vector<at::Tensor> halves_BLE = x_BLD.chunk(2, -1);
    at::Tensor y1 = halves_BLE[0];
    at::Tensor y2 = halves_BLE[1];
    if (pass.step() == nullptr && at::GradMode::is_enabled()) {
      std::tie(y1, y2) = RunReversibly(y1, y2, pass);
    } else {
      for (const Layer& layer : layers_) {
        y1 = y1 + (*layer.f)(y2, pass);
        y2 = y2 + (*layer.g)(y1, pass);
      }
    }
    return at::cat({y1, y2}, -1);
  }

  bool CanBeRagged() const override {
    for (const Layer& layer : layers_) {
      if (!layer.f->CanBeRagged() || !layer.g->CanBeRagged()) return false;
    }
    return true;
  }
  bool CanStep() const override {
    for (const Layer& layer : layers_) {
      if (!layer.f->CanStep() || !layer.g->CanStep()) return false;
    }
    return true;
  }

 private:
  struct Layer {
    std::shared_ptr<const nn::Residual> f, g;
  };

  std::pair<at::Tensor, at::Tensor> RunReversibly(const at::Tensor& x1,
                                                  const at::Tensor& x2,
                                                  const Pass& pass) const {
    const auto own = std::make_shared<OwnPass>(pass);
    const auto run = [own,
                      precision = own->context.precision.value_or(precision_)](
                         std::shared_ptr<const nn::Residual> layer) {
      return [own, precision, layer](const at::Tensor& x) {
        const Autocast autocast(precision);
        return own->Run(*layer, x);
      };
    };
    std::vector<nn::ReversibleLayer> layers;
    for (const Layer& layer : layers_) {
      layers.push_back({run(layer.f), run(layer.g)});
    }
    std::vector<at::Tensor> seen = parameters_;
    const at::Tensor memory =
        own->ragged ? own->ragged->memory_1SD : own->whole->memory_BMD;
    if (memory.defined() && memory.requires_grad()) seen.push_back(memory);
    return nn::RunReversibly(x1, x2, std::move(layers), std::move(seen),
                             pass.context().rng);
  }

  at::ScalarType precision_;
  std::vector<Layer> layers_;
  std::vector<at::Tensor> parameters_;
};

MakeStack Layers(const HParams& hparams) {
  return [config = TransformerConfig::FromHParams(hparams)](const Scope& scope,
                                                            StackSide side) {
    RefuseSplitModel(scope);
    TransformerConfig bare = config;
    bare.preprocess.sequence = bare.postprocess.sequence = "none";
    const std::string& prefix = scope.prefix();
    const Scope body(scope.store(), prefix.substr(0, prefix.rfind('/')),
                     scope.init());
    nn::Stack stack;
    stack.blocks.push_back(nn::Block({ResidualOf<ReversibleLayers>(
        scope.Sub("revblock"), bare, config,
        side.is_decoder ? config.decoder_layers : config.encoder_layers,
        side.has_memory)}));
    // The encoder's last norm is not in its scope.
    stack.last.emplace(side.is_decoder ? scope : body, "layer_prepostprocess",
                       config.preprocess);
    return stack;
  };
}

class TransformerRevnet : public StackedModel {
 public:
  TransformerRevnet(const HParams& hparams, ProblemInfo info,
                    const ParamOptions& params)
      : StackedModel("transformer_revnet",
                     TransformerConfig::FromHParams(hparams).sequence,
                     Layers(hparams), hparams, std::move(info), params) {}
};

}  // namespace

void RegisterTransformerRevnet(ModelRegistry& models) {
  AddModel<TransformerRevnet>(models, "transformer_revnet");
}

}  // namespace t2t
