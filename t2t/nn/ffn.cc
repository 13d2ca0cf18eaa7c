#include "t2t/nn/ffn.h"

#include <ATen/ATen.h>

#include <cmath>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/nn/capacity_moe.h"
#include "t2t/nn/convolution.h"
#include "t2t/nn/dense.h"
#include "t2t/nn/moe.h"
#include "t2t/nn/tensor_parallel.h"
#include "t2t/ops/dropout.h"

namespace t2t {
namespace {

// Tensor parallelism of a layer with a filter: each rank has a shard of the
// filter.
class FilterSplit {
 public:
  FilterSplit(TensorParallel* parallel, int64_t filter_size)
      : parallel_(parallel), filter_size_(filter_size) {}

  // Null where the filter is whole.
  TensorParallel* parallel() const { return Split() ? parallel_ : nullptr; }
  at::Tensor Enter(const at::Tensor& x) const {
    return parallel_ == nullptr ? x : parallel_->Enter(x, Split());
  }
  // After a RowParallelDense, which leaves by itself where the filter is split.
  at::Tensor Leave(const at::Tensor& y) const {
    return parallel_ == nullptr || Split() ? y : parallel_->Leave(y, false);
  }
  // Of hidden [..., this rank's shard of the filter].
  at::Tensor Drop(const at::Tensor& hidden, double rate,
                  const at::Generator& rng,
                  const std::vector<int64_t>& broadcast_dims) const {
    if (!Split()) {
      return broadcast_dims.empty()
                 ? ReluDropout(hidden, rate, rng)
                 : Dropout(at::relu(hidden), rate, rng, broadcast_dims);
    }
    const ShardRange own = parallel_->Own(filter_size_);
    if (broadcast_dims.empty()) {
      return ReluDropout(hidden, rate, rng,
                         ShardAlong(own.begin, own.size(), filter_size_, 1));
    }
    // What the whole drops out, and of it this part.
    std::vector<int64_t> shape = hidden.sizes().vec();
    shape.back() = filter_size_;
    const at::Tensor ones = at::ones(1, hidden.options().dtype(at::kFloat));
    return at::relu(hidden) *
           Dropout(ones.expand(shape), rate, rng, broadcast_dims)
               .narrow(-1, own.begin, own.size());
  }

 private:
  bool Split() const {
    return parallel_ != nullptr && parallel_->layout().d_ff;
  }

  TensorParallel* const parallel_;
  const int64_t filter_size_;
};

// The names conv1 and conv2 are T2T's, for history's sake.
class DenseReluDense : public Ffn {
 public:
  DenseReluDense(const Scope& scope, const FfnOptions& options)
      : options_(options),
        split_(scope.tensor_parallel(), options.filter_size),
        first_(scope.Sub("conv1"), options.hidden_size, options.filter_size,
               /*use_bias=*/true, split_.parallel()),
        second_(scope.Sub("conv2"), options.filter_size, options.hidden_size,
                /*use_bias=*/true, split_.parallel()) {}

  at::Tensor Apply(const at::Tensor& x, const at::Tensor&, bool,
                   nn::Context& context) const override {
    const double rate = context.training ? options_.dropout : 0.0;
    return split_.Leave(
        second_(split_.Drop(first_(split_.Enter(x)), rate, context.rng,
                            options_.dropout_broadcast_dims)));
  }

  bool CanBeRagged() const override {
    return options_.dropout_broadcast_dims.empty();
  }

 private:
  FfnOptions options_;
  FilterSplit split_;
  ColumnParallelDense first_;
  RowParallelDense second_;
};

class ConvReluConv : public Ffn {
 public:
  ConvReluConv(const Scope& scope, const FfnOptions& options)
      : options_(options) {
    const Scope own = scope.Sub("conv_relu_conv");
    const int64_t width = options.conv_first_kernel;
    if (width < 1 || width % 2 == 0) {
      throw UsageError("conv_first_kernel=" + std::to_string(width),
                       "an odd number from 1 up",
                       "change --hparams=conv_first_kernel=...");
    }
    for (int64_t i = 0; i < width; ++i) {
      first_.emplace_back(
          own.Sub(width == 1 ? "conv1" : "conv1_" + std::to_string(i)),
          options.hidden_size, options.filter_size, /*use_bias=*/i == 0);
    }
    second_ = Dense(own.Sub("conv2"), options.filter_size, options.hidden_size);
  }

  at::Tensor Apply(const at::Tensor& x, const at::Tensor& nonpadding, bool left,
                   nn::Context& context) const override {
    const int64_t width = options_.conv_first_kernel;
    at::Tensor hidden;
    if (width == 1) {
      hidden = first_[0](x);
    } else {
      const at::Tensor kept =
          nonpadding.defined() ? x * nonpadding.unsqueeze(-1) : x;
      const int64_t before = left ? width - 1 : (width - 1) / 2;
      const at::Tensor padded =
          at::constant_pad_nd(kept, {0, 0, before, width - 1 - before});
      // T2T's first piece takes its input where it stands, not shifted.
      hidden = first_[0](kept);
      for (int64_t i = 1; i < width; ++i) {
        hidden = hidden + first_[i](padded.narrow(1, i, x.size(1)));
      }
      hidden = hidden * std::pow(static_cast<double>(width), -0.5);
    }
    return second_(ReluDropout(
        hidden, context.training ? options_.dropout : 0.0, context.rng));
  }

