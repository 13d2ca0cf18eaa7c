#include "t2t/base/error.h"
#include "t2t/formats/example.h"
#include "t2t/formats/example_lengths.h"
#include "tests/fuzz/fuzz_target.h"

// The lengths alone are those of the whole.
void CheckLengths(std::string_view bytes, const t2t::Example& example) {
  t2t::ExampleLengths lengths;
  lengths.Read(bytes);
  t2t::Require(lengths.features().size() == example.features.size(),
               "lengths are of the features that there are");
  for (const auto& [name, feature] : example.features) {
    const t2t::FeatureLength* const length = lengths.Find(name);
    t2t::Require(length != nullptr, "each feature has a length");
    const auto count = static_cast<int64_t>(
        std::visit([](const auto& values) { return values.size(); }, feature));
    t2t::Require(length->count == count, "a length is the number of values");
  }
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const t2t::Example example = t2t::ParseExample(t2t::AsText(data, size));
    CheckLengths(t2t::AsText(data, size), example);
    const std::string bytes = t2t::SerializeExample(example);
    t2t::Require(t2t::SerializeExample(t2t::ParseExample(bytes)) == bytes,
                 "an example that was read is written and read alike");
  } catch (const t2t::Error&) {
    // Damaged input is to be refused so.
  }
  return 0;
}
