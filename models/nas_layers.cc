#include "models/nas_layers.h"

#include <ATen/ATen.h>

#include <initializer_list>
#include <memory>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/nn/attention.h"
#include "t2t/nn/branches.h"
#include "t2t/nn/convolution.h"
#include "t2t/nn/dense.h"
#include "t2t/nn/pass.h"

namespace t2t {
namespace {

using nn::Pass;

// A convolution of each channel by itself, or a dilated one; without a bias, as
// the space has them. A lightweight one (Wu et al. 2019, arXiv:1901.10430) has
// one kernel for several channels, whose weights are a softmax.
class BareConvolution : public nn::Sublayer {
 public:
  struct Options {
    int64_t in = 0;
    int64_t out = 0;
    int64_t width = 1;
    int64_t dilation = 1;
    bool depthwise = false;
    int64_t repeats = 0;  // above 0: a lightweight one
  };

  BareConvolution(const Scope& scope, const Options& options)
      : options_(options) {
    const int64_t width = options.width;
    if (!options.depthwise) {
      kernel_ = scope.Param("kernel", {width, 1, options.in, options.out});
      return;
    }
    if (options.out % options.in != 0) {
      throw UsageError(scope.prefix() + " with " + std::to_string(options.out) +
                           " channels out of " + std::to_string(options.in),
                       "a multiple of them", "change it in --hparams");
    }
    const int64_t multiple = options.out / options.in;
    if (options.repeats == 0) {
      kernel_ = scope.Param("kernel", {width, 1, options.in, multiple});
      return;
    }
    kernel_ = scope.Param("kernel_base",
                          {width, 1, options.in / options.repeats, multiple});
    const int64_t rest = options.in % options.repeats;
    if (rest > 0) {
      rest_ = scope.Param("nonrepeated_kernel_variables",
                          {width, 1, rest, multiple});
    }
  }

  at::Tensor operator()(const at::Tensor& x_BLI, Pass& pass) const override {
    const int64_t reach = (options_.width - 1) * options_.dilation;
    if (!pass.causal()) return Convolve(x_BLI, reach / 2, reach - reach / 2);
    return nn::RunCausally(x_BLI, reach, pass, [&](const at::Tensor& seen_BLI) {
      // A step has one output, and at the start less to see.
      const int64_t before =
          pass.step() == nullptr ? reach : reach + 1 - seen_BLI.size(1);
      return Convolve(seen_BLI, before, 0);
    });
  }

 private:
  at::Tensor Kernel() const {
    if (options_.repeats == 0) return kernel_;
    at::Tensor kernel = kernel_.repeat({1, 1, options_.repeats, 1});
    if (rest_.defined()) kernel = at::cat({kernel, rest_}, 2);
    return kernel.softmax(0);
  }

  at::Tensor Convolve(const at::Tensor& x_BLI, int64_t before,
                      int64_t after) const {
    const at::Tensor padded =
        at::constant_pad_nd(x_BLI, {0, 0, before, after}).transpose(1, 2);
    const at::Tensor kernel = Kernel().squeeze(1);  // [width, in, out or n]
    const at::Tensor by_output =
        options_.depthwise
            ? kernel.permute({1, 2, 0}).reshape({options_.out, 1, -1})
            : kernel.permute({2, 1, 0});
    return at::conv1d(padded, by_output, /*bias=*/{}, /*stride=*/{1},
                      /*padding=*/at::IntArrayRef{0}, {options_.dilation},
                      options_.depthwise ? options_.in : 1)
        .transpose(1, 2);
  }

  Options options_;
  at::Tensor kernel_, rest_;
};

// An nn layer as a sublayer.
template <class Layer>
class Plain : public nn::Sublayer {
 public:
  explicit Plain(Layer layer) : layer_(std::move(layer)) {}

  at::Tensor operator()(const at::Tensor& x, Pass& pass) const override {
    return nn::Run(layer_, x, pass);
  }

 private:
  Layer layer_;
};

class Gated : public nn::Sublayer {
 public:
  Gated(const Scope& scope, int64_t in, int64_t out)
      : values_(scope.Sub("dense"), in, out),
        gates_(scope.Sub("dense_1"), in, out) {}

  at::Tensor operator()(const at::Tensor& x, Pass&) const override {
    return values_(x) * at::sigmoid(gates_(x));
  }

 private:
  Dense values_, gates_;
};

// An encoder's attention sees padding, too, as in T2T: it is all zeros.
class SeesAll : public nn::Sublayer {
 public:
  SeesAll(const Scope& scope, const AttentionOptions& options)
      : attention_(scope, options) {}

