#ifndef MODELS_AUTOENCODER_LAYERS_H_
#define MODELS_AUTOENCODER_LAYERS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "t2t/hparams/hparams.h"
#include "t2t/nn/context.h"
#include "t2t/nn/dense.h"
#include "t2t/nn/grid_convolution.h"
#include "t2t/nn/params.h"

// The convolutions of T2T's autoencoders, and what changes as they train.
// Shapes: B batch, H height, W width, I and O channels in and out.
namespace t2t {

// A pass through the model, and the training step that it is of.
struct CodePass {
  bool training() const { return context->training; }

  nn::Context* context;
  int64_t step;
};

struct AutoencoderOptions {
  static AutoencoderOptions FromHParams(const HParams& hparams);

  // Channels after so many strides of two.
  int64_t Filters(int64_t strides) const;

  int64_t size = 0;  // hidden_size
  int64_t max_size = 0;
  int64_t layers = 0;
  int64_t kernel_height = 0, kernel_width = 0;
  bool is_line = false;  // width 1: text
  int64_t warmup_steps = 0;
  // With residual layers between the strides.
  bool is_residual = false;
  int64_t residuals = 0;
  double residual_multiplier = 1.0;
  int64_t residual_height = 0, residual_width = 0;
  bool separable = false;
  double dropout = 0.0;
  double residual_dropout = 0.0;
};

struct CodeOptions {
  // size: of the encoder's output.
  static CodeOptions FromHParams(const HParams& hparams, int64_t size);

  int64_t size = 0;
  int64_t bits = 0;
  double noise = 0.0;
  int64_t warmup_steps = 0;  // until all is rounded
  double kl_factor = 1.0;
  double hash_noise = 0.0;
  double hash_mix = 1.0;
  double hash_filter_multiplier = 1.0;
};

// Pixels as vectors, with their places: a dense layer over one-hot values, all
// channels of a pixel side by side.
class PixelEmbedding {
 public:
  // in: channels times values.
  PixelEmbedding(const Scope& scope, int64_t in, int64_t size);

  // ids [B, H, W, C], each of `values`.
  at::Tensor OfIds(const at::Tensor& ids, int64_t values) const;
  // x [B, H, W, in].
  at::Tensor OfVectors(const at::Tensor& x) const;

 private:
  at::Tensor Finish(const at::Tensor& x) const;

  at::Tensor kernel_, bias_;
  nn::NamedLayerNorm norm_;
};

// Strided convolutions down.
class GridEncoder {
 public:
  GridEncoder(const Scope& scope, const AutoencoderOptions& options);

  // Appends what each layer saw.
  at::Tensor operator()(const at::Tensor& x_BHWI, const CodePass& pass,
                        std::vector<at::Tensor>* seen) const;
  int64_t out_size() const;

 private:
  struct Layer {
    nn::GridConv strided;
    std::vector<nn::GridConv> residuals;
    nn::NamedLayerNorm norm;
  };

  AutoencoderOptions options_;
  std::vector<Layer> layers_;
};

// A convolution turned around: twice as high and as wide. Parameters "kernel"
// [height, width, out, in] and "bias" [out].
class GridDeconv {
 public:
  GridDeconv(const Scope& scope, int64_t in, int64_t out, int64_t height,
             int64_t width, bool is_line);

  at::Tensor operator()(const at::Tensor& x_BHWI) const;

 private:
  bool is_line_;
  at::Tensor kernel_, bias_;
};

// And up again.
class GridDecoder {
 public:
  GridDecoder(const Scope& scope, const AutoencoderOptions& options,
              int64_t in);

  // seen: what the encoder's layers saw, which residual ones see early in
  // training; empty where there was no encoder.
  at::Tensor operator()(const at::Tensor& x_BHWI,
                        const std::vector<at::Tensor>& seen,
                        const CodePass& pass) const;
  int64_t out_size() const { return options_.Filters(0); }

 private:
  struct Layer {
    GridDeconv strided;
    std::vector<nn::GridConv> residuals;
    nn::NamedLayerNorm norm;
  };

  AutoencoderOptions options_;
  std::vector<Layer> layers_;
};

// From `least` up to 1, where it is after so many steps: by a line, and
// exponentially. T2T's inverse_lin_decay and inverse_exp_decay.
double InverseLinearDecay(int64_t steps, int64_t step, double least = 0.01);
double InverseExpDecay(int64_t steps, double least, int64_t step);

// Early in training `other` for most numbers of x, later for none, or, with
// most below 1, for a share of them. T2T's mix.
at::Tensor MixIn(const at::Tensor& x, const at::Tensor& other, int64_t steps,
                 const CodePass& pass, double most = 1.0);

// Normal noise, none beyond two standard deviations.
at::Tensor TruncatedNormalLike(const at::Tensor& like,
                               const nn::Context& context);

}  // namespace t2t

#endif  // MODELS_AUTOENCODER_LAYERS_H_
