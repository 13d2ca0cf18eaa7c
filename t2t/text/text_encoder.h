#ifndef T2T_TEXT_TEXT_ENCODER_H_
#define T2T_TEXT_TEXT_ENCODER_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace t2t {

inline constexpr int64_t kPadId = 0;
inline constexpr int64_t kEosId = 1;
inline constexpr int64_t kNumReservedTokens = 2;  // <pad>, <EOS>

// Text to ids and back. Encode() adds no EOS. Immutable and thread-safe.
class TextEncoder {
 public:
  virtual ~TextEncoder() = default;

  virtual std::vector<int64_t> Encode(std::string_view text) const = 0;
  // strip_extraneous: drop padding and EOS first, as T2T does.
  virtual std::string Decode(const std::vector<int64_t>& ids,
                             bool strip_extraneous = false) const = 0;
  // One string an id.
  virtual std::vector<std::string> DecodeList(
      const std::vector<int64_t>& ids) const = 0;
  virtual int64_t vocab_size() const = 0;
  // What a word becomes that the vocabulary lacks; -1: there is no such id,
  // since any text can be encoded, or an unknown word is an error.
  virtual int64_t unknown_id() const { return -1; }
};

}  // namespace t2t

#endif  // T2T_TEXT_TEXT_ENCODER_H_
