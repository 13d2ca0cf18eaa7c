// Gene expression out of DNA: the convolutions of Kelley et al. 2017,
// "Basenji", doi:10.1101/161851, with layer norm in place of batch norm. Wide
// convolutions with pools shorten the sequence, dilated ones see far, each
// beside all that came before it. Shapes: B batch, L length, C channels;
// sequences are grids [B, L, 1, C].

#include <ATen/ATen.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/all_models.h"
#include "models/encoder_only.h"
#include "t2t/base/error.h"
#include "t2t/model/stacked_model.h"
#include "t2t/nn/dense.h"
#include "t2t/nn/grid_convolution.h"

namespace t2t {
namespace {

// Over positions and channels at once: TensorFlow's contrib.layers.layer_norm.
class WholeLayerNorm {
 public:
  WholeLayerNorm() = default;
  WholeLayerNorm(const Scope& scope, int64_t size)
      : gamma_(scope.Param("gamma", {size}, OnesInit())),
        beta_(scope.Param("beta", {size}, ZerosInit())) {}

  at::Tensor operator()(const at::Tensor& x_BLC) const {
    const at::Tensor normal =
        at::layer_norm(x_BLC, {x_BLC.size(1), x_BLC.size(2)}, {}, {}, 1e-12);
    return normal * gamma_ + beta_;
  }

 private:
  at::Tensor gamma_, beta_;
};

// (T2T's never drops anything, whatever hparam dropout says.)
class GeneExpressionConv : public EncoderOnlyModel {
 public:
  GeneExpressionConv(HParams hparams, ProblemInfo info,
                     const ParamOptions& params)
      : EncoderOnlyModel("gene_expression_conv", std::move(hparams),
                         std::move(info), params),
        pools_(hparams_.GetInts("pooling_windows")) {
    RefuseSplitModel(root());
    const auto layers = static_cast<size_t>(hparams_.GetInt("num_conv_layers"));
    if (pools_.size() != layers) {
      throw UsageError(
          "pooling_windows for " + std::to_string(pools_.size()) +
              " layers and num_conv_layers=" + std::to_string(layers),
          "one window for each layer", "change them in --hparams");
    }
    const Scope body = root().Sub("body");
    const int64_t size = hparams_.GetInt("hidden_size");
    const auto block = [&](const std::string& name, int64_t in, int64_t stride,
                           int64_t dilation) {
      return nn::ConvBlock(
          body.Sub(name).Sub("conv_block"),
          {.in = in,
           .out = size,
           .windows = {{.height = hparams_.GetInt("kernel_width"),
                        .stride = stride,
                        .dilation = dilation}},
           .first_relu = false});
    };
    for (size_t i = 0; i < layers; ++i) {
      convolutions_.push_back(block("conv_" + std::to_string(i + 1), size,
                                    hparams_.GetInt("stride"), 1));
    }
    int64_t width = size;
    for (int64_t i = 1; i <= hparams_.GetInt("num_dconv_layers"); ++i) {
      dilated_.push_back(
          block("dconv_" + std::to_string(i), width, 1, int64_t{1} << i));
      width += size;
    }
    last_ = Dense(body.Sub("fc").Sub("dense"), width, size);
    last_norm_ = WholeLayerNorm(body.Sub("fc").Sub("LayerNorm"), size);
    MakeEnds(root());
  }

 protected:
  at::Tensor Body(const Features& features, nn::Context& context) override {
    at::Tensor x = AsSequence(EmbedInputs(features, context)).unsqueeze(2);
    for (size_t i = 0; i < convolutions_.size(); ++i) {
      x = at::relu(convolutions_[i](x));
      if (pools_[i] == 0) continue;
      x = nn::MaxPool(x, {.height = pools_[i], .stride = pools_[i]});
    }
    for (const nn::ConvBlock& block : dilated_) {
      x = at::cat({x, at::relu(block(x))}, 3);
    }
    return at::relu(last_norm_(last_(x.squeeze(2))));
  }

 private:
  std::vector<int64_t> pools_;
  std::vector<nn::ConvBlock> convolutions_, dilated_;
  Dense last_;
  WholeLayerNorm last_norm_;
};

}  // namespace

void RegisterGeneExpression(ModelRegistry& models) {
  AddModel<GeneExpressionConv>(models, "gene_expression_conv");
}

}  // namespace t2t
