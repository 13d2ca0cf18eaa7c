#include "t2t/nn/default_initializer.h"

#include <string>

#include "t2t/base/error.h"

namespace t2t {

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
