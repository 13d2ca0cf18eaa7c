#include "models/autoencoder_layers.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "t2t/hparams/values_or.h"
#include "t2t/ops/dropout.h"

namespace t2t {
namespace {

// T2T's add_timing_signal_nd: sines and cosines of a place's row in some
// channels, of its column in others.
at::Tensor AddPlaces(const at::Tensor& x_BHWI) {
  const int64_t channels = x_BHWI.size(3);
  const int64_t scales = channels / 4;
  const double step =
      std::log(1e4) / static_cast<double>(std::max<int64_t>(scales - 1, 1));
  const at::Tensor inverse =
      at::exp(at::arange(scales, x_BHWI.options()) * -step);
  at::Tensor x = x_BHWI;
  for (int64_t dim = 0; dim < 2; ++dim) {
    const at::Tensor angle =
        at::arange(x.size(dim + 1), x.options()).unsqueeze(1) * inverse;
    const int64_t before = dim * 2 * scales;
    const at::Tensor signal =
        at::constant_pad_nd(at::cat({at::sin(angle), at::cos(angle)}, 1),
                            {before, channels - before - 2 * scales});
    x = x + (dim == 0 ? signal.unsqueeze(1) : signal);
  }
  return x;
}

at::Tensor Even(const at::Tensor& x_BHWI, bool is_line) {
  return at::constant_pad_nd(x_BHWI, {0, 0, 0, is_line ? 0 : x_BHWI.size(2) % 2,
                                      0, x_BHWI.size(1) % 2});
}

std::vector<nn::GridConv> Residuals(const Scope& scope, int64_t filters,
                                    const AutoencoderOptions& options) {
  std::vector<nn::GridConv> layers;
  if (!options.is_residual) return layers;
  int64_t in = filters;
  for (int64_t i = 0; i < options.residuals; ++i) {
    const int64_t out =
        i + 1 < options.residuals
            ? static_cast<int64_t>(static_cast<double>(filters) *
                                   options.residual_multiplier)
            : filters;
    layers.emplace_back(
        scope.Sub("residual_" + std::to_string(i)),
        nn::GridConvOptions{
            .in = in,
            .out = out,
            .window = {.height = options.residual_height,
                       .width = options.is_line ? 1 : options.residual_width},
            .separable = options.separable});
    in = out;
  }
  return layers;
}

at::Tensor Run(const std::vector<nn::GridConv>& layers, at::Tensor x) {
  for (const nn::GridConv& layer : layers) x = nn::BipolarElu(layer(x));
  return x;
}

at::Tensor Drop(const at::Tensor& x, double rate, const CodePass& pass,
                const std::vector<int64_t>& broadcast_dims = {}) {
  return pass.training() ? Dropout(x, rate, pass.context->rng, broadcast_dims)
                         : x;
}

// "ln_0" and "conv_0" in one scope; the residual models' in one for each layer.
Scope LayerScope(const Scope& scope, const AutoencoderOptions& options,
                 int64_t index, const char* plain, int64_t plain_index) {
  return options.is_residual ? scope.Sub("layer_" + std::to_string(index))
                                   .Sub(plain[0] == 'l' ? "ln" : "strided")
                             : scope.Sub(plain + std::to_string(plain_index));
}

}  // namespace

AutoencoderOptions AutoencoderOptions::FromHParams(const HParams& hparams) {
  AutoencoderOptions options;
  options.size = hparams.GetInt("hidden_size");
  options.max_size = hparams.GetInt("max_hidden_size");
  options.layers = hparams.GetInt("num_hidden_layers");
  options.kernel_height = hparams.GetInt("kernel_height");
  options.kernel_width = hparams.GetInt("kernel_width");
  options.warmup_steps = hparams.GetInt("bottleneck_warmup_steps");
  options.residuals = IntOr(hparams, "num_residual_layers", 0);
  options.residual_multiplier =
      DoubleOr(hparams, "residual_filter_multiplier", 1.0);
  options.residual_height = IntOr(hparams, "residual_kernel_height", 3);
  options.residual_width = IntOr(hparams, "residual_kernel_width", 3);
  options.separable = IntOr(hparams, "residual_use_separable_conv", 0) != 0;
  options.dropout = hparams.GetDouble("dropout");
  options.residual_dropout = DoubleOr(hparams, "residual_dropout", 0.0);
  return options;
}

int64_t AutoencoderOptions::Filters(int64_t strides) const {
  const int64_t filters = size << strides;
  // The plain ones know no limit.
  return is_residual ? std::min(filters, max_size) : filters;
}

CodeOptions CodeOptions::FromHParams(const HParams& hparams, int64_t size) {
  CodeOptions options;
  options.size = size;
  options.bits = hparams.GetInt("bottleneck_bits");
  options.noise = hparams.GetDouble("bottleneck_noise");
  options.warmup_steps = IntOr(hparams, "discretize_warmup_steps", 0);
  options.kl_factor = DoubleOr(hparams, "kl_beta", 1.0);
  options.hash_noise = DoubleOr(hparams, "isemhash_noise_dev", 0.0);
  options.hash_mix = DoubleOr(hparams, "isemhash_mix_prob", 1.0);
  options.hash_filter_multiplier =
      DoubleOr(hparams, "isemhash_filter_size_multiplier", 1.0);
  return options;
}

PixelEmbedding::PixelEmbedding(const Scope& scope, int64_t in, int64_t size)
    : kernel_(scope.Sub("embed").Param("kernel", {in, size})),
      // Not zero: else images of one colour would be all zero.
      bias_(scope.Sub("embed").Param("bias", {size}, NormalInit(0.0, 0.01))),
      norm_(scope.Sub("ln_embed"), size) {}

at::Tensor PixelEmbedding::OfIds(const at::Tensor& ids, int64_t values) const {
  const at::Tensor table = at::arange(ids.size(3), ids.options()) * values;
  return Finish(at::embedding(kernel_, ids + table).sum(3));
}

at::Tensor PixelEmbedding::OfVectors(const at::Tensor& x) const {
  return Finish(at::matmul(x, kernel_));
}

at::Tensor PixelEmbedding::Finish(const at::Tensor& x) const {
  return AddPlaces(norm_(nn::BipolarElu(x + bias_)));
}

GridEncoder::GridEncoder(const Scope& scope, const AutoencoderOptions& options)
    : options_(options) {
  for (int64_t i = 0; i < options.layers; ++i) {
    const int64_t in = i == 0 ? options.size : options.Filters(i);
    const int64_t out = options.Filters(i + 1);
    nn::GridConvOptions strided{
        .in = in,
        .out = out,
        .window = {.height = options.kernel_height,
                   .width = options.is_line ? 1 : options.kernel_width,
                   .stride = 2}};
    layers_.push_back(
        {nn::GridConv(LayerScope(scope, options, i, "conv_", i), strided),
         Residuals(scope.Sub("layer_" + std::to_string(i)), out, options),
         nn::NamedLayerNorm(LayerScope(scope, options, i, "ln_", i), out)});
  }
}

int64_t GridEncoder::out_size() const {
  return options_.Filters(options_.layers);
}

at::Tensor GridEncoder::operator()(const at::Tensor& x_BHWI,
                                   const CodePass& pass,
                                   std::vector<at::Tensor>* seen) const {
  // Whole channels of a place, more and more as training goes on.
  const double dropout =
      options_.dropout *
      InverseLinearDecay((options_.warmup_steps << options_.layers) / 2,
                         pass.step);
  at::Tensor x = x_BHWI;
  for (const Layer& layer : layers_) {
    x = Even(x, options_.is_line);
    seen->push_back(x);
    if (options_.is_residual) x = AddPlaces(Drop(x, dropout, pass, {-1}));
    x = nn::BipolarElu(layer.strided(x));
    if (options_.is_residual) {
      x = x + Run(layer.residuals, Drop(x, options_.residual_dropout, pass));
    }
    x = layer.norm(x);
  }
  return x;
}

GridDeconv::GridDeconv(const Scope& scope, int64_t in, int64_t out,
                       int64_t height, int64_t width, bool is_line)
    : is_line_(is_line),
      kernel_(scope.Param("kernel", {height, is_line ? 1 : width, out, in})),
      bias_(scope.Param("bias", {out}, ZerosInit())) {}

at::Tensor GridDeconv::operator()(const at::Tensor& x_BHWI) const {
  const int64_t across = is_line_ ? 1 : 2;
  const at::Tensor y =
      at::conv_transpose2d(x_BHWI.permute({0, 3, 1, 2}),
                           kernel_.permute({3, 2, 0, 1}), bias_, {2, across});
  // TensorFlow's SAME: what is too much is cut off on both sides.
  const auto cut = [](const at::Tensor& t, int64_t dim, int64_t wanted) {
    const int64_t more = t.size(dim) - wanted;
    return more >= 0 ? t.narrow(dim, more / 2, wanted) : t;
  };
  return cut(cut(y, 2, 2 * x_BHWI.size(1)), 3, across * x_BHWI.size(2))
      .permute({0, 2, 3, 1});
}

GridDecoder::GridDecoder(const Scope& scope, const AutoencoderOptions& options,
                         int64_t in)
    : options_(options) {
  for (int64_t i = 0; i < options.layers; ++i) {
    const int64_t strides = options.layers - i - 1;
    const int64_t out = options.Filters(strides);
    layers_.push_back(
        {GridDeconv(LayerScope(scope, options, i, "deconv_", strides), in, out,
                    options.kernel_height, options.kernel_width,
                    options.is_line),
         Residuals(scope.Sub("layer_" + std::to_string(i)), out, options),
         nn::NamedLayerNorm(LayerScope(scope, options, i, "ln_", i), out)});
    in = out;
  }
}

at::Tensor GridDecoder::operator()(const at::Tensor& x_BHWI,
                                   const std::vector<at::Tensor>& seen,
                                   const CodePass& pass) const {
  at::Tensor x = x_BHWI;
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    x = nn::BipolarElu(layer.strided(x));
    if (!options_.is_residual) {
      x = layer.norm(x);
      continue;
    }
    x = x + Drop(Run(layer.residuals, x), options_.residual_dropout, pass);
    x = AddPlaces(layer.norm(x));
    if (seen.empty()) continue;
    const size_t strides = layers_.size() - i - 1;
    const at::Tensor& encoded = seen[strides];
    x = x.narrow(1, 0, encoded.size(1)).narrow(2, 0, encoded.size(2));
    if (!pass.training()) continue;
    const auto steps =
        static_cast<int64_t>(static_cast<double>(options_.warmup_steps) * 0.25 *
                             static_cast<double>(int64_t{1} << strides));
    const double share = InverseLinearDecay(steps, pass.step) + 0.01;
    x = at::where(nn::UniformLike(x, *pass.context).lt(share), x, encoded);
  }
  return x;
}

double InverseLinearDecay(int64_t steps, int64_t step, double least) {
  const double progress =
      steps <= 0
          ? 1.0
          : std::min(static_cast<double>(step) / static_cast<double>(steps),
                     1.0);
  return progress * (1.0 - least) + least;
}

double InverseExpDecay(int64_t steps, double least, int64_t step) {
  if (steps <= 0) return 1.0;
  const double left = std::max(static_cast<double>(steps - step), 0.0);
  return std::exp(std::log(least) * left / static_cast<double>(steps));
}

at::Tensor MixIn(const at::Tensor& x, const at::Tensor& other, int64_t steps,
                 const CodePass& pass, double most) {
  const double share = InverseLinearDecay(steps, pass.step) * most;
  if (share >= 1.0) return x;
  return at::where(nn::UniformLike(x, *pass.context).lt(share), x, other);
}

at::Tensor TruncatedNormalLike(const at::Tensor& like,
                               const nn::Context& context) {
  // By the inverse of the distribution, between -2 and 2.
  const double tail = 0.5 * std::erfc(std::sqrt(2.0));
  const at::Tensor uniform = nn::UniformLike(like, context);
  return at::special_ndtri(uniform * (1.0 - 2.0 * tail) + tail);
}

}  // namespace t2t
