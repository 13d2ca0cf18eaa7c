// Kim 2014, "Convolutional Neural Networks for Sentence Classification",
// arXiv:1408.5882: convolutions of several widths over the words, and of each
// filter its largest output.
// Shapes: B batch, L length, D hidden_size, F num_filters.

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "models/all_models.h"
#include "models/encoder_only.h"
#include "t2t/base/error.h"
#include "t2t/nn/grid_convolution.h"
#include "t2t/ops/dropout.h"

namespace t2t {
namespace {

// A normal distribution without what is more than two deviations away.
Initializer CutNormal(double stddev) {
  return [stddev](uint64_t seed, at::IntArrayRef shape) {
    // Its own deviation is smaller, which that of a fan makes up for.
    constexpr double kOwn = 0.87962566103423978;
    const double scale = stddev * kOwn * stddev * kOwn * FansOf(shape).in;
    return VarianceScalingInit(scale, "fan_in", "normal")(seed, shape);
  };
}

class TextCnn : public EncoderOnlyModel {
 public:
  TextCnn(HParams hparams, ProblemInfo info, const ParamOptions& params)
      : EncoderOnlyModel("text_cnn", std::move(hparams), std::move(info),
                         params),
        dropout_(hparams_.GetDouble("output_dropout")) {
    const std::vector<int64_t> widths = hparams_.GetInts("filter_sizes");
    const int64_t filters = hparams_.GetInt("num_filters");
    if (widths.empty() || *std::min_element(widths.begin(), widths.end()) < 1) {
      throw UsageError("filter_sizes of text_cnn",
                       "widths from 1 up, such as 2;3;4",
                       "change filter_sizes in --hparams");
    }
    // T2T makes these outside of variable scopes: so TensorFlow names them.
    const Scope body = root().Sub("parallel_0_4/text_cnn/text_cnn/body");
    for (const int64_t width : widths) {
      const Scope own = body.Sub("conv-maxpool-" + std::to_string(width));
      filters_.push_back(
          {own.Param("W", {width, hparams_.GetInt("hidden_size"), 1, filters},
                     CutNormal(0.1)),
           own.Param("b", {filters}, ConstantInit(0.1))});
    }
    longest_ = *std::max_element(widths.begin(), widths.end());
    MakeEnds(root(), filters * static_cast<int64_t>(widths.size()));
  }

 protected:
  at::Tensor Body(const Features& features, nn::Context& context) override {
    at::Tensor x_BLD = AsSequence(EmbedInputs(features, context));
    // T2T has no outputs, and no number, for a text shorter than a filter.
    x_BLD = ToLength(x_BLD, std::max(x_BLD.size(1), longest_));
    std::vector<at::Tensor> largest;
    for (const Filters& filters : filters_) {
      const nn::Window window = {.height = filters.kernel.size(0),
                                 .width = filters.kernel.size(1),
                                 .padding = nn::GridPadding::kValid};
      largest.push_back(
          at::relu(nn::ConvolveGrid(x_BLD.unsqueeze(3), filters.kernel,
                                    filters.bias, window))
              .amax({1, 2}));  // [B, F]
    }
    const at::Tensor all = at::cat(largest, 1).unsqueeze(1);
    return context.training ? Dropout(all, dropout_, context.rng) : all;
  }

 private:
  struct Filters {
    at::Tensor kernel;
    at::Tensor bias;
  };

  double dropout_;
  std::vector<Filters> filters_;
  int64_t longest_ = 0;
};

}  // namespace

void RegisterTextCnn(ModelRegistry& models) {
  AddModel<TextCnn>(models, "text_cnn");
}

}  // namespace t2t
