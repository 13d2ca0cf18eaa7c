#include "t2t/nn/bottleneck.h"

#include <ATen/ATen.h>

#include <cmath>
#include <utility>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/nn/dense.h"
#include "t2t/nn/discretization.h"

namespace t2t::nn {
namespace {

at::Tensor Zero(const at::Tensor& like) {
  return at::zeros({}, like.options());
}

// Falls from 1.2 to 0.2; now and then another, to keep learning.
double DrawTemperature(int64_t step, int64_t warmup_steps,
                       const Context& context) {
  const at::Tensor drawn = at::rand({2}, context.rng);
  if (drawn[0].item<double>() >= 0.9) {
    return 0.5 + 0.5 * drawn[1].item<double>();
  }
  return 1.2 - RampUpInALine(step, warmup_steps);
}

class DenseBottleneck : public Bottleneck {
 public:
  DenseBottleneck(const Scope& scope, const BottleneckOptions& options)
      : in_(scope.Sub("vcc"), options.hidden_size, options.bits),
        out_(scope.Sub("vch1"), options.bits, options.filter_size) {}

  Codes operator()(const at::Tensor& x_BCD, int64_t,
                   const Context&) const override {
    const at::Tensor code_BCZ = in_(x_BCD);
    return {out_(code_BCZ), code_BCZ, Zero(x_BCD), Zero(x_BCD)};
  }
  at::Tensor Embed(const at::Tensor&) const override {
    TORCH_CHECK(false, "a dense bottleneck has no codes to embed");
  }

 private:
  Dense in_, out_;
};

// Kingma and Welling 2013, arXiv:1312.6114, with T2T's free bits.
class VariationalBottleneck : public Bottleneck {
 public:
  VariationalBottleneck(const Scope& scope, const BottleneckOptions& options)
      : bits_(options.bits),
        mean_(scope.Sub("vae").Sub("mu"), options.hidden_size, options.bits),
        log_variance_(scope.Sub("vae").Sub("log_sigma"), options.hidden_size,
                      options.bits),
        out_(scope.Sub("vch1"), options.bits, options.filter_size) {}

  Codes operator()(const at::Tensor& x_BCD, int64_t,
                   const Context& context) const override {
    const at::Tensor mean = mean_(x_BCD);
    const at::Tensor log_variance = log_variance_(x_BCD);
    const at::Tensor z =
        mean + (log_variance / 2.0).exp() * NormalLike(mean, context);
    const at::Tensor divergence =
        0.5 * (at::expm1(log_variance) + mean.square() - log_variance).mean(-1);
    const double free = static_cast<double>(bits_ / 4);
    return {out_(z), z, at::relu(divergence - free).mean(), Zero(x_BCD)};
  }
  at::Tensor Embed(const at::Tensor&) const override {
    TORCH_CHECK(false, "a variational bottleneck has no codes to embed");
  }

 private:
  int64_t bits_;
  Dense mean_, log_variance_, out_;
};

class SemanticHashBottleneck : public Bottleneck {
 public:
  SemanticHashBottleneck(const Scope& scope, const BottleneckOptions& o)
      : hash_(scope, {.in = o.hidden_size,
                      .bits = o.bits,
                      .filter_size = o.filter_size,
                      .out = o.hidden_size,
                      .noise_dev = o.noise_dev,
                      .discrete_mix = o.discrete_mix,
                      .startup_steps = o.startup_steps}) {}

  Codes operator()(const at::Tensor& x_BCD, int64_t step,
                   const Context& context) const override {
    SemanticHash::Codes codes = hash_(x_BCD, step, context);
    return {codes.dense, codes.ids, Zero(x_BCD), Zero(x_BCD)};
  }
  at::Tensor Embed(const at::Tensor& ids) const override {
    return hash_.Embed(ids);
  }

 private:
  SemanticHash hash_;
};

class GumbelBottleneck : public Bottleneck {
 public:
  GumbelBottleneck(const Scope& scope, const BottleneckOptions& options)
      : options_(options),
        codes_(int64_t{1} << options.bits),
        // T2T's function takes the bottleneck's name for a scope of its own.
        mask_(scope.Sub("vc").Sub("mask"), options.hidden_size, codes_),
        out_(scope.Sub("dae_dense"), codes_, options.hidden_size) {}

