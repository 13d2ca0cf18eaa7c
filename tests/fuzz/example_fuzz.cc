#include "t2t/base/error.h"
#include "t2t/formats/example.h"
#include "tests/fuzz/fuzz_target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const t2t::Example example = t2t::ParseExample(t2t::AsText(data, size));
    const std::string bytes = t2t::SerializeExample(example);
    t2t::Require(t2t::SerializeExample(t2t::ParseExample(bytes)) == bytes,
                 "an example that was read is written and read alike");
  } catch (const t2t::Error&) {
    // Damaged input is to be refused so.
  }
  return 0;
}
