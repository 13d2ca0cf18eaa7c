#include "t2t/nn/moe.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/rng.h"

namespace t2t {
namespace {

constexpr double kNoiseEpsilon = 1e-2;

// The squared coefficient of variation.
at::Tensor VariationSquared(const at::Tensor& x) {
  const at::Tensor mean = x.mean();
  return (x - mean).square().mean() / (mean.square() + 1e-10);
}

struct Top {
  at::Tensor values;  // [rows, k]
  at::Tensor indices;
};

// The greatest k of each row, of equal ones the first.
Top TopOf(const at::Tensor& x, int64_t k) {
  std::vector<at::Tensor> values;
  std::vector<at::Tensor> indices;
  at::Tensor rest = x;
  for (int64_t i = 0; i < k; ++i) {
    const at::Tensor index = rest.detach().argmax(1, /*keepdim=*/true);
    values.push_back(rest.gather(1, index));
    indices.push_back(index);
    if (i + 1 < k) {
      rest = rest.scatter_add(1, index, at::full_like(values.back(), -1e9));
    }
  }
  return {at::cat(values, 1), at::cat(indices, 1)};
}

at::Tensor NormalCdf(const at::Tensor& x, const at::Tensor& stddev) {
  return (at::erf(x / (stddev * std::sqrt(2.0) + 1e-20)) + 1.0) * 0.5;
}

std::vector<int64_t> ToVector(const at::Tensor& counts) {
  const at::Tensor whole = counts.to(at::kCPU, at::kLong).contiguous();
  const int64_t* const data = whole.const_data_ptr<int64_t>();
  return {data, data + whole.numel()};
}

// Each expert's kernel as if it were a parameter of its own.
Initializer PerExpert(const Initializer& init) {
  return [init](uint64_t seed, at::IntArrayRef shape) {
    std::vector<at::Tensor> kernels;
    for (int64_t i = 0; i < shape[0]; ++i) {
      kernels.push_back(
          init(Rng::Combine(seed, static_cast<uint64_t>(i)), shape.slice(1)));
    }
    return at::stack(kernels);
  };
}

}  // namespace

MixtureOfExperts::MixtureOfExperts(const Scope& scope,
                                   const MixtureOptions& options)
    : options_(options), any_parallel_(scope.tensor_parallel()) {
  if (options.experts < 1 || options.experts_per_token < 1 ||
      options.experts_per_token > options.experts) {
    throw UsageError(
        "moe_num_experts=" + std::to_string(options.experts) +
            " with moe_k=" + std::to_string(options.experts_per_token),
        "at least one expert a token, and at most all of them",
        "change them in --hparams");
  }
  if (any_parallel_ != nullptr && any_parallel_->layout().experts) {
    parallel_ = any_parallel_;
  }
  const Scope own = scope.Sub("local_moe");
  const Scope gating = own.Sub("noisy_top_k_gating");
  gate_ = gating.Param("w_gate", {options.hidden_size, options.experts},
                       ZerosInit());
  noise_ = gating.Param("w_noise", {options.hidden_size, options.experts},
                        ZerosInit());
  const auto kernels = [&](const char* name, int64_t in, int64_t out) {
    const std::vector<int64_t> shape = {options.experts, in, out};
    const Initializer init = PerExpert(scope.init());
    return split()
               ? parallel_->Param(own.Sub("experts"), name, {shape, 0, 1}, init)
               : own.Sub("experts").Param(name, shape, init);
  };
  in_ = kernels("w_0", options.hidden_size, options.filter_size);
  out_ = kernels("w_1", options.filter_size, options.hidden_size);
}

MixtureOfExperts::Gating MixtureOfExperts::Gate(const at::Tensor& tokens,
                                                const at::Tensor& noise) const {
  const int64_t k = options_.experts_per_token;
  const at::Tensor gate = split() ? parallel_->CopyIn(gate_) : gate_;
  const at::Tensor clean = at::mm(tokens, gate).to(at::kFloat);
  at::Tensor stddev;
  at::Tensor logits = clean;
  if (noise.defined()) {
    const at::Tensor noise_kernel =
        split() ? parallel_->CopyIn(noise_) : noise_;
    stddev = at::softplus(at::mm(tokens, noise_kernel).to(at::kFloat)) +
             kNoiseEpsilon;
    logits = clean + noise * stddev;
  }
  const Top top = TopOf(logits, std::min(k + 1, options_.experts));
  Gating gating;
  gating.gates =
      at::zeros_like(clean).scatter(1, top.indices.narrow(1, 0, k),
                                    at::softmax(top.values.narrow(1, 0, k), 1));
  if (stddev.defined() && k < options_.experts) {
    // How likely each would be among the first k with other noise.
    const at::Tensor if_in = top.values.narrow(1, k, 1);
    const at::Tensor if_out = top.values.narrow(1, k - 1, 1);
    gating.load = at::where(logits.gt(if_in), NormalCdf(clean - if_in, stddev),
                            NormalCdf(clean - if_out, stddev));
  } else {
    gating.load = gating.gates.gt(0).to(at::kFloat);
  }
  return gating;
}

at::Tensor MixtureOfExperts::Local(const at::Tensor& rows,
                                   const std::vector<int64_t>& counts) const {
  std::vector<at::Tensor> outputs;
  const double scale = std::pow(static_cast<double>(options_.filter_size) /
                                    static_cast<double>(options_.hidden_size),
                                -0.5);
  int64_t begin = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    const auto expert = static_cast<int64_t>(i);
    const at::Tensor hidden =
        at::relu(at::mm(rows.narrow(0, begin, counts[i]), in_[expert]));
    outputs.push_back(at::mm(hidden, out_[expert]) * scale);
    begin += counts[i];
  }
  return at::cat(outputs);
}