  Codes operator()(const at::Tensor& x_BCD, int64_t step,
                   const Context& context) const override {
    const at::Tensor logits = mask_(x_BCD);
    Codes codes;
    codes.negative_entropy = Zero(x_BCD);
    at::Tensor hot;
    if (options_.softmax_k > 0) {
      hot = TopKSoftmax(logits, options_.softmax_k);
      codes.loss = 1.0 - at::softmax(logits, -1).amax(-1).mean();
    } else {
      const at::Tensor logs = at::log_softmax(logits, -1);
      const at::Tensor best =
          at::one_hot(logs.argmax(-1), codes_).to(at::kFloat);
      const int64_t steps = options_.temperature_warmup_steps;
      const at::Tensor noise = GumbelLike(logits, context) *
                               (0.5 * RampUpExponentially(step, steps / 5));
      hot =
          context.training
              ? at::softmax(
                    (logs + noise) / DrawTemperature(step, steps, context), -1)
              : best;
      // Against too few being used.
      const at::Tensor used = (logs * best).flatten(0, -2);
      codes.loss = -5.0 * (used - used.mean(0)).square().mean() -
                   0.002 * logs.amax(-1).mean();
    }
    codes.discrete = hot.argmax(-1);
    codes.dense = out_(hot);
    return codes;
  }
  at::Tensor Embed(const at::Tensor& ids) const override {
    return out_(at::one_hot(ids, codes_).to(at::kFloat));
  }

 private:
  BottleneckOptions options_;
  int64_t codes_;
  Dense mask_, out_;
};

class CodebookBottleneck : public Bottleneck {
 public:
  CodebookBottleneck(const Scope& root, const BottleneckOptions& options)
      : options_(options),
        block_bits_(options.bits / (options.residuals * options.blocks)),
        depth_(options.hidden_size / options.blocks) {
    const int64_t codes = int64_t{1} << block_bits_;
    CodebookOptions book;
    book.blocks = options.blocks;
    book.codes = codes;
    book.depth = depth_;
    book.beta = options.beta;
    book.decay = options.decay;
    book.epsilon = options.epsilon;
    book.smoothed_codes = std::pow(2.0, static_cast<double>(options.bits));
    book.samples = options.samples;
    book.random_top_k = options.random_top_k;
    const std::vector<int64_t> shape = {options.residuals, options.blocks,
                                        codes, depth_};
    ParamStore* const store = root.store();
    const std::string prefix = root.prefix().empty() ? "" : root.prefix() + "/";
    const Initializer init = CodebookInit();
    const at::Tensor means =
        options.moving_averages
            ? store->CreateBuffer(prefix + "means", shape, init)
            : root.Param("means", shape, init);
    for (int64_t i = 0; i < options.residuals; ++i) {
      const std::string number = std::to_string(i);
      at::Tensor count, averages;
      if (options.moving_averages) {
        count = store->CreateBuffer(prefix + "ema_count_" + number,
                                    {options.blocks, codes}, OnesInit());
        averages = store->CreateBuffer(
            prefix + "ema_means_" + number, {options.blocks, codes, depth_},
            [&](uint64_t, at::IntArrayRef) { return means[i].cpu().clone(); });
      }
      books_.emplace_back(means[i], count, averages, book);
    }
  }

  Codes operator()(const at::Tensor& x_BCD, int64_t step,
                   const Context& context) const override {
    const at::Tensor x_TKD =
        x_BCD.to(at::kFloat).reshape({-1, options_.blocks, depth_});
    at::Tensor left_over = x_TKD.detach();
    at::Tensor vectors;
    std::vector<at::Tensor> hots;
    Codes codes;
    for (const Codebook& book : books_) {
      // T2T looks each of them up for x itself, not for what is left over.
      at::Tensor entropy;
      const Codebook::Codes found =
          options_.kind == "dvq" ? book(x_TKD, context, left_over)
                                 : book.Take(x_TKD,
                                             Gumbel(book, x_TKD, x_BCD.size(0),
                                                    step, context, &entropy),
                                             context, left_over);
      codes.negative_entropy =
          entropy.defined() ? entropy : found.negative_entropy;
      codes.loss = codes.loss.defined() ? codes.loss + found.loss : found.loss;
      left_over = left_over - found.vectors_TKD.detach();
      vectors =
          vectors.defined() ? vectors + found.vectors_TKD : found.vectors_TKD;
      hots.push_back(found.hot_TKV);
    }
    codes.dense = StraightThrough(x_BCD, vectors.detach().reshape(x_BCD.sizes()));
    const at::Tensor hot_TRKV = at::stack(hots, 1);
    if (options_.samples > 0) {
      codes.discrete =
          hot_TRKV.reshape({x_BCD.size(0), x_BCD.size(1), hot_TRKV.size(-1)});
      return codes;
    }
    codes.discrete =
        BitsToInts(IntsToBits(hot_TRKV.argmax(-1), block_bits_).flatten(1))
            .view({x_BCD.size(0), x_BCD.size(1)});
    return codes;
  }

