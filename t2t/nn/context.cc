#include "t2t/nn/context.h"

#include <ATen/ATen.h>

namespace t2t::nn {

void Losses::Add(const std::string& name, const at::Tensor& loss) {
  at::Tensor& sum = by_name_[name];
  sum = sum.defined() ? sum + loss : loss;
}

}  // namespace t2t::nn
