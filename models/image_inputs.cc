#include "models/image_inputs.h"

#include "t2t/base/error.h"

namespace t2t {

int64_t ImageChannels(const ProblemInfo& info, const std::string& name) {
  const auto found = info.features.find("inputs");
  if (found != info.features.end() && found->second.shape.size() == 3) {
    return found->second.shape[2];
  }
  throw UsageError(
      "the inputs of problem '" + info.name + "' are no images",
      "images with a known number of channels, for the model " + name,
      "choose another --problem or --model");
}

}  // namespace t2t