  at::Tensor Embed(const at::Tensor& discrete) const override {
    const int64_t codes = int64_t{1} << block_bits_;
    at::Tensor hot_TRKV;
    if (discrete.is_floating_point()) {
      hot_TRKV = discrete.reshape({-1, 1, 1, codes});
    } else {
      const at::Tensor bits =
          IntsToBits(discrete.flatten(), options_.bits)
              .view({-1, options_.residuals, options_.blocks, block_bits_});
      hot_TRKV = at::one_hot(BitsToInts(bits), codes).to(at::kFloat);
    }
    at::Tensor sum;
    for (size_t i = 0; i < books_.size(); ++i) {
      const at::Tensor vectors =
          books_[i].Vectors(hot_TRKV.select(1, static_cast<int64_t>(i)));
      sum = sum.defined() ? sum + vectors : vectors;
    }
    return sum.reshape(
        {discrete.size(0), discrete.size(1), options_.hidden_size});
  }

 private:
  // Shares drawn with Gumbel's noise, [T, K, V]; entropy: their negative one.
  at::Tensor Gumbel(const Codebook& book, const at::Tensor& x_TKD,
                    int64_t batch, int64_t step, const Context& context,
                    at::Tensor* entropy) const {
    const at::Tensor logs =
        at::log_softmax(-book.Distances(x_TKD), -1).unsqueeze(0);
    std::vector<int64_t> shape = logs.sizes().vec();
    shape[0] = options_.gumbel_samples;
    const double temperature =
        DrawTemperature(step, options_.temperature_warmup_steps, context);
    const at::Tensor soft = at::softmax(
        (logs + GumbelLike(logs.expand(shape), context)) / temperature, -1);
    const at::Tensor drawn = soft.clamp(1e-6, 1.0 - 1e-6);
    const auto codes = static_cast<double>(logs.size(-1));
    // Of T2T's two: a multinomial's, or the relaxed one's own (Maddison et al.
    // 2016, arXiv:1611.00712).
    const at::Tensor log_density =
        options_.approximate_entropy
            ? (drawn * logs - at::lgamma(drawn + 1.0)).sum(-1)
            : at::log_softmax(logs - temperature * drawn.log(), -1).sum(-1) -
                  drawn.log().sum(-1) + std::lgamma(codes) +
                  (codes - 1.0) * std::log(temperature);
    const at::Tensor mean_TK = log_density.mean(0);
    *entropy = options_.sum_over_latents
                   ? mean_TK.sum() / static_cast<double>(batch)
                   : mean_TK.mean();
    if (!options_.hard_samples) return soft.mean(0);
    const at::Tensor hot =
        at::one_hot(drawn.argmax(-1), logs.size(-1)).to(at::kFloat).mean(0);
    return StraightThrough(drawn.mean(0), hot);
  }

  BottleneckOptions options_;
  int64_t block_bits_, depth_;
  std::vector<Codebook> books_;
};

void CheckBlocks(const BottleneckOptions& o) {
  const int64_t parts = o.residuals * o.blocks;
  if (o.blocks >= 1 && o.residuals >= 1 && o.hidden_size % o.blocks == 0 &&
      o.bits % parts == 0 && o.bits / parts <= 24) {
    if (o.samples == 0 || parts == 1) return;
  }
  throw UsageError(
      "z_size=" + std::to_string(o.bits) +
          ", num_blocks=" + std::to_string(o.blocks) + ", num_residuals=" +
          std::to_string(o.residuals) + " with bottleneck_kind=" + o.kind,
      "num_blocks that divide hidden_size, and with num_residuals z_size; with "
      "soft_em both 1",
      "change them in --hparams");
}

}  // namespace

bool IsDiscreteBottleneck(const std::string& kind) {
  return kind != "dense" && kind != "vae";
}

std::unique_ptr<Bottleneck> MakeBottleneck(const Scope& scope,
                                           const Scope& root,
                                           const BottleneckOptions& options) {
  const std::string& kind = options.kind;
  if (options.bits < 1 ||
      (options.bits > 24 && kind != "semhash" && IsDiscreteBottleneck(kind))) {
    throw UsageError("z_size=" + std::to_string(options.bits), "1 to 24 bits",
                     "change it in --hparams");
  }
  if (kind == "dense") return std::make_unique<DenseBottleneck>(scope, options);
  if (kind == "vae") {
    return std::make_unique<VariationalBottleneck>(scope, options);
  }
  if (kind == "semhash") {
    return std::make_unique<SemanticHashBottleneck>(scope, options);
  }
  if (kind == "gumbel-softmax") {
    return std::make_unique<GumbelBottleneck>(scope, options);
  }
  if (kind == "dvq" || kind == "gumbel-softmax-dvq") {
    CheckBlocks(options);
    return std::make_unique<CodebookBottleneck>(root, options);
  }
  throw UsageError("bottleneck_kind=" + kind,
                   "semhash, dvq, gumbel-softmax, gumbel-softmax-dvq, dense or "
                   "vae",
                   "change it in --hparams");
}

}  // namespace t2t::nn