at::Tensor MixtureOfExperts::Anywhere(
    const at::Tensor& rows, const std::vector<int64_t>& counts) const {
  if (!split()) return Local(rows, counts);
  return parallel_->RunExperts(
      rows, counts,
      [this](const at::Tensor& arrived, const std::vector<int64_t>& own) {
        return Local(arrived, own);
      });
}

at::Tensor MixtureOfExperts::operator()(const at::Tensor& x,
                                        nn::Context& context) const {
  const bool training = context.training;
  // Where the experts are split, each rank takes a shard of the tokens: that
  // which it has already, or one of all.
  const bool has_part =
      any_parallel_ != nullptr && any_parallel_->length() != 0;
  const at::Tensor input =
      has_part && !split() ? any_parallel_->Enter(x, false) : x;
  const at::Tensor flat = input.reshape({-1, input.size(-1)});
  at::Tensor noise;
  if (training) {
    // That of all tokens on every rank, so that it is one process'.
    const int64_t length = has_part ? any_parallel_->length() : input.size(1);
    noise = at::randn({input.size(0), length, options_.experts}, context.rng)
                .to(input.device());
    if (has_part && split()) noise = any_parallel_->OwnLength(noise);
    noise = noise.reshape({-1, options_.experts});
  }
  at::Tensor tokens = flat;
  if (split() && !has_part) {
    tokens = parallel_->TakeShard(flat, 0);
    if (training) {
      const ShardRange own = parallel_->Own(flat.size(0));
      noise = noise.narrow(0, own.begin, own.size());
    }
  }
  const Gating gating = Gate(tokens, noise);
  at::Tensor importance = gating.gates.sum(0);
  at::Tensor load = gating.load.sum(0);
  if (split()) {
    importance = parallel_->SumOut(importance);
    load = parallel_->SumOut(load);
  }
  context.losses.Add("extra",
                     (VariationSquared(importance) + VariationSquared(load)) *
                         options_.loss_weight);
  // (expert, token) of all gates above 0, by expert.
  const at::Tensor chosen = gating.gates.detach().t().gt(0).nonzero();
  const at::Tensor expert = chosen.select(1, 0);
  const at::Tensor token = chosen.select(1, 1);
  const std::vector<int64_t> counts = ToVector(
      at::bincount(expert, /*weights=*/{}, /*minlength=*/options_.experts));
  const at::Tensor outputs = Anywhere(tokens.index_select(0, token), counts);
  const at::Tensor weights =
      gating.gates.flatten().index_select(0, token * options_.experts + expert);
  at::Tensor y = at::zeros_like(tokens).index_add(
      0, token, (outputs * weights.unsqueeze(1)).to(tokens.scalar_type()));
  if (split() && !has_part) y = parallel_->Gather(y, 0, flat.size(0));
  y = y.view(input.sizes());
  return has_part && !split() ? any_parallel_->Leave(y, false) : y;
}

}  // namespace t2t
