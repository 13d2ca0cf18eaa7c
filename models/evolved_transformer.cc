// The Evolved Transformer. So, Liang and Le 2019, "The Evolved Transformer",
// arXiv:1901.11117: a Transformer whose two cells (figure 3) were found by
// evolution.
// Differs from the paper: sizes of branches are those of T2T's code.
// Shapes: B batch, L length, D hidden_size, W a branch's width.

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/all_models.h"
#include "models/transformer_config.h"
#include "models/transformer_layers.h"
#include "t2t/hparams/values_or.h"
#include "t2t/model/stacked_model.h"
#include "t2t/nn/branches.h"
#include "t2t/nn/dense.h"

namespace t2t {
namespace {

using nn::Pass;

// A wide and a narrow branch side by side, with a norm of both, then a
// convolution. Convolutions see no padding.
template <class Wide, class Narrow>
class Branches : public nn::Sublayer {
 public:
  Branches(const Scope& scope, const TransformerConfig& config, Wide wide,
           int64_t width, Narrow narrow, SeparableConv1d join)
      : width_(width),
        dropout_(config.sequence.dropout),
        wide_(std::move(wide)),
        narrow_(std::move(narrow)),
        norm_(scope, "layer_prepostprocess_1",
              config.preprocess.OfDepth(width)),
        join_(std::move(join)) {}

  at::Tensor operator()(const at::Tensor& x_BLD, Pass& pass) const override {
    const at::Tensor seen_BLD = nn::ZeroPadding(x_BLD, pass);
    const at::Tensor wide_BLW = nn::Run(wide_, seen_BLD, pass).relu();
    at::Tensor narrow = nn::Run(narrow_, seen_BLD, pass);
    if (!pass.causal()) narrow = narrow.relu();  // the encoder's
    narrow = nn::Widen(nn::DropOut(narrow, dropout_, pass), width_);
    const at::Tensor both_BLW = norm_(
        {}, nn::DropOut(wide_BLW, dropout_, pass) + narrow, pass.context());
    const at::Tensor y = nn::Run(join_, nn::ZeroPadding(both_BLW, pass), pass);
    return nn::Widen(y, x_BLD.size(-1));
  }

 private:
  int64_t width_;
  double dropout_;
  Wide wide_;
  Narrow narrow_;
  PrePost norm_;
  SeparableConv1d join_;
};

// A feed-forward layer; the decoder's has swish for ReLU, and a norm within.
class DenseLayers : public nn::Sublayer {
 public:
  DenseLayers(const Scope& scope, const TransformerConfig& config, int64_t d,
              bool decoder)
      : dropout_(config.sequence.dropout),
        first_(scope.Sub("dense"), d, 4 * d),
        second_(scope.Sub("dense_1"), 4 * d, d) {
    if (decoder) {
      norm_.emplace(scope, "layer_prepostprocess_1",
                    config.preprocess.OfDepth(4 * d));
    }
  }

  at::Tensor operator()(const at::Tensor& x_BLD, Pass& pass) const override {
    at::Tensor x_BLW = first_(x_BLD);
    x_BLW = nn::DropOut(norm_ ? at::silu(x_BLW) : x_BLW.relu(), dropout_, pass);
    return second_(norm_ ? (*norm_)({}, x_BLW, pass.context()) : x_BLW);
  }

