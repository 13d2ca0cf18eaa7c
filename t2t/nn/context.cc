#include "t2t/nn/context.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

namespace t2t::nn {

void Losses::Add(const std::string& name, const at::Tensor& loss) {
  at::Tensor& sum = by_name_[name];
  sum = sum.defined() ? sum + loss : loss;
}

Context::Context(bool is_training)
    : training(is_training), rng(at::detail::getDefaultCPUGenerator()) {}

at::Tensor UniformLike(const at::Tensor& like, const Context& context) {
  return at::rand(like.sizes(), context.rng, like.options().device(at::kCPU))
      .to(like.device());
}

at::Tensor NormalLike(const at::Tensor& like, const Context& context) {
  return at::randn(like.sizes(), context.rng, like.options().device(at::kCPU))
      .to(like.device());
}

}  // namespace t2t::nn
