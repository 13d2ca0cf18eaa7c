#include "launch/render/yaml.h"
#include "t2t/base/error.h"
#include "tests/fuzz/fuzz_target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const t2t::Json value = t2t::ParseYaml(t2t::AsText(data, size));
    const std::string yaml = t2t::ToYaml(value);
    t2t::Require(t2t::ToYaml(t2t::ParseYaml(yaml)) == yaml,
                 "YAML that was read is written and read alike");
  } catch (const t2t::Error&) {
    // Damaged input is to be refused so.
  }
  return 0;
}
