#include <algorithm>
#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/text/sentencepiece.h"
#include "tests/fuzz/fuzz_target.h"

// The input: two bytes with the length of a model (little-endian), the model, a
// text.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes = t2t::AsText(data, size);
  const size_t length = std::min<size_t>(data[0] | data[1] << 8, size - 2);
  const std::string_view text = bytes.substr(2 + length);
  try {
    const auto encoder =
        t2t::SentencePieceTextEncoder::Parse(bytes.substr(2, length), "fuzz");
    t2t::Require(encoder->vocab_size() > 2, "some pieces");
    const std::vector<int64_t> ids = encoder->Encode(text);
    for (const int64_t id : ids) {
      t2t::Require(id >= 0 && id < encoder->vocab_size(), "ids in range");
    }
    encoder->Decode(ids);
    std::vector<int64_t> every;
    for (int64_t id = -1; id <= encoder->vocab_size(); ++id) {
      every.push_back(id);
    }
    encoder->Decode(every);
    t2t::Require(encoder->DecodeList(every).size() == every.size(),
                 "a piece for each id");
  } catch (const t2t::Error&) {
    // Damaged input is to be refused so.
  }
  return 0;
}
