#include <functional>
#include <string>

#include "t2t/base/error.h"
#include "t2t/serve/serving_proto.h"
#include "tests/fuzz/fuzz_target.h"

namespace {

void Try(const std::function<void()>& parse) {
  try {
    parse();
  } catch (const t2t::Error&) {
    // Damaged messages are to be refused so.
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes = t2t::AsText(data, size);
  Try([&] {
    const std::string once =
        t2t::SerializePredictRequest(t2t::ParsePredictRequest(bytes));
    t2t::Require(
        t2t::SerializePredictRequest(t2t::ParsePredictRequest(once)) == once,
        "a request that was read is written and read alike");
  });
  Try([&] {
    const std::string once =
        t2t::SerializePredictResponse(t2t::ParsePredictResponse(bytes));
    t2t::Require(
        t2t::SerializePredictResponse(t2t::ParsePredictResponse(once)) == once,
        "a response that was read is written and read alike");
  });
  Try([&] { t2t::ParseStatusRequest(bytes); });
  Try([&] { t2t::ParseMetadataRequest(bytes); });
  return 0;
}
