#include "t2t/nn/batch_norm.h"

#include <ATen/ATen.h>

#include "t2t/base/strings.h"

namespace t2t::nn {

bool IsRunningAverage(const std::string& name) {
  return EndsWith(name, "/moving_mean") || EndsWith(name, "/moving_variance");
}

BatchNorm::BatchNorm(const Scope& scope, int64_t channels,
                     const BatchNormOptions& options)
    : options_(options),
      gamma_(scope.Param("gamma", {channels},
                         options.starts_at_zero ? ZerosInit() : OnesInit())),
      beta_(scope.Param("beta", {channels}, ZerosInit())),
      mean_(scope.store()->CreateBuffer(scope.prefix() + "/moving_mean",
                                        {channels}, ZerosInit())),
      variance_(scope.store()->CreateBuffer(scope.prefix() + "/moving_variance",
                                            {channels}, OnesInit())) {}

at::Tensor BatchNorm::operator()(const at::Tensor& x, const Context& context,
                                 bool moves) const {
  const bool uses_averages = moves || !context.training;
  // Channels second, as LibTorch wants them.
  return at::batch_norm(x.reshape({-1, x.size(-1)}), gamma_, beta_,
                        uses_averages ? mean_ : at::Tensor(),
                        uses_averages ? variance_ : at::Tensor(),
                        context.training, 1.0 - options_.momentum,
                        options_.epsilon, /*cudnn_enabled=*/false)
      .reshape(x.sizes());
}

}  // namespace t2t::nn
