#ifndef T2T_OPTIM_MOVING_AVERAGE_H_
#define T2T_OPTIM_MOVING_AVERAGE_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "t2t/optim/optimizer.h"

namespace t2t {

// Exponential moving average of parameters, as TensorFlow's with num_updates:
// the decay is min(decay, (1 + step) / (10 + step)).
class MovingAverage {
 public:
  MovingAverage(double decay, std::vector<NamedTensor> parameters);

  void Update(int64_t step);
  // By parameter's name (shared, not copied).
  std::map<std::string, at::Tensor> State() const;
  // A parameter that state lacks starts from its value.
  void LoadState(const std::map<std::string, at::Tensor>& state);
  // Exchanges the averages and the parameters; twice is nothing.
  void Swap();

 private:
  double decay_;
  std::vector<NamedTensor> parameters_;
  std::vector<at::Tensor> averages_;
};

}  // namespace t2t

#endif  // T2T_OPTIM_MOVING_AVERAGE_H_
