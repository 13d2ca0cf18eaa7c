#include "proto/serving.pb.h"
#include "t2t/base/error.h"
#include "t2t/serve/tensor_value.h"
#include "tests/fuzz/fuzz_target.h"

namespace {

// Protobuf reads the message; what its tensors say of themselves is for us to
// check.
template <typename Tensors>
void Check(const Tensors& tensors) {
  for (const auto& [name, proto] : tensors) {
    try {
      const t2t::TensorValue value = t2t::FromProto(proto);
      const t2t::TensorValue again = t2t::FromProto(t2t::ToProto(value));
      t2t::Require(again.shape == value.shape && again.ints == value.ints &&
                       again.strings == value.strings &&
                       again.floats.size() == value.floats.size(),
                   "a tensor that was read is written and read alike");
    } catch (const t2t::Error&) {
      // Damaged tensors are to be refused so.
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tensorflow::serving::PredictRequest request;
  if (request.ParseFromArray(data, static_cast<int>(size))) {
    Check(request.inputs());
  }
  tensorflow::serving::PredictResponse response;
  if (response.ParseFromArray(data, static_cast<int>(size))) {
    Check(response.outputs());
  }
  return 0;
}
