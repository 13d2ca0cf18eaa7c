#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/modality/modality_base.h"
#include "t2t/nn/dense.h"
#include "t2t/nn/norm.h"

namespace t2t {
namespace {

constexpr int64_t kPixelEmbeddingSize = 64;
constexpr int64_t kRgb = 3;
constexpr int64_t kLevels = 256;

void CheckImage(const at::Tensor& x) {
  if (x.dim() == 4) return;
  throw MismatchError(
      "images in a batch of " + std::to_string(x.dim()) + " dimensions",
      "[batch, height, width, channels]");
}

// Pixels of 0 to 255: numbers as they are at the bottom; as targets, embedded;
// a softmax for each channel of each pixel at the top.
class Image : public ModalityBase {
 public:
  Image(const Scope& scope, ModalitySpec given)
      : ModalityBase(std::move(given)) {
    if (spec().side != Side::kTargets) return;
    const Scope bottom = scope.Sub("image_modality");
    pixels_ = bottom.Param("pixel_embedding",
                           {spec().vocab_size, kPixelEmbeddingSize});
    merge_ =
        Dense(bottom.Sub("merge_pixel_embedded_channels"),
              kPixelEmbeddingSize * spec().num_channels, spec().hidden_size);
    if (!spec().has_top) return;
    softmax_ = Dense(scope.Sub("rgb_softmax").Sub("dense"), spec().body_size,
                     spec().vocab_size * spec().num_channels);
  }

  at::Tensor Bottom(const at::Tensor& x, const nn::Context&) const override {
    CheckImage(x);
    return x.to(at::kFloat);
  }

  at::Tensor TargetsBottom(const at::Tensor& x,
                           const nn::Context&) const override {
    CheckImage(x);
    // Embeds each channel, then all of a pixel's as one vector.
    return merge_(at::embedding(pixels_, x.to(at::kLong)).flatten(3));
  }

  // [batch, height, width, channels, 256].
  at::Tensor Top(const at::Tensor& body_output) const override {
    std::vector<int64_t> shape = body_output.sizes().vec();
    shape.back() = spec().num_channels;
    shape.push_back(spec().vocab_size);
    return softmax_(body_output).to(at::kFloat).reshape(shape);
  }

 private:
  at::Tensor pixels_;
  Dense merge_;
  Dense softmax_;
};

// Each pixel's three channels, in -1 to 1, through one dense layer with relu at
// the bottom; the body's output are the logits.
class ImageChannelIdentity : public ModalityBase {
 public:
  ImageChannelIdentity(const Scope& scope, ModalitySpec given)
      : ModalityBase(std::move(given)) {
    const Scope convolution =
        scope
            .Sub(spec().side == Side::kTargets ? "output_bottom"
                                               : "input_bottom")
            .Sub("conv_input");
    kernel_ = convolution.Param("kernel", {1, kRgb, 1, spec().hidden_size});
    bias_ = convolution.Param("bias", {spec().hidden_size}, ZerosInit());
  }

  at::Tensor Bottom(const at::Tensor& x, const nn::Context&) const override {
    CheckImage(x);
    const at::Tensor pixels = x.to(at::kFloat) / 127.5 - 1.0;
    const at::Tensor triples = pixels.reshape({x.size(0), x.size(1), -1, kRgb});
    return at::relu(at::linear(
        triples, kernel_.reshape({kRgb, spec().hidden_size}).t(), bias_));
  }
  at::Tensor TargetsBottom(const at::Tensor& x,
                           const nn::Context& context) const override {
    return Bottom(x, context);
  }
  at::Tensor Top(const at::Tensor& body_output) const override {
    return body_output.to(at::kFloat);
  }

