#include "t2t/optim/moving_average.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "t2t/ops/optimizer_kernels.h"
#include "t2t/optim/for_each.h"

namespace t2t {

MovingAverage::MovingAverage(double decay, std::vector<NamedTensor> parameters)
    : decay_(decay), parameters_(std::move(parameters)) {
  for (const NamedTensor& parameter : parameters_) {
    averages_.push_back(parameter.tensor.detach().clone());
  }
}

void MovingAverage::Update(int64_t step) {
  const double t = static_cast<double>(step);
  const float decay =
      static_cast<float>(std::min(decay_, (1.0 + t) / (10.0 + t)));
  for (size_t i = 0; i < parameters_.size(); ++i) {
    float* const average = averages_[i].mutable_data_ptr<float>();
    const float* const value = parameters_[i].tensor.const_data_ptr<float>();
    ForEach(averages_[i].numel(), Optimizer::kPieceSize,
            [&](int64_t begin, int64_t end) {
              AverageKernel(average + begin, value + begin, decay, end - begin);
            });
  }
}

std::map<std::string, at::Tensor> MovingAverage::State() const {
  std::map<std::string, at::Tensor> state;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    state[parameters_[i].name] = averages_[i];
  }
  return state;
}

void MovingAverage::LoadState(const std::map<std::string, at::Tensor>& state) {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const auto found = state.find(parameters_[i].name);
    if (found == state.end()) {
      averages_[i].copy_(parameters_[i].tensor.detach());
    } else {
      averages_[i].copy_(found->second);
    }
  }
}

void MovingAverage::Swap() {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    at::Tensor parameter = parameters_[i].tensor.detach();
    const at::Tensor kept = parameter.clone();
    parameter.copy_(averages_[i]);
    averages_[i].copy_(kept);
  }
}

}  // namespace t2t
