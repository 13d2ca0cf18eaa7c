#include "t2t/model/model.h"

#include <algorithm>

#include "t2t/base/error.h"
#include "t2t/ops/device.h"

namespace t2t {

Features ToFeatures(const Batch& batch) {
  Features features;
  for (const auto& [name, host] : batch) {
    const auto type = host.is_float() ? at::kFloat : at::kLong;
    at::Tensor tensor = at::empty(host.shape, type);
    const size_t size = host.is_float() ? host.floats.size() : host.ints.size();
    if (static_cast<size_t>(tensor.numel()) != size) {
      throw Error(ExitCode::kInternal, "feature '" + name + "' has " +
                                           std::to_string(size) +
                                           " values in a shape of " +
                                           std::to_string(tensor.numel()));
    }
    if (host.is_float()) {
      std::copy(host.floats.begin(), host.floats.end(),
                tensor.mutable_data_ptr<float>());
    } else {
      std::copy(host.ints.begin(), host.ints.end(),
                tensor.mutable_data_ptr<int64_t>());
    }
    features[name] = tensor.to(ComputeDevice());
  }
  return features;
}

}  // namespace t2t