 private:
  at::Tensor kernel_;
  at::Tensor bias_;
};

// The same bottom; at the top each pixel's vector becomes one of each channel,
// and these logits.
class ImageChannelCompress : public ImageChannelIdentity {
 public:
  ImageChannelCompress(const Scope& scope, ModalitySpec given)
      : ImageChannelIdentity(scope, std::move(given)) {
    if (spec().side != Side::kTargets || !spec().has_top) return;
    const Scope top = scope.Sub("image_channel_compress_modality");
    const int64_t hidden = spec().hidden_size;
    const Scope decompress = top.Sub("decompress_conv");
    decompress_ =
        decompress.Param("kernel", {1, 1, spec().body_size, hidden * kRgb});
    decompress_bias_ = decompress.Param("bias", {hidden * kRgb}, ZerosInit());
    const std::string& sequence = spec().layer_preprocess_sequence;
    if (sequence == "n") {
      norm_.emplace(top.Sub("layer_prepostprocess"), spec().norm_type, hidden,
                    spec().norm_epsilon);
    } else if (sequence != "none" && !sequence.empty()) {
      throw UsageError("layer_preprocess_sequence=" + sequence +
                           " with the modality image_channel_compress",
                       "n or none");
    }
    output_ = Dense(top.Sub("output_conv"), hidden, spec().vocab_size);
  }

  // [batch, height, width, 3, 256].
  at::Tensor Top(const at::Tensor& body_output) const override {
    const int64_t hidden = spec().hidden_size;
    at::Tensor x = at::relu(at::linear(
        body_output, decompress_.reshape({spec().body_size, hidden * kRgb}).t(),
        decompress_bias_));
    std::vector<int64_t> shape = body_output.sizes().vec();
    shape.back() = kRgb;
    shape.push_back(hidden);
    x = x.reshape(shape);
    if (norm_) x = (*norm_)(x);
    return output_(x).to(at::kFloat);
  }

 private:
  at::Tensor decompress_, decompress_bias_;
  std::optional<Norm> norm_;
  Dense output_;
};

// Numbers as they are at the bottom; as targets, a vector of each channel, side
// by side in a row ([batch, height, width * channels, hidden]), from a table of
// each channel's own values. The top is a dense layer of such vectors.
class ImageChannelEmbeddings : public ModalityBase {
 public:
  ImageChannelEmbeddings(const Scope& scope, ModalitySpec given)
      : ModalityBase(std::move(given)) {
    if (spec().side != Side::kTargets) return;
    table_ = scope.Param("rgb_target_emb_input_bottom",
                         {kLevels * spec().num_channels, spec().hidden_size});
    if (!spec().has_top) return;
    output_ = Dense(scope.Sub("image_channel_embeddings_bottom/output_conv"),
                    spec().body_size, kLevels);
  }

  at::Tensor Bottom(const at::Tensor& x, const nn::Context&) const override {
    CheckImage(x);
    return x.to(at::kFloat);
  }

  at::Tensor TargetsBottom(const at::Tensor& x,
                           const nn::Context&) const override {
    CheckImage(x);
    const at::Tensor ids = x.to(at::kLong);
    const at::Tensor first =
        at::arange(spec().num_channels, ids.options()) * kLevels;
    const double scale = std::sqrt(static_cast<double>(spec().hidden_size));
    return (at::embedding(table_, ids + first) * scale).flatten(2, 3);
  }

  // [batch, height, width, channels, 256].
  at::Tensor Top(const at::Tensor& body_output) const override {
    return output_(body_output)
        .to(at::kFloat)
        .unflatten(2, {-1, spec().num_channels});
  }

 private:
  at::Tensor table_;
  Dense output_;
};

}  // namespace

std::unique_ptr<Modality> MakeImage(const Scope& scope, ModalitySpec spec) {
  return std::make_unique<Image>(scope, std::move(spec));
}

std::unique_ptr<Modality> MakeImageChannelIdentity(const Scope& scope,
                                                   ModalitySpec spec) {
  return std::make_unique<ImageChannelIdentity>(scope, std::move(spec));
}

std::unique_ptr<Modality> MakeImageChannelCompress(const Scope& scope,
                                                   ModalitySpec spec) {
  return std::make_unique<ImageChannelCompress>(scope, std::move(spec));
}

std::unique_ptr<Modality> MakeImageChannelEmbeddings(const Scope& scope,
                                                     ModalitySpec spec) {
  return std::make_unique<ImageChannelEmbeddings>(scope, std::move(spec));
}

}  // namespace t2t
