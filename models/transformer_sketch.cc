// A Transformer that draws what it sees: the encoder's input is an image after
// strided convolutions.
// Shapes: B batch, H height, W width, D hidden_size.

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "models/all_models.h"
#include "models/image_inputs.h"
#include "models/transformer.h"
#include "t2t/nn/grid_convolution.h"

namespace t2t {
namespace {

// T2T's num_compress_steps, which is in none of its sets.
constexpr int64_t kCompressions = 4;

at::Tensor Even(const at::Tensor& x_BHWD) {
  return at::constant_pad_nd(
      x_BHWD, {0, 0, 0, x_BHWD.size(2) % 2, 0, x_BHWD.size(1) % 2});
}

class TransformerSketch : public Transformer {
 public:
  TransformerSketch(HParams hparams, ProblemInfo info,
                    const ParamOptions& params)
      : Transformer("transformer_sketch",
                    TransformerConfig::FromHParams(hparams), hparams,
                    std::move(info), params) {
    if (!has_encoder()) return;
    const int64_t size = config().sequence.hidden_size;
    int64_t in = ImageChannels(info_, "transformer_sketch");
    const Scope own(&params_, "transformer_sketch/body/downstride",
                    DefaultInitializer(hparams_));
    for (int64_t i = 0; i < kCompressions; ++i) {
      const std::string number = std::to_string(i);
      convolutions_.emplace_back(
          own.Sub("conv_" + number),
          nn::GridConvOptions{
              .in = in,
              .out = size,
              .window = {.height = 4, .width = 4, .stride = 2}});
      norms_.emplace_back(
          own.Sub(i == 0 ? "layer_norm" : "layer_norm_" + number), size);
      in = size;
    }
  }

 protected:
  at::Tensor InputSequence(const at::Tensor& images_BHWC) const override {
    at::Tensor x_BHWD = images_BHWC;
    for (size_t i = 0; i < convolutions_.size(); ++i) {
      x_BHWD = norms_[i](nn::BipolarElu(convolutions_[i](Even(x_BHWD))));
    }
    return AsSequence(x_BHWD);
  }

 private:
  std::vector<nn::GridConv> convolutions_;
  std::vector<nn::NamedLayerNorm> norms_;
};

}  // namespace

void RegisterTransformerSketch(ModelRegistry& models) {
  AddModel<TransformerSketch>(models, "transformer_sketch");
}

}  // namespace t2t
