// A residual network on a mesh of devices: He et al. 2015, "Deep Residual
// Learning for Image Recognition", arXiv:1512.03385, in the layers of Shazeer
// et al. 2018, "Mesh-TensorFlow", arXiv:1811.02084. Nothing is made smaller on
// the way, so that an image can lie on the mesh in blocks (row_blocks,
// col_blocks), which change nothing in what is computed. Here it is on one
// device of the mesh (its rows of the batch).
// Shapes: B batch, H height, W width, C channels.

#include <ATen/ATen.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/all_models.h"
#include "models/encoder_only.h"
#include "models/image_inputs.h"
#include "t2t/base/error.h"
#include "t2t/model/stacked_model.h"
#include "t2t/nn/batch_norm.h"
#include "t2t/nn/dense.h"
#include "t2t/nn/grid_convolution.h"

namespace t2t {
namespace {

nn::GridConv Convolution(const Scope& scope, int64_t in, int64_t out,
                         int64_t size) {
  return nn::GridConv(scope, {.in = in,
                              .out = out,
                              .window = {.height = size, .width = size},
                              .bias = false});
}

// 1x1, 3x3 with four times as many filters, 1x1, and the input added, or a
// projection of it.
class Bottleneck {
 public:
  Bottleneck(const Scope& scope, int64_t in, int64_t filters, bool projects)
      : first_(Convolution(scope.Sub("conv0"), in, filters, 1)),
        first_norm_(scope.Sub(projects ? "batch_norm_1" : "batch_norm"),
                    filters),
        wide_(Convolution(scope.Sub("conv1"), filters, 4 * filters, 3)),
        wide_norm_(scope.Sub(projects ? "batch_norm_2" : "batch_norm_1"),
                   4 * filters),
        last_(Convolution(scope.Sub("conv2"), 4 * filters, filters, 1)) {
    if (!projects) return;
    projection_.emplace(Convolution(scope.Sub("shortcut0"), in, filters, 1));
    projection_norm_.emplace(scope.Sub("batch_norm"), filters,
                             nn::BatchNormOptions{.starts_at_zero = true});
  }

  at::Tensor operator()(const at::Tensor& x_BHWC,
                        const nn::Context& context) const {
    const at::Tensor shortcut =
        projection_ ? (*projection_norm_)((*projection_)(x_BHWC), context)
                    : x_BHWC;
    at::Tensor y = at::relu(first_norm_(first_(x_BHWC), context));
    y = at::relu(wide_norm_(wide_(y), context));
    return at::relu(shortcut + last_(y));
  }

 private:
  nn::GridConv first_;
  nn::BatchNorm first_norm_;
  nn::GridConv wide_;
  nn::BatchNorm wide_norm_;
  nn::GridConv last_;
  std::optional<nn::GridConv> projection_;
  std::optional<nn::BatchNorm> projection_norm_;
};

class MtfResnet : public EncoderOnlyModel {
 public:
  MtfResnet(HParams hparams, ProblemInfo info, const ParamOptions& params)
      : EncoderOnlyModel("mtf_res_net", std::move(hparams), std::move(info),
                         params) {
    RefuseSplitModel(root());
    const int64_t channels = ImageChannels(info_, "mtf_res_net");
    const std::vector<int64_t>& shape = info_.features.at("inputs").shape;
    const int64_t rows = hparams_.GetInt("rows_size");
    const int64_t columns = hparams_.GetInt("cols_size");
    if (shape[0] != rows || shape[1] != columns) {
      throw MismatchError("rows_size=" + std::to_string(rows) +
                              ", cols_size=" + std::to_string(columns) +
                              " with images of " + std::to_string(shape[0]) +
                              " x " + std::to_string(shape[1]),
                          "the images' size, the same for all",
                          "change rows_size and cols_size in --hparams");
    }
    const std::vector<int64_t> filters = hparams_.GetInts("filter_sizes");
    const std::vector<int64_t> blocks = hparams_.GetInts("layer_sizes");
    if (filters.size() < 3 || blocks.size() < 3) {
      throw UsageError("too few filter_sizes or layer_sizes", "three of each",
                       "change them in --hparams");
    }
    int64_t in = filters[0];
    first_.emplace(Convolution(root().Sub("initial_filter"), channels, in, 3));
    first_norm_.emplace(root().Sub("batch_norm"), in);
    const int64_t layers = hparams_.GetInt("num_layers");
    for (int64_t layer = 0; layer < layers; ++layer) {
      const Scope own = root().Sub("block_layer_" + std::to_string(layer));
      for (size_t group = 0; group < 3; ++group) {
        const Scope scope = own.Sub("block_layer" + std::to_string(group + 1));
        for (int64_t i = 0; i < blocks[group]; ++i) {
          blocks_.emplace_back(
              i == 0 ? scope : scope.Sub("bottleneck_" + std::to_string(i)), in,
              filters[group], /*projects=*/i == 0);
          in = filters[group];
        }
      }
    }
    const int64_t size = hparams_.GetInt("hidden_size");
    dense_ = Dense(root().Sub("dense"), rows * columns * in, size);
    MakeEndsButTop(root());
    top_ = Dense(root().Sub("logits"), size, target_modality().vocab_size());
  }

 protected:
  at::Tensor Body(const Features& features, nn::Context& context) override {
    at::Tensor x = at::relu(
        (*first_norm_)((*first_)(EmbedInputs(features, context)), context));
    for (const Bottleneck& block : blocks_) x = block(x, context);
    return at::relu(dense_(x.flatten(1)));
  }

  at::Tensor Top(const at::Tensor& body_output) const override {
    return top_(body_output).unsqueeze(1);
  }

 private:
  std::optional<nn::GridConv> first_;
  std::optional<nn::BatchNorm> first_norm_;
  std::vector<Bottleneck> blocks_;
  Dense dense_, top_;
};

}  // namespace

void RegisterMeshResnet(ModelRegistry& models) {
  AddModel<MtfResnet>(models, "mtf_res_net");
}

}  // namespace t2t
