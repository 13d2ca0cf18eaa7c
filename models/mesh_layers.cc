#include "models/mesh_layers.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "t2t/base/error.h"
#include "t2t/nn/key_value_cache.h"
#include "t2t/ops/dropout.h"

namespace t2t {
namespace {

constexpr double kHidden = -1e9;

struct OwnPositions : nn::State {
  void Select(const at::Tensor& rows) override { cache.Select(rows); }

  KeyValueCache cache;
};

// Of each source.
struct Sources : nn::State {
  void Select(const at::Tensor&) override {}
  void SelectSources(const at::Tensor& sources) override {
    memory.keys = memory.keys.index_select(0, sources);
    memory.values = memory.values.index_select(0, sources);
  }

  KeysValues memory;
};

// [.., L, n K] -> [.., n, L, K].
at::Tensor SplitHeads(const at::Tensor& x, int64_t depth) {
  return x.unflatten(-1, {-1, depth}).transpose(1, 2);
}

// 0 where a key is less than `reach` positions away, [L, L].
at::Tensor NearBias(int64_t length, int64_t reach, const at::Tensor& like) {
  const at::Tensor at_L = at::arange(length, like.options());
  return (at_L.unsqueeze(1) - at_L).abs().ge(reach).to(like.scalar_type()) *
         kHidden;
}

}  // namespace

at::Tensor RootMeanSquareNorm(const at::Tensor& x, const at::Tensor& scale_D,
                              double epsilon) {
  return x * (x.square().mean(-1, /*keepdim=*/true) + epsilon).rsqrt() *
         scale_D;
}

at::Tensor MeshDropout(const at::Tensor& x, double rate,
                       const nn::Context& context) {
  return context.training ? Dropout(x, rate, context.rng, {-2}) : x;
}

void RefuseMeshLayer(const std::string& key, const std::string& layer,
                     const std::string& known) {
  throw UsageError(key + " with '" + layer + "', which is not here", known,
                   "change --hparams=" + key + "=...");
}

MeshAttention::MeshAttention(const Scope& scope,
                             const MeshAttentionOptions& options)
    : options_(options) {
  TensorParallel* const parallel = scope.tensor_parallel();
  if (parallel != nullptr && parallel->layout().heads) parallel_ = parallel;
  if (options.memory_heads > 1 ||
      (options.memory_heads == 1 && parallel_ != nullptr)) {
    throw UsageError(
        "num_memory_heads=" + std::to_string(options.memory_heads) +
            (parallel_ != nullptr ? " with heads:model in --layout" : ""),
        parallel_ != nullptr ? "0, or a layout without heads"
                             : "0, or 1 for keys that all heads share",
        "change num_memory_heads in --hparams");
  }
  MakeKernels(scope);
}

void MeshAttention::MakeKernels(const Scope& scope) {
  const MeshAttentionOptions& o = options_;
  const double in = std::pow(static_cast<double>(o.size), -0.5);
  const auto depth = static_cast<double>(o.depth);
  // Made [in, out] where `dim` says along which the heads lie; -1: neither.
  const auto make = [&](const char* name, std::vector<int64_t> shape,
                        int64_t dim, int64_t unit, const Initializer& init) {
    return parallel_ == nullptr || dim < 0
               ? scope.Param(name, shape, init)
               : parallel_->Param(scope, name, {shape, dim, unit}, init);
  };
  if (o.one_variable) {
    const double from_heads =
        std::pow(static_cast<double>(o.size * o.heads), -0.5);
    const double to_heads = in * std::pow(depth, -0.25);
    const at::Tensor sizes =
        at::tensor({to_heads, to_heads, in, from_heads}, at::kFloat);
    qkvo_ = make(
        "qkvo", {4, o.heads, o.size, o.depth}, 1, 1,
        [sizes](uint64_t seed, at::IntArrayRef shape) {
          return NormalInit(0.0, 1.0)(seed, shape) * sizes.view({4, 1, 1, 1});
        });
    return;
  }
  const int64_t width = o.heads * o.depth;
  const bool common = o.memory_heads == 1;
  const int64_t memory_width = common ? o.depth : width;
  const int64_t memory_dim = common ? -1 : 1;
  q_ = make("q", {o.size, width}, 1, o.depth,
            NormalInit(0.0, in * std::pow(depth, -0.5)));
  if (o.shares_keys_and_values) {
    k_ = v_ = make("kv", {o.size, memory_width}, memory_dim, o.depth,
                   NormalInit(0.0, in));
  } else {
    k_ = make("k", {o.size, memory_width}, memory_dim, o.depth,
              NormalInit(0.0, in));
    v_ = make("v", {o.size, memory_width}, memory_dim, o.depth,
              NormalInit(0.0, in));
  }
  o_ = make("o", {width, o.size}, 0, o.depth,
            NormalInit(0.0, std::pow(static_cast<double>(width), -0.5)));
}

at::Tensor MeshAttention::Project(const at::Tensor& x,
                                  const at::Tensor& kernel) const {
  const at::Tensor flat =  // [D, n K]
      kernel.dim() == 2 ? kernel : kernel.permute({1, 0, 2}).flatten(1);
  return SplitHeads(at::matmul(x, flat), options_.depth);
}

at::Tensor MeshAttention::Output(const at::Tensor& attended) const {
  const at::Tensor flat = attended.transpose(1, 2).flatten(2);
  const at::Tensor kernel =
      qkvo_.defined() ? qkvo_[3].permute({0, 2, 1}).flatten(0, 1) : o_;
  const at::Tensor y = at::matmul(flat, kernel);
  return parallel_ == nullptr ? y : parallel_->Leave(y, /*split=*/true);
}

at::Tensor MeshAttention::Weights(const at::Tensor& scores,
                                  const nn::Context& context) const {
  at::Tensor weights;
  if (options_.may_see_nothing || options_.compression > 0) {
    // One key more, of score 0 and of no value.
    weights = at::constant_pad_nd(scores, {0, 1})
                  .softmax(-1)
                  .narrow(-1, 0, scores.size(-1));
  } else {
    weights = scores.softmax(-1);
  }
  return MeshDropout(weights, options_.dropout, context);
}

at::Tensor MeshAttention::Attend(const at::Tensor& q, const at::Tensor& k,
                                 const at::Tensor& v, const at::Tensor& bias,
                                 const nn::Context& context) const {
  at::Tensor scores = at::matmul(q, k.transpose(-1, -2)).to(at::kFloat);
  if (bias.defined()) scores = scores + bias;
  return at::matmul(Weights(scores, context).to(v.scalar_type()), v);
}

// By blocks as long as the window: what a query sees is in its own and the one
// before. (T2T lets the first positions see zeros before the start, too.)
at::Tensor MeshAttention::AttendInWindow(const at::Tensor& q,
                                         const at::Tensor& k,
                                         const at::Tensor& v,
                                         const nn::Context& context) const {
  const int64_t length = q.size(2);
  const int64_t window = std::min(options_.window, length);
  const int64_t blocks = (length + window - 1) / window;
  const int64_t missing = blocks * window - length;
  const auto blocked = [&](const at::Tensor& x) {  // [B, n, blocks, window, K]
    return at::constant_pad_nd(x, {0, 0, 0, missing})
        .unflatten(2, {blocks, window});
  };
  const auto with_before = [&](const at::Tensor& x) {
    const at::Tensor own = blocked(x);
    const at::Tensor before =
        at::constant_pad_nd(own, {0, 0, 0, 0, 1, 0}).narrow(2, 0, blocks);
    return at::cat({before, own}, 3);
  };
  const auto options = q.options().dtype(at::kLong);
  const at::Tensor query = at::arange(window, options).unsqueeze(1) + window;
  const at::Tensor key = at::arange(2 * window, options);
  at::Tensor seen = key.le(query);
  if (!options_.window_of_blocks) {
    seen = seen.logical_and(key.gt(query - window));
  }
  // Nothing stands before the first block.
  const at::Tensor first = at::arange(blocks, options).view({blocks, 1, 1});
  seen = seen.unsqueeze(0).logical_and(first.gt(0).logical_or(key.ge(window)));
  const at::Tensor bias = seen.logical_not().to(at::kFloat) * kHidden;
  return Attend(blocked(q), with_before(k), with_before(v), bias, context)
      .flatten(2, 3)
      .narrow(2, 0, length);
}

at::Tensor MeshAttention::Whole(const at::Tensor& x_BLD, nn::Pass& pass) const {
  const nn::WholeRows& rows = *pass.whole();
  const auto enter = [&](const at::Tensor& x) {
    return parallel_ == nullptr ? x : parallel_->Enter(x, /*split=*/true);
  };
  const at::Tensor entered = enter(x_BLD);
  at::Tensor memory = entered;
  at::Tensor bias = rows.bias;
  if (options_.sees_memory) {
    memory = enter(rows.memory_BMD);
    bias = rows.memory_bias;
  } else if (options_.compression > 0) {
    // What is left over at the end nobody may see yet.
    const int64_t factor = options_.compression;
    const int64_t means = x_BLD.size(1) / factor;
    memory = entered.narrow(1, 0, means * factor)
                 .unflatten(1, {means, factor})
                 .mean(2);
    const auto options = x_BLD.options().dtype(at::kLong);
    const at::Tensor last = at::arange(means, options) * factor + factor - 1;
    bias = last.gt(at::arange(x_BLD.size(1), options).unsqueeze(1))
               .to(at::kFloat) *
           kHidden;
  }
  const bool one = qkvo_.defined();
  const at::Tensor q = Project(entered, one ? qkvo_[0] : q_);
  const at::Tensor k = Project(memory, one ? qkvo_[1] : k_);
  const at::Tensor v = Project(memory, one ? qkvo_[2] : v_);
  if (options_.window > 0 && pass.causal()) {
    return Output(AttendInWindow(q, k, v, pass.context()));
  }
  if (options_.window > 0) {
    bias = bias + NearBias(x_BLD.size(1), options_.window, bias);
  }
  return Output(Attend(q, k, v, bias, pass.context()));
}

at::Tensor MeshAttention::Step(const at::Tensor& x_R1D, nn::Pass& pass) const {
  const auto enter = [&](const at::Tensor& x) {
    return parallel_ == nullptr ? x : parallel_->Enter(x, /*split=*/true);
  };
  const at::Tensor entered = enter(x_R1D);
  const bool one = qkvo_.defined();
  const at::Tensor q = Project(entered, one ? qkvo_[0] : q_);
  const auto keys_values = [&](const at::Tensor& x) {
    return KeysValues{Project(x, one ? qkvo_[1] : k_),
                      Project(x, one ? qkvo_[2] : v_)};
  };
  if (options_.sees_memory) {
    KeysValues& memory =
        pass.Kept([] { return std::make_unique<Sources>(); }).memory;
    if (!memory.keys.defined()) {
      memory = keys_values(enter(pass.step()->memory_BMD()));
    }
    // The hypotheses of a source stand where a source's queries would.
    const int64_t group = pass.step()->group();
    const at::Tensor queries =
        q.squeeze(2).unflatten(0, {-1, group}).transpose(1, 2);
    const at::Tensor attended =
        Attend(queries, memory.keys, memory.values, pass.step()->memory_bias(),
               pass.context());
    return Output(attended.transpose(1, 2).flatten(0, 1).unsqueeze(2));
  }
  KeyValueCache& cache =
      pass.Kept([] { return std::make_unique<OwnPositions>(); }).cache;
  const KeysValues latest = keys_values(entered);
  cache.Append(latest.keys, latest.values);
  if (options_.window > 0) cache.KeepLast(options_.window);
  const KeysValues all = cache.View();
  return Output(Attend(q, all.keys, all.values, {}, pass.context()));
}

MeshDenseReluDense::MeshDenseReluDense(const Scope& scope, int64_t size,
                                       int64_t filter, double dropout)
    : dropout_(dropout),
      parallel_(scope.tensor_parallel() != nullptr &&
                        scope.tensor_parallel()->layout().d_ff
                    ? scope.tensor_parallel()
                    : nullptr),
      in_(scope.Sub("wi"), size, filter, /*use_bias=*/false, parallel_),
      out_(scope.Sub("wo"), filter, size, /*use_bias=*/false, parallel_) {}

at::Tensor MeshDenseReluDense::operator()(const at::Tensor& x_BLD,
                                          nn::Pass& pass) const {
  const at::Tensor entered =
      parallel_ == nullptr ? x_BLD : parallel_->Enter(x_BLD, /*split=*/true);
  return out_(MeshDropout(at::relu(in_(entered)), dropout_, pass.context()));
}

at::Tensor MeshStack::Scale::Get() const {
  return index < 0 ? parameter : parameter[index];
}

at::Tensor MeshStack::operator()(const at::Tensor& x_BLD,
                                 nn::Pass& pass) const {
  const nn::Context& context = pass.context();
  at::Tensor x = x_BLD;
  for (const Layer& layer : layers_) {
    const at::Tensor seen = RootMeanSquareNorm(x, layer.scale.Get(), epsilon_);
    x = x + MeshDropout((*layer.layer)(seen, pass), dropout_, context);
  }
  return MeshDropout(RootMeanSquareNorm(x, last_.Get(), epsilon_), dropout_,
                     context);
}

bool MeshStack::CanStep() const {
  return std::all_of(layers_.begin(), layers_.end(),
                     [](const Layer& layer) { return layer.layer->CanStep(); });
}

}  // namespace t2t