  int64_t reach() const override { return options_.conv_first_kernel - 1; }

 private:
  FfnOptions options_;
  std::vector<Dense> first_;
  Dense second_;
};

// Two separable convolutions with a ReLU between them.
class SepconvReluSepconv : public Ffn {
 public:
  struct Widths {
    int64_t first;
    int64_t second;
  };

  // always_left: an encoder's look only backwards, too, and padding is not
  // kept out (T2T's conv_hidden_relu_with_sepconv).
  SepconvReluSepconv(const Scope& scope, const FfnOptions& options,
                     Widths widths, bool always_left)
      : dropout_(options.dropout),
        widths_(widths),
        always_left_(always_left),
        first_(scope.Sub("conv1_single"),
               {options.hidden_size, options.filter_size, widths.first,
                ConvPadding::kLeft, /*kernel_of_two_dimensions=*/true}),
        second_(scope.Sub("conv2_single"),
                {options.filter_size, options.hidden_size, widths.second,
                 ConvPadding::kLeft, /*kernel_of_two_dimensions=*/true}) {}

  at::Tensor Apply(const at::Tensor& x, const at::Tensor& nonpadding, bool left,
                   nn::Context& context) const override {
    const ConvPadding padding =
        left || always_left_ ? ConvPadding::kLeft : ConvPadding::kSame;
    const auto keep = [&](const at::Tensor& y) {
      return nonpadding.defined() && !always_left_
                 ? y * nonpadding.unsqueeze(-1)
                 : y;
    };
    const at::Tensor hidden = first_.Convolve(keep(x), padding);
    return second_.Convolve(
        keep(ReluDropout(hidden, context.training ? dropout_ : 0.0,
                         context.rng)),
        padding);
  }

  int64_t reach() const override {
    return widths_.first - 1 + widths_.second - 1;
  }

 private:
  double dropout_;
  Widths widths_;
  bool always_left_;
  SeparableConv1d first_;
  SeparableConv1d second_;
};

// Attention over rows that are parameters.
class ParameterAttention : public Ffn {
 public:
  ParameterAttention(const Scope& scope, const FfnOptions& options)
      : options_(options) {
    const Scope own = scope.Sub("parameter_attention");
    const int64_t heads = options.heads;
    if (heads < 1 || options.key_channels % heads != 0 ||
        options.value_channels % heads != 0) {
      throw UsageError(
          "num_heads=" + std::to_string(heads) + " with " +
              std::to_string(options.key_channels) + " key and " +
              std::to_string(options.value_channels) +
              " value channels of parameter_attention",
          "a number of heads that divides both",
          "change parameter_attention_key_channels, "
          "parameter_attention_value_channels or num_heads in --hparams");
    }
    const double size = static_cast<double>(options.hidden_size);
    keys_ = own.Param(
        "k", {heads, options.filter_size, options.key_channels / heads},
        NormalInit(0.0, std::sqrt(static_cast<double>(heads) / size)));
    values_ = own.Param(
        "v", {heads, options.filter_size, options.value_channels / heads},
        NormalInit(0.0, 1.0));
    query_ = Dense(own.Sub("q_transform"), options.hidden_size,
                   options.key_channels, /*use_bias=*/false);
    output_ = Dense(own.Sub("output_transform"), options.value_channels,
                    options.hidden_size, /*use_bias=*/false);
  }

  at::Tensor Apply(const at::Tensor& x, const at::Tensor&, bool,
                   nn::Context& context) const override {
    const int64_t batch = x.size(0);
    const int64_t length = x.size(1);
    const int64_t heads = options_.heads;
    const at::Tensor q = query_(x)
                             .view({batch * length, heads, -1})
                             .transpose(0, 1);  // [heads, tokens, depth]
    const at::Tensor values =
        Dropout(values_, context.training ? options_.attention_dropout : 0.0,
                context.rng, {2});
    const at::Tensor weights =
        at::softmax(at::matmul(q, keys_.transpose(1, 2)), -1);
    const at::Tensor y = at::matmul(weights, values)
                             .transpose(0, 1)
                             .reshape({batch, length, -1});
    return output_(y);
  }

  bool CanBeRagged() const override { return true; }