 private:
  double dropout_;
  Dense first_, second_;
  std::optional<PrePost> norm_;
};

using Residuals = std::vector<nn::Residual>;

Residuals EncoderCell(const Scope& scope, const TransformerConfig& config) {
  const int64_t d = config.sequence.hidden_size;
  const Scope branches = scope.Sub("conv_branches");
  return {ResidualOf<nn::GatedLinearUnit>(scope.Sub("gated_linear_unit"),
                                          config, d),
          ResidualOf<Branches<Dense, Conv1d>>(
              branches, config, config, Dense(branches.Sub("dense"), d, 4 * d),
              4 * d, Conv1d(branches.Sub("standard_conv_3x1"), {d, d / 2, 3}),
              SeparableConv1d(branches.Sub("separable_conv_9x1"),
                              {4 * d, d / 2, 9})),
          ResidualOf<nn::SelfAttention>(scope.Sub("self_attention"), config,
                                        config.self_attention),
          ResidualOf<DenseLayers>(scope.Sub("dense_layers"), config, config, d,
                                  /*decoder=*/false)};
}

Residuals DecoderCell(const Scope& scope, const TransformerConfig& config,
                      bool has_memory) {
  const int64_t d = config.sequence.hidden_size;
  const Scope first = scope.Sub("16_head_self_attention");
  const Scope branches = scope.Sub("conv_branches");
  // Twice as many heads, up to 16.
  AttentionOptions many = config.self_attention;
  many.heads = std::max(many.heads, std::min<int64_t>(2 * many.heads, 16));
  Residuals residuals;
  if (has_memory) {
    // Two attentions at once, each of which drops out by itself.
    TransformerConfig adds = config;
    adds.postprocess.sequence.assign(1, 'a');
    residuals.push_back(ResidualOf<nn::SumOfBranches>(
        first, adds, config.sequence.dropout,
        std::vector<nn::SublayerPtr>{
            std::make_shared<nn::SelfAttention>(first, many),
            std::make_shared<nn::MemoryAttention>(
                scope.Sub("first_attend_to_encoder"),
                config.memory_attention)}));
  } else {
    residuals.push_back(ResidualOf<nn::SelfAttention>(first, config, many));
  }
  residuals.push_back(ResidualOf<Branches<SeparableConv1d, SeparableConv1d>>(
      branches, config, config,
      SeparableConv1d(branches.Sub("separable_conv11x1"), {d, 2 * d, 11}),
      2 * d,
      SeparableConv1d(branches.Sub("separable_conv_7x1_1"), {d, d / 2, 7}),
      SeparableConv1d(branches.Sub("separable_conv_7x1_2"), {2 * d, d, 7})));
  residuals.push_back(ResidualOf<nn::SelfAttention>(
      scope.Sub("self_attention"), config, config.self_attention));
  if (has_memory) {
    residuals.push_back(
        ResidualOf<nn::MemoryAttention>(scope.Sub("second_attend_to_encoder"),
                                        config, config.memory_attention));
  }
  residuals.push_back(ResidualOf<DenseLayers>(scope.Sub("dense_layers"), config,
                                              config, d, /*decoder=*/true));
  return residuals;
}

int64_t TrainedLayers(const HParams& hparams) {
  return IntOr(hparams, "num_trainable_top_decoder_layers", -1);
}

// Where embeddings are not trained, T2T gives the softmax a table of its own.
HParams WithOwnSoftmax(HParams hparams) {
  if (TrainedLayers(hparams) >= 0 &&
      hparams.GetBool("shared_embedding_and_softmax_weights")) {
    hparams.Set("shared_embedding_and_softmax_weights", false);
    hparams.Set("shared_embedding", true);
  }
  return hparams;
}

MakeStack Cells(const HParams& hparams) {
  TransformerConfig config = TransformerConfig::FromHParams(hparams);
  // There is no hard attention here, as in T2T.
  config.self_attention.hard_attention_k = 0;
  config.memory_attention.hard_attention_k = 0;
  return [config, trained = TrainedLayers(hparams)](const Scope& scope,
                                                    StackSide side) {
    RefuseSplitModel(scope);
    const int64_t count =
        side.is_decoder ? config.decoder_layers : config.encoder_layers;
    nn::Stack stack = StackOf(scope, config, count, [&](const Scope& layer) {
      Residuals cell = side.is_decoder
                           ? DecoderCell(layer, config, side.has_memory)
                           : EncoderCell(layer, config);
      return trained < 0 ? nn::Block(layer, std::move(cell))
                         : nn::Block(std::move(cell));
    });
    const int64_t top = side.is_decoder ? trained : 0;
    if (trained >= 0 && top <= count) stack.trained_from = count - top;
    return stack;
  };
}

class EvolvedTransformer : public StackedModel {
 public:
  EvolvedTransformer(const HParams& hparams, ProblemInfo info,
                     const ParamOptions& params)
      : StackedModel("evolved_transformer",
                     TransformerConfig::FromHParams(hparams).sequence,
                     Cells(hparams), WithOwnSoftmax(hparams), std::move(info),
                     params) {}
};

}  // namespace

void RegisterEvolvedTransformer(ModelRegistry& models) {
  AddModel<EvolvedTransformer>(models, "evolved_transformer");
}

}  // namespace t2t