  at::Tensor operator()(const at::Tensor& x, Pass& pass) const override {
    return attention_.SelfAttention(x, {}, pass.context());
  }

 private:
  MultiheadAttention attention_;
};

int64_t NumberAfter(const std::string& name, const std::string& prefix) {
  int64_t number = 0;
  const std::string rest = name.substr(prefix.size());
  const size_t digits = rest.find_first_not_of("0123456789");
  TORCH_CHECK(ParseInt(rest.substr(0, digits), &number), "a layer's name ",
              name);
  return number;
}

nn::SublayerPtr AttentionLayer(const NasBranch& spec, int64_t in,
                               const Scope& scope, const std::string& suffix,
                               const NasContext& context) {
  AttentionOptions options = context.config->self_attention;
  options.input_size = options.key_channels = options.value_channels = in;
  options.output_size = spec.depth;
  if (StartsWith(spec.layer, "attention_")) {
    options.heads = NumberAfter(spec.layer, "attention_");
  }
  if (spec.layer == "attend_to_encoder") {
    options.memory_size = context.memory_depth;
    return std::make_shared<nn::MemoryAttention>(
        scope.Sub("attend_to_encoder_layer_" + suffix), options);
  }
  const Scope own = scope.Sub("standard_attention_layer_" + suffix);
  if (context.is_decoder) {
    return std::make_shared<nn::SelfAttention>(own, options);
  }
  return std::make_shared<SeesAll>(own, options);
}

}  // namespace

std::vector<std::string> NasLayerChoices(bool is_decoder) {
  std::vector<std::string> names = {kDeadBranch,         kIdentityLayer,
                                    "gated_linear_unit", "standard_attention",
                                    "attention_4_heads", "attention_16_heads",
                                    "attention_32_heads"};
  const auto add = [&](const char* kind, std::initializer_list<int> widths,
                       const std::string& end) {
    for (const int width : widths) {
      names.push_back(kind + std::to_string(width) + "x1" + end);
    }
  };
  add("standard_conv_", {1, 3, 5}, "");
  add("separable_conv_", {3, 5, 7, 9, 11, 13, 15}, "");
  add("depthwise_conv_", {3, 5, 7}, "");
  add("dilated_conv_", {3, 5}, "");
  for (const char* const repeats : {"_r_1", "_r_4", "_r_16"}) {
    add("lightweight_conv_", {3, 5, 7, 15}, repeats);
  }
  if (is_decoder) names.push_back("attend_to_encoder");
  return names;
}

nn::SublayerPtr MakeNasLayer(const NasBranch& spec, int64_t in,
                             const Scope& scope, const std::string& suffix,
                             const NasContext& context) {
  const std::string& name = spec.layer;
  if (name == "gated_linear_unit") {
    return std::make_shared<Gated>(scope, in, spec.depth);
  }
  if (name.find("_conv_") == std::string::npos) {
    return AttentionLayer(spec, in, scope, suffix, context);
  }
  const std::string kind = name.substr(0, name.find("_conv_"));
  const int64_t width = NumberAfter(name, kind + "_conv_");
  const std::string size = std::to_string(width) + "x1";
  const bool lightweight = kind == "lightweight";
  const Scope own =
      scope.Sub((lightweight ? "depthwise" : kind) + "_conv_" + suffix);
  ConvOptions options{.in = in, .out = spec.depth, .width = width};
  if (kind == "separable") {
    return std::make_shared<Plain<SeparableConv1d>>(
        SeparableConv1d(own.Sub("separable_conv_" + size), options));
  }
  if (kind == "standard") {
    options.kernel_of_two_dimensions = true;
    return std::make_shared<Plain<Conv1d>>(
        Conv1d(own.Sub("conv_" + size), options));
  }
  BareConvolution::Options bare{.in = in, .out = spec.depth, .width = width};
  bare.dilation = kind == "dilated" ? 2 : 1;
  bare.depthwise = kind != "dilated";
  if (lightweight) {
    bare.repeats = NumberAfter(name, kind + "_conv_" + size + "_r_");
  }
  return std::make_shared<BareConvolution>(own, bare);
}

at::Tensor NasActivation(const std::string& activation, const at::Tensor& x) {
  if (activation == "swish") return at::silu(x);
  if (activation == "leaky_relu") return at::leaky_relu(x, 0.2);
  if (activation == "relu") return at::relu(x);
  if (activation == "sigmoid") return at::sigmoid(x);
  if (activation == "softmax") return x.softmax(-1);
  return x;
}

}  // namespace t2t
