#ifndef T2T_NN_GRID_CONVOLUTION_H_
#define T2T_NN_GRID_CONVOLUTION_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "t2t/nn/norm.h"
#include "t2t/nn/params.h"

// Convolutions as T2T's convolutional models have them: over a grid [batch,
// height, width, channels], where a sequence is an image of width 1.
// (t2t/nn/convolution.h is for layers of a Transformer, which also run step by
// step.)
// Shapes: B batch, H height, W width, I and O channels in and out.
namespace t2t::nn {

// What a window sees beyond the grid's ends: zeros on both sides, as
// TensorFlow's SAME has it; zeros before the start alone, so that an output
// sees nothing that comes later; nothing; or zeros on both sides that make up
// for the kernel alone, whatever the stride.
enum class GridPadding { kSame, kLeft, kValid, kCentred };

struct Window {
  int64_t height = 1;
  int64_t width = 1;
  int64_t stride = 1;
  int64_t dilation = 1;  // along the height; along the width, too, where square
  bool square_dilation = false;
  GridPadding padding = GridPadding::kSame;
};

struct GridConvOptions {
  int64_t in = 0;
  int64_t out = 0;
  Window window;
  // In two steps, each channel by itself and then all channels of a position:
  // Chollet 2016, arXiv:1610.02357.
  bool separable = false;
  bool bias = true;
  double bias_start = 0.0;
};

// Parameters "kernel" [height, width, in, out], or "depthwise_kernel" [height,
// width, in, 1] and "pointwise_kernel" [1, 1, in, out]; and "bias" [out].
class GridConv {
 public:
  GridConv(const Scope& scope, const GridConvOptions& options);

  at::Tensor operator()(const at::Tensor& x_BHWI) const;

 private:
  GridConvOptions options_;
  at::Tensor kernel_, pointwise_, bias_;
};

// With a kernel [height, width, in / groups, out] that is given.
at::Tensor ConvolveGrid(const at::Tensor& x_BHWI, const at::Tensor& kernel,
                        const at::Tensor& bias, const Window& window,
                        int64_t groups = 1);
// The largest of each window.
at::Tensor MaxPool(const at::Tensor& x_BHWI, const Window& window);

// ELU, and turned around in every second channel, so that means stay near 0:
// Eidnes and Nøkland 2017, arXiv:1709.04054.
at::Tensor BipolarElu(const at::Tensor& x);

// T2T's layer_norm where it has a name of its own: "layer_norm_scale" and
// "layer_norm_bias" in the scope.
class NamedLayerNorm {
 public:
  NamedLayerNorm(const Scope& scope, int64_t depth, double epsilon = 1e-6);

  at::Tensor operator()(const at::Tensor& x) const;

 private:
  double epsilon_;
  at::Tensor scale_, bias_;
};

// T2T's conv_block and its relatives: convolutions one after the other, ReLU
// before each, a norm after each.
struct ConvBlockOptions {
  int64_t in = 0;
  int64_t out = 0;
  std::vector<Window> windows;  // of each convolution
  bool separable = false;       // all of them
  // T2T's subseparable_conv: of each convolution, how many groups of channels
  // are convolved by themselves (Kaiser et al. 2017, arXiv:1706.03059): above 0
  // by plain convolutions, which a 1x1 convolution joins, below by separable
  // ones; 0: one separable convolution. Empty: T2T's conv, or separable_conv.
  std::vector<int64_t> separabilities;
  bool first_relu = true;
  // "": T2T's layer_norm, named after the convolution.
  std::string norm_type;
  double norm_epsilon = 1e-6;
};

class ConvBlock {
 public:
  ConvBlock(const Scope& scope, const ConvBlockOptions& options);

  // mask [B, H, W, 1], may be undefined: what convolutions see is multiplied by
  // it.
  at::Tensor operator()(const at::Tensor& x_BHWI,
                        const at::Tensor& mask = {}) const;

 private:
  struct Layer {
    std::vector<GridConv> parts;  // of as many groups of channels
    std::unique_ptr<const GridConv> join;
    std::unique_ptr<const NamedLayerNorm> own_norm;  // one of these two
    std::unique_ptr<const Norm> norm;
  };
  Layer MakeLayer(const Scope& scope, size_t index, int64_t in) const;

  ConvBlockOptions options_;
  std::vector<Layer> layers_;
};

}  // namespace t2t::nn

#endif  // T2T_NN_GRID_CONVOLUTION_H_
