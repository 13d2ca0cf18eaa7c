#ifndef T2T_NN_GOLDEN_LAYER_H_
#define T2T_NN_GOLDEN_LAYER_H_

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/nn/params.h"

namespace t2t {

// For tests: a layer of T2T's own, with its inputs, weights and output; a case
// of tests/golden/model/FILE.json, which tools/golden/layers.py writes.
class GoldenLayer {
 public:
  GoldenLayer(const std::string& file, const std::string& name)
      : case_(Json::Parse(ReadFile("tests/golden/model/" + file + ".json"))
                  .At(name)),
        params_(1) {}

  // Makes its parameters under "case".
  Scope scope() { return Scope(&params_, "case", ZerosInit()); }

  at::Tensor Input(const std::string& name) const {
    return Tensor("in/" + name);
  }
  // x as [batch, length, channels], whatever T2T's case had beside the length.
  at::Tensor Sequence() const {
    const at::Tensor x = Input("x");
    return x.view({x.size(0), x.size(1), x.size(-1)});
  }

  void FillWeights() {
    const at::NoGradGuard no_grad;
    for (const ParamStore::Entry& entry : params_.entries()) {
      at::Tensor parameter = entry.tensor;
      const at::Tensor value = Tensor("w/" + entry.name);
      ASSERT_EQ(parameter.sizes(), value.sizes()) << entry.name;
      parameter.copy_(value);
    }
  }

  void Check(const at::Tensor& y) const {
    const at::Tensor theirs = Tensor("out/0");
    ASSERT_EQ(y.numel(), theirs.numel());
    EXPECT_TRUE(at::allclose(y.reshape(theirs.sizes()), theirs, 1e-4, 1e-4));
  }

 private:
  at::Tensor Tensor(const std::string& name) const {
    std::vector<int64_t> shape;
    for (const Json& size : case_.At(name).At("shape").items()) {
      shape.push_back(size.AsInt());
    }
    std::vector<float> values;
    for (const Json& value : case_.At(name).At("values").items()) {
      values.push_back(static_cast<float>(value.AsDouble()));
    }
    return at::tensor(values).view(shape);
  }

  const Json case_;
  ParamStore params_;
};

}  // namespace t2t

#endif  // T2T_NN_GOLDEN_LAYER_H_
