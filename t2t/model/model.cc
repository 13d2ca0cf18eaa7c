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

Initializer DefaultInitializer(const HParams& hparams) {
  const std::string& name = hparams.GetString("initializer");
  const double gain = hparams.GetDouble("initializer_gain");
  if (name == "orthogonal") return OrthogonalInit(gain);
  if (name == "uniform") return UniformInit(-0.1 * gain, 0.1 * gain);
  if (name == "normal_unit_scaling") {
    return VarianceScalingInit(gain, "fan_avg", "normal");
  }
  if (name == "uniform_unit_scaling") {
    return VarianceScalingInit(gain, "fan_avg", "uniform");
  }
  // TF's own default where T2T gives none is Glorot's too.
  if (name == "xavier" || name.empty()) {
    return VarianceScalingInit(1.0, "fan_avg", "uniform");
  }
  throw UsageError("there is no initializer '" + name + "'",
                   "orthogonal, uniform, normal_unit_scaling, "
                   "uniform_unit_scaling or xavier",
                   "change --hparams=initializer=...");
}

}  // namespace t2t
