#include "t2t/nn/discretization.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "t2t/base/strings.h"

namespace t2t::nn {
namespace {

constexpr double kLeast = 0.01;  // of a ramp

// Rows of one-hot vectors, or the shares of `samples` draws.
at::Tensor Drawn(const at::Tensor& logits, int64_t samples,
                 const Context& context) {
  const int64_t codes = logits.size(-1);
  const at::Tensor rows = at::softmax(logits, -1).reshape({-1, codes}).cpu();
  const at::Tensor ids =
      at::multinomial(rows, samples, /*replacement=*/true, context.rng);
  return at::one_hot(ids, codes)
      .to(at::kFloat)
      .mean(1)
      .view(logits.sizes())
      .to(logits.device());
}

}  // namespace

at::Tensor IntsToBits(const at::Tensor& ints, int64_t bits, int64_t base) {
  std::vector<at::Tensor> digits;
  at::Tensor rest = ints.to(at::kLong);
  for (int64_t i = 0; i < bits; ++i) {
    digits.push_back(rest.remainder(base));
    rest = at::div(rest, base, "floor");
  }
  return at::stack(digits, -1).to(at::kFloat);
}

at::Tensor BitsToInts(const at::Tensor& bits, int64_t base) {
  const at::Tensor digits = bits.detach().to(at::kLong);
  at::Tensor ints = at::zeros_like(digits.select(-1, 0));
  for (int64_t i = digits.size(-1); i-- > 0;) {
    ints = ints * base + digits.select(-1, i);
  }
  return ints;
}

at::Tensor SaturatingSigmoid(const at::Tensor& x) {
  return (1.2 * at::sigmoid(x) - 0.1).clamp(0.0, 1.0);
}

at::Tensor StraightThrough(const at::Tensor& x, const at::Tensor& values) {
  return x + (values - x).detach();
}

at::Tensor TopKSoftmax(const at::Tensor& x, int64_t k) {
  const at::Tensor shares = at::softmax(x, -1);
  const at::Tensor least =
      std::get<0>(shares.topk(std::min(k + 1, shares.size(-1)), -1))
          .amin(-1, /*keepdim=*/true);
  const at::Tensor kept = at::relu(shares - least + 1e-12);
  return kept / kept.sum(-1, /*keepdim=*/true);
}

at::Tensor GumbelLike(const at::Tensor& like, const Context& context) {
  const at::Tensor uniform = UniformLike(like, context) * 0.99997 + 0.00001;
  return -uniform.log().neg().log();
}

double RampUpExponentially(int64_t step, int64_t last_step) {
  const double base =
      std::exp(std::log(kLeast) / static_cast<double>(last_step));
  return std::pow(base,
                  static_cast<double>(std::max<int64_t>(last_step - step, 0)));
}

double RampUpInALine(int64_t step, int64_t last_step) {
  const double progress =
      std::min(static_cast<double>(step) / static_cast<double>(last_step), 1.0);
  return progress * (1.0 - kLeast) + kLeast;
}

bool IsCodebook(const std::string& name) {
  const std::string last = name.substr(name.rfind('/') + 1);
  return last == "means" || StartsWith(last, "ema_means") ||
         StartsWith(last, "ema_count");
}

Initializer CodebookInit() {
  return [](uint64_t seed, at::IntArrayRef shape) {
    double in = 1.0;
    for (size_t i = 0; i + 1 < shape.size(); ++i) {
      in *= static_cast<double>(shape[i]);
    }
    const double most = std::sqrt(3.0 / std::max(in, 1.0));
    return UniformInit(-most, most)(seed, shape);
  };
}

Codebook::Codebook(const at::Tensor& means, const at::Tensor& count,
                   const at::Tensor& averages, const CodebookOptions& options)
    : options_(options), means_(means), count_(count), averages_(averages) {
  if (options_.smoothed_codes == 0) {
    options_.smoothed_codes = static_cast<double>(options_.codes);
  }
}

Codebook::Codebook(const Scope& scope, const CodebookOptions& options)
    : Codebook({}, {}, {}, options) {
  TORCH_CHECK(options.blocks == 1, "a codebook by its scope has one block");
  ParamStore* const store = scope.store();
  const std::string prefix = scope.prefix().empty() ? "" : scope.prefix() + "/";
  const at::Tensor means = store->CreateBuffer(
      prefix + "means", {options.codes, options.depth}, CodebookInit());
  means_ = means.unsqueeze(0);
  // Averages begin as what they are averages of, counted once. (T2T's counts
  // begin at 0, so that its first step makes a code that stands for nothing a
  // hundred thousand times as long.)
  count_ =
      store->CreateBuffer(prefix + "ema_count", {options.codes}, OnesInit())
          .unsqueeze(0);
  averages_ = store
                  ->CreateBuffer(prefix + "ema_means", means.sizes(),
                                 [&](uint64_t, at::IntArrayRef) {
                                   return means.cpu().clone();
                                 })
                  .unsqueeze(0);
}

at::Tensor Codebook::Distances(const at::Tensor& x_TKD) const {
  // A copy where a backward pass comes: until then codes may have moved.
  const bool moves = count_.defined() && x_TKD.requires_grad();
  const at::Tensor means = moves ? means_.clone() : means_;
  const at::Tensor products_KTV =
      at::matmul(x_TKD.transpose(0, 1), means.transpose(1, 2));
  return x_TKD.square().sum(-1, /*keepdim=*/true) +
         means.square().sum(-1).unsqueeze(0) -
         2.0 * products_KTV.transpose(0, 1);
}

at::Tensor Codebook::Vectors(const at::Tensor& hot_TKV) const {
  return at::matmul(hot_TKV.transpose(0, 1), means_).transpose(0, 1);
}

Codebook::Codes Codebook::operator()(const at::Tensor& x_TKD,
                                     const Context& context,
                                     const at::Tensor& left_over_TKD) const {
  if (options_.samples > 0) {
    const at::Tensor nearness = -Distances(x_TKD);
    const at::Tensor hot_TKV =
        Drawn(nearness.detach(), options_.samples, context);
    Codes codes = Take(x_TKD, hot_TKV, context, left_over_TKD);
    codes.negative_entropy =
        (hot_TKV * at::log_softmax(nearness, -1)).mean(0).sum() *
        options_.samples;
    return codes;
  }
  at::Tensor ids_TK;
  {
    const at::NoGradGuard no_grad;
    const at::Tensor nearness = -Distances(x_TKD);
    if (context.training && options_.random_top_k > 1) {
      // One draw for all, of the k nearest but the last, as in T2T.
      const int64_t chosen = at::randint(options_.random_top_k - 1, {},
                                         context.rng, at::dtype(at::kLong))
                                 .item<int64_t>();
      ids_TK = std::get<1>(nearness.topk(options_.random_top_k, -1))
                   .select(-1, chosen);
    } else {
      ids_TK = nearness.argmax(-1);
    }
  }
  return Take(x_TKD, at::one_hot(ids_TK, options_.codes).to(at::kFloat),
              context, left_over_TKD);
}

Codebook::Codes Codebook::Take(const at::Tensor& x_TKD,
                               const at::Tensor& hot_TKV,
                               const Context& context,
                               const at::Tensor& left_over_TKD) const {
  Codes codes;
  codes.hot_TKV = hot_TKV;
  codes.vectors_TKD = Vectors(hot_TKV);
  if (count_.defined()) {
    // Moved in place below, which no gradient may go through.
    codes.vectors_TKD = codes.vectors_TKD.detach();
  }
  codes.loss =
      (x_TKD - codes.vectors_TKD.detach()).square().mean() * options_.beta;
  codes.negative_entropy = at::zeros({}, x_TKD.options());
  if (!count_.defined()) {
    codes.loss =
        codes.loss + (x_TKD.detach() - codes.vectors_TKD).square().mean();
  } else if (context.training) {
    Move(hot_TKV.detach(),
         (left_over_TKD.defined() ? left_over_TKD : x_TKD).detach());
  }
  return codes;
}

void Codebook::Move(const at::Tensor& hot_TKV, const at::Tensor& x_TKD) const {
  const at::NoGradGuard no_grad;
  at::Tensor count = count_, averages = averages_, means = means_;
  const double share = 1.0 - options_.decay;
  const at::Tensor sums_KVD =
      at::matmul(hot_TKV.permute({1, 2, 0}), x_TKD.transpose(0, 1));
  count.lerp_(hot_TKV.sum(0), share);
  averages.lerp_(sums_KVD, share);
  const at::Tensor all = count.sum(-1, /*keepdim=*/true);
  const at::Tensor smoothed =
      (count + options_.epsilon) /
      (all + options_.smoothed_codes * options_.epsilon) * all;
  means.copy_(averages / smoothed.unsqueeze(-1));
}

SemanticHash::SemanticHash(const Scope& scope,
                           const SemanticHashOptions& options)
    : options_(options),
      bits_(scope.Sub("vcc"), options.in, options.bits),
      ones_(scope.Sub("vch1a"), options.bits, options.filter_size),
      zeros_(scope.Sub("vch1b"), options.bits, options.filter_size),
      final_(scope.Sub("vch_final_linear"), options.filter_size, options.out) {}

SemanticHash::Codes SemanticHash::operator()(const at::Tensor& x, int64_t step,
                                             const Context& context) const {
  at::Tensor y = bits_(x);
  if (context.training && options_.noise_dev > 0.0) {
    // Normal, and no more than two deviations away.
    const double within = std::erf(std::sqrt(2.0));
    const at::Tensor normal =
        at::erfinv((2.0 * UniformLike(y, context) - 1.0) * within) *
        std::sqrt(2.0);
    y = y + normal * options_.noise_dev;
  }
  y = SaturatingSigmoid(y);
  const at::Tensor digits = y.detach().gt(0.5).to(at::kFloat);
  at::Tensor passed = StraightThrough(y, digits);
  if (context.training) {
    const double share = options_.discrete_mix *
                         RampUpExponentially(step, 2 * options_.startup_steps);
    std::vector<int64_t> shape(static_cast<size_t>(x.dim()), 1);
    shape[0] = x.size(0);
    const at::Tensor drawn =
        UniformLike(x.new_empty(shape, at::kFloat), context);
    passed = at::where(drawn.lt(share), passed, y);
  }
  return {FromBits(passed), BitsToInts(digits)};
}

at::Tensor SemanticHash::FromBits(const at::Tensor& bits) const {
  return final_(ones_(bits) + zeros_(1.0 - bits));
}

at::Tensor SemanticHash::Embed(const at::Tensor& ids) const {
  return FromBits(IntsToBits(ids, options_.bits));
}

}  // namespace t2t::nn
