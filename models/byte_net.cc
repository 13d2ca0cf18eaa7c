// ByteNet. Kalchbrenner et al. 2016, "Neural Machine Translation in Linear
// Time", arXiv:1610.10099: dilated convolutions over the source, and over the
// target with the encoder's output beside it.
// Shapes: B batch, L length, D hidden_size; sequences are grids of width 1.

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/all_models.h"
#include "models/encoder_only.h"
#include "t2t/model/scheduled_sampling.h"
#include "t2t/model/stacked_model.h"
#include "t2t/nn/grid_convolution.h"
#include "t2t/nn/positional.h"
#include "t2t/ops/dropout.h"

namespace t2t {
namespace {

using nn::GridPadding;

// Source and target are filled up to a multiple of it.
constexpr int64_t kLengthUnit = 50;

nn::ConvBlockOptions BlockOptions(const HParams& hparams, int64_t in,
                                  int64_t layers, GridPadding padding) {
  nn::ConvBlockOptions options{.in = in, .out = hparams.GetInt("hidden_size")};
  for (int64_t i = 0; i < layers; ++i) {
    options.windows.push_back({.height = hparams.GetInt("kernel_height"),
                               .width = hparams.GetInt("kernel_width"),
                               .dilation = int64_t{1} << i,
                               .padding = padding});
  }
  return options;
}

// Residual blocks, in each of which the dilation doubles from one convolution
// to the next.
class ResidualDilated {
 public:
  ResidualDilated(const Scope& scope, const HParams& hparams,
                  GridPadding padding)
      : dropout_(hparams.GetDouble("dropout")) {
    const int64_t size = hparams.GetInt("hidden_size");
    const nn::ConvBlockOptions options = BlockOptions(
        hparams, size, hparams.GetInt("num_hidden_layers"), padding);
    for (int64_t i = 0; i < hparams.GetInt("num_block_repeat"); ++i) {
      const Scope own = scope.Sub("repeat_" + std::to_string(i));
      norms_.emplace_back(own.Sub("lnorm"), size);
      blocks_.emplace_back(own.Sub("residual_conv"), options);
    }
  }

  at::Tensor operator()(at::Tensor x, const nn::Context& context) const {
    for (size_t i = 0; i < blocks_.size(); ++i) {
      const at::Tensor y = blocks_[i](norms_[i](x));
      x = x + (context.training ? Dropout(y, dropout_, context.rng) : y);
    }
    return x;
  }

 private:
  double dropout_;
  std::vector<nn::NamedLayerNorm> norms_;
  std::vector<nn::ConvBlock> blocks_;
};

class ByteNet : public Model {
 public:
  ByteNet(HParams hparams, ProblemInfo info, const ParamOptions& params)
      : Model(std::move(hparams), std::move(info), params),
        root_(&params_, "byte_net", DefaultInitializer(hparams_)),
        body_(root_.Sub("body").Sub("bytenet")),
        encoder_(body_.Sub("encoder"), hparams_, GridPadding::kSame),
        join_(body_.Sub("conv_block"),
              BlockOptions(hparams_, 2 * hparams_.GetInt("hidden_size"), 1,
                           GridPadding::kLeft)),
        decoder_(body_.Sub("decoder"), hparams_, GridPadding::kLeft) {
    RequireInputs(info_, "byte_net");
    RefuseScheduledSampling(hparams_);
    RefuseSplitModel(root_);
    MakeEnds(root_);
  }

 protected:
  at::Tensor Body(const Features& features, nn::Context& context) override {
    const at::Tensor inputs_BLD = AsSequence(EmbedInputs(features, context));
    const at::Tensor targets_BLD =
        AsSequence(EmbedTargets(RequiredFeature(features, "targets"), context));
    const int64_t source = inputs_BLD.size(1) + inputs_BLD.size(1) / 2;
    const int64_t longest = std::max(source, targets_BLD.size(1));
    const int64_t length =
        (longest + kLengthUnit - 1) / kLengthUnit * kLengthUnit;

    const at::Tensor encoded =
        encoder_(ToLength(inputs_BLD, length).unsqueeze(2), context);
    const at::Tensor shifted =
        ShiftRight(ToLength(targets_BLD, length)).unsqueeze(2);
    const at::Tensor joined = join_(at::cat({encoded, shifted}, 3));
    return ToLength(decoder_(joined, context).squeeze(2), targets_BLD.size(1));
  }

 private:
  Scope root_, body_;
  ResidualDilated encoder_;
  nn::ConvBlock join_;
  ResidualDilated decoder_;
};

}  // namespace

void RegisterByteNet(ModelRegistry& models) {
  AddModel<ByteNet>(models, "byte_net");
}

}  // namespace t2t
