#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/text/encoders.h"
#include "t2t/text/subword.h"
#include "tests/fuzz/fuzz_target.h"

namespace {

// The input is a vocabulary and, behind a zero byte, a text.
void Subwords(std::string_view vocabulary, std::string_view text) {
  const auto encoder = t2t::SubwordTextEncoder::Parse(vocabulary, "fuzz");
  t2t::Require(encoder->vocab_size() > 0, "some subtokens");
  std::vector<int64_t> every;
  for (int64_t id = -1; id <= encoder->vocab_size(); ++id) every.push_back(id);
  encoder->Decode(every);
  encoder->DecodeList(every);
  const std::vector<int64_t> ids = encoder->Encode(text);
  t2t::Require(encoder->Decode(ids) == text, "the text comes back");
}

void Tokens(std::string_view vocabulary, std::string_view text) {
  t2t::TokenEncoderOptions options;
  options.replace_oov = "a";
  const auto encoder =
      t2t::TokenTextEncoder::Parse(vocabulary, "fuzz", options);
  for (const int64_t id : encoder->Encode(text)) {
    t2t::Require(id >= 0 && id < encoder->vocab_size(), "ids in range");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes = t2t::AsText(data, size);
  const size_t zero = bytes.find('\0');
  const std::string_view vocabulary = bytes.substr(0, zero);
  const std::string_view text =
      zero == std::string_view::npos ? bytes : bytes.substr(zero + 1);
  for (const auto parse : {Subwords, Tokens}) {
    try {
      parse(vocabulary, text);
    } catch (const t2t::Error&) {
      // Damaged input is to be refused so.
    }
  }
  t2t::ByteTextEncoder().Decode(t2t::ByteTextEncoder().Encode(bytes));
  return 0;
}
