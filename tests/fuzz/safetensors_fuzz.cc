#include <string>

#include "t2t/base/error.h"
#include "t2t/checkpoint/safetensors.h"
#include "tests/fuzz/fuzz_target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes = t2t::AsText(data, size);
  try {
    const t2t::SafetensorsHeader header = t2t::ParseSafetensorsHeader(bytes);
    t2t::Require(header.data_start >= 8, "the data is behind the header");
    for (const t2t::SafetensorsEntry& entry : header.entries) {
      int64_t bytes_expected = t2t::SafetensorsDtypeSize(entry.dtype);
      for (const int64_t extent : entry.shape) bytes_expected *= extent;
      t2t::Require(
          entry.begin >= 0 && entry.begin <= entry.end &&
              header.data_start + entry.end <= static_cast<int64_t>(size) &&
              entry.end - entry.begin == bytes_expected,
          "every tensor lies within the file");
    }
    t2t::VerifySafetensorsData(bytes, header, false);
  } catch (const t2t::Error&) {
    // Damaged input is to be refused so.
  }
  return 0;
}
