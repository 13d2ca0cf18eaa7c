#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "models/all_models.h"
#include "models/encoder_only.h"
#include "t2t/base/error.h"
#include "t2t/nn/dense.h"
#include "t2t/ops/dropout.h"

namespace t2t {
namespace {

// Dense layers with relu over all of an input of fixed shape.
class BasicFcRelu : public EncoderOnlyModel {
 public:
  BasicFcRelu(HParams hparams, ProblemInfo info, const ParamOptions& params)
      : EncoderOnlyModel("basic_fc_relu", std::move(hparams), std::move(info),
                         params),
        dropout_(hparams_.GetDouble("dropout")) {
    int64_t size = InputSize();
    const int64_t hidden = hparams_.GetInt("hidden_size");
    const Scope body = root().Sub("body");
    for (int64_t i = 0; i < hparams_.GetInt("num_hidden_layers"); ++i) {
      layers_.push_back(
          Dense(body.Sub("layer_" + std::to_string(i)), size, hidden));
      size = hidden;
    }
    MakeEnds(root(), size);
  }

 protected:
  at::Tensor Body(const Features& features, nn::Context& context) override {
    at::Tensor x = EmbedInputs(features, context).flatten(1);
    for (const Dense& layer : layers_) {
      x = layer(x);
      x = context.training ? ReluDropout(x, dropout_, context.rng)
                           : at::relu(x);
    }
    return x.unsqueeze(1);
  }

 private:
  int64_t InputSize() const {
    const FeatureInfo& inputs = info_.features.at("inputs");
    int64_t size = inputs.shape.empty() ? 0 : 1;
    for (const int64_t length : inputs.shape) size *= length;
    if (size <= 0) {
      throw UsageError(
          "the inputs of problem '" + info_.name + "' differ in size",
          "inputs of one shape, such as images, for the model "
          "basic_fc_relu",
          "choose another --problem or --model");
    }
    return size;
  }

  double dropout_;
  std::vector<Dense> layers_;
};

}  // namespace

void RegisterBasic(ModelRegistry& models) {
  AddModel<BasicFcRelu>(models, "basic_fc_relu");
}

}  // namespace t2t
