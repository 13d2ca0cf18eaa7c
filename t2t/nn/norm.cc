#include "t2t/nn/norm.h"

#include <cmath>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/ops/dropout.h"

namespace t2t {
namespace {

// TF names a second scope of the same default name "<name>_1".
std::string Suffix(size_t count) {
  return count == 0 ? "" : "_" + std::to_string(count);
}

}  // namespace

Norm::Norm(const Scope& scope, const std::string& type, int64_t depth,
           double epsilon, const std::string& name_suffix)
    : type_(type), epsilon_(epsilon), parallel_(scope.tensor_parallel()) {
  if (type == "layer" || type == "l2") {
    const std::string name = type + "_norm";
    const Scope own = scope.Sub(name + name_suffix);
    scale_ = own.Param(name + "_scale", {depth}, OnesInit());
    bias_ = own.Param(name + "_bias", {depth}, ZerosInit());
  } else if (type == "batch") {
    const Scope own = scope.Sub("batch_normalization" + name_suffix);
    scale_ = own.Param("gamma", {depth}, OnesInit());
    bias_ = own.Param("beta", {depth}, ZerosInit());
  } else if (type == "group") {
    throw UsageError("norm_type=group is for images alone",
                     "layer, batch, l2, noam or none",
                     "change --hparams=norm_type=...");
  } else if (type != "noam" && type != "none") {
    throw UsageError("norm_type=" + type + " is not supported",
                     "layer, batch, l2, noam or none",
                     "change --hparams=norm_type=...");
  }
}

at::Tensor Norm::operator()(const at::Tensor& x) const {
  const auto own = [this](const at::Tensor& parameter) {
    return parallel_ == nullptr ? parameter : parallel_->Between(parameter);
  };
  if (type_ == "layer") {
    return at::layer_norm(x, {x.size(-1)}, own(scale_), own(bias_), epsilon_);
  }
  if (type_ == "l2") {
    const at::Tensor centred = x - x.mean(-1, /*keepdim=*/true);
    const at::Tensor length = centred.square().sum(-1, /*keepdim=*/true);
    return centred * (length + epsilon_).rsqrt() * own(scale_) + own(bias_);
  }
  if (type_ == "batch") {
    return x * (own(scale_) / std::sqrt(1.0 + epsilon_)) + own(bias_);
  }
  if (type_ == "noam") {
    const at::Tensor length = x.square().sum(-1, /*keepdim=*/true);
    return x * length.clamp_min(epsilon_).rsqrt() *
           std::sqrt(static_cast<double>(x.size(-1)));
  }
  return x;
}

PrePost::PrePost(const Scope& scope, const std::string& name,
                 const PrePostOptions& options)
    : options_(options), parallel_(scope.tensor_parallel()) {
  if (options_.sequence == "none") options_.sequence.clear();
  if (parallel_ != nullptr && parallel_->layout().length &&
      !options.dropout_broadcast_dims.empty()) {
    throw UsageError(
        "layer_prepostprocess_dropout_broadcast_dims with length:model in "
        "--layout",
        "none", "set it to '' in --hparams, or leave length out of --layout");
  }
  const bool pre = StartsWith(name, "layer_prepostprocess");
  const Scope own = scope.Sub(name);
  for (const char step : options_.sequence) {
    switch (step) {
      case 'n':
        norms_.emplace_back(own, options.norm_type, options.depth,
                            options.norm_epsilon, Suffix(norms_.size()));
        break;
      case 'd':
        break;
      case 'z':
        if (!pre) {
          gammas_.push_back(own.Sub("zero_add" + Suffix(gammas_.size()))
                                .Param("gamma", {}, ZerosInit()));
        }
        [[fallthrough]];
      case 'a':
        if (!pre) break;
        [[fallthrough]];
      default:
        throw UsageError(std::string("step '") + step + "' in " +
                             (pre ? "layer_preprocess_sequence="
                                  : "layer_postprocess_sequence=") +
                             options.sequence,
                         pre ? "of the letters n and d, or none"
                             : "of the letters n, d, a and z, or none",
                         "change it in --hparams");
    }
  }
}

at::Tensor PrePost::operator()(const at::Tensor& previous, const at::Tensor& x,
                               const nn::Context& context) const {
  at::Tensor result = x;
  const DropoutShard part =
      parallel_ == nullptr ? DropoutShard() : parallel_->PartBetween(x);
  size_t norm = 0;
  size_t gamma = 0;
  const std::string& steps = options_.sequence;
  for (size_t i = 0; i < steps.size(); ++i) {
    if (steps[i] == 'n') {
      result = norms_[norm++](result);
    } else if (steps[i] == 'a') {
      result = previous + result;
    } else if (steps[i] == 'z') {
      const at::Tensor& own = gammas_[gamma++];
      result = previous +
               (parallel_ == nullptr ? own : parallel_->Between(own)) * result;
    } else if (context.training) {
      if (i + 1 < steps.size() && steps[i + 1] == 'a' &&
          options_.dropout_broadcast_dims.empty()) {
        result =
            DropoutAdd(result, previous, options_.dropout, context.rng, part);
        ++i;
      } else {
        result = Dropout(result, options_.dropout, context.rng,
                         options_.dropout_broadcast_dims, part);
      }
    }
  }
  return result;
}

}  // namespace t2t
