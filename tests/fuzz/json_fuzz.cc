#include <string>

#include "t2t/base/error.h"
#include "t2t/base/json.h"
#include "t2t/hparams/hparams.h"
#include "tests/fuzz/fuzz_target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const t2t::Json json = t2t::Json::Parse(t2t::AsText(data, size));
    for (const int indent : {-1, 2}) {
      const std::string text = json.ToString(indent);
      t2t::Require(t2t::Json::Parse(text).ToString(indent) == text,
                   "JSON that was read is written and read alike");
    }
    t2t::HParams::FromJson(json);
  } catch (const t2t::Error&) {
    // Damaged input is to be refused so.
  }
  return 0;
}