 private:
  FfnOptions options_;
  at::Tensor keys_;
  at::Tensor values_;
  Dense query_;
  Dense output_;
};

// Simple recurrent units, two layers.
class Sru : public Ffn {
 public:
  Sru(const Scope& scope, const FfnOptions& options) {
    for (int i = 0; i < 2; ++i) {
      layers_.emplace_back(scope.Sub("sru").Sub("kernel_" + std::to_string(i)),
                           options.hidden_size, 3 * options.hidden_size);
    }
  }

  at::Tensor Apply(const at::Tensor& input, const at::Tensor&, bool,
                   nn::Context&) const override {
    at::Tensor x = input;
    for (const Dense& layer : layers_) {
      const auto parts = layer(x).chunk(3, -1);
      const at::Tensor forget = at::sigmoid(parts[1]);
      const at::Tensor reset = at::sigmoid(parts[2]);
      const auto added = (parts[0] * (1.0 - forget)).unbind(1);
      const auto kept = forget.unbind(1);
      at::Tensor state = at::zeros_like(added[0]);
      std::vector<at::Tensor> states;
      for (size_t t = 0; t < added.size(); ++t) {
        state = kept[t] * state + added[t];
        states.push_back(state);
      }
      x = at::stack(states, 1) * reset + (1.0 - reset) * x;
    }
    return x;
  }

  int64_t reach() const override { return -1; }

 private:
  std::vector<Dense> layers_;
};

class Mixture : public Ffn {
 public:
  Mixture(const Scope& scope, const FfnOptions& options)
      : mixture_(scope, {options.hidden_size, options.filter_size,
                         options.experts, options.experts_per_token}) {}

  at::Tensor Apply(const at::Tensor& x, const at::Tensor&, bool,
                   nn::Context& context) const override {
    return mixture_(x, context);
  }

 private:
  MixtureOfExperts mixture_;
};

class MixtureWithCapacity : public Ffn {
 public:
  MixtureWithCapacity(const Scope& scope, const FfnOptions& options)
      : mixture_(scope, {options.hidden_size, options.filter_size / 2,
                         options.experts, options.overhead_train,
                         options.overhead_eval, options.loss_weight}) {}

  at::Tensor Apply(const at::Tensor& x, const at::Tensor&, bool,
                   nn::Context& context) const override {
    return mixture_(x, context);
  }
  // Positions contend for room.
  int64_t reach() const override { return -1; }

 private:
  CapacityMixture mixture_;
};

class NoFfn : public Ffn {
 public:
  at::Tensor Apply(const at::Tensor& x, const at::Tensor&, bool,
                   nn::Context&) const override {
    return x;
  }

  bool CanBeRagged() const override { return true; }
};

}  // namespace

std::unique_ptr<Ffn> MakeFfn(const Scope& scope, const FfnOptions& options) {
  const std::string& type = options.type;
  const TensorParallel* const parallel = scope.tensor_parallel();
  if (parallel != nullptr &&
      (parallel->layout().d_ff || parallel->layout().length) &&
      type != "dense_relu_dense" && type != "conv_hidden_relu" &&
      type != "local_moe" && type != "none") {
    throw UsageError("ffn_layer=" + type + " is not split over ranks",
                     "dense_relu_dense",
                     "leave d_ff and length out of --layout: "
                     "--layout=\"vocab:model;heads:model\"");
  }
  if (type == "dense_relu_dense" || type == "conv_hidden_relu") {
    return std::make_unique<DenseReluDense>(scope, options);
  }
  if (type == "conv_relu_conv") {
    return std::make_unique<ConvReluConv>(scope, options);
  }
  if (type == "conv_hidden_relu_with_sepconv") {
    return std::make_unique<SepconvReluSepconv>(
        scope.Sub("conv_hidden_relu"), options,
        SepconvReluSepconv::Widths{3, 31}, /*always_left=*/true);
  }
  if (type == "sepconv_relu_sepconv") {
    return std::make_unique<SepconvReluSepconv>(
        scope.Sub("sepconv_relu_sepconv"), options,
        SepconvReluSepconv::Widths{3, 5}, /*always_left=*/false);
  }
  if (type == "parameter_attention") {
    return std::make_unique<ParameterAttention>(scope, options);
  }
  if (type == "sru") return std::make_unique<Sru>(scope, options);
  if (type == "local_moe") {
    if (options.gating != "topk") {
      throw UsageError("ffn_layer=local_moe with gating_type=" +
                           options.gating + " is not supported",
                       "topk", "set --hparams=gating_type=topk");
    }
    return std::make_unique<Mixture>(scope, options);
  }
  if (type == "local_moe_tpu") {
    return std::make_unique<MixtureWithCapacity>(scope, options);
  }
  if (type == "none") return std::make_unique<NoFfn>();
  throw UsageError("ffn_layer=" + type + " is not supported",
                   "dense_relu_dense, conv_hidden_relu, conv_relu_conv, "
                   "conv_hidden_relu_with_sepconv, parameter_attention, sru, "
                   "local_moe, local_moe_tpu or none",
                   "change --hparams=ffn_layer=...");
}

}  // namespace t2t
