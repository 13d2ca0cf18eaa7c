#ifndef T2T_TEXT_UNICODE_H_
#define T2T_TEXT_UNICODE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace t2t {

// Text is a string of bytes, UTF-8 as far as it goes. A byte that is part of
// no valid UTF-8 sequence is kept, as Python's "surrogateescape" keeps it: it
// reads as the code point U+DC00 + byte, and is written as that byte again.
// (T2T itself fails on such text, or drops the bytes.)
inline constexpr char32_t kEscapedByteFirst = 0xDC80;
inline constexpr char32_t kEscapedByteLast = 0xDCFF;

inline bool IsEscapedByte(char32_t c) {
  return c >= kEscapedByteFirst && c <= kEscapedByteLast;
}

// The code point at text[*at], *at < text.size(); moves *at past it.
char32_t NextCodePoint(std::string_view text, size_t* at);

// Appends UTF-8; an escaped byte as that byte. What is no code point (another
// surrogate, or above U+10FFFF) becomes U+3013, T2T's undefined character.
void AppendCodePoint(char32_t c, std::string* text);

bool IsValidUtf8(std::string_view text);

// Python's bytes.decode("utf-8", "replace"), as UTF-8.
std::string ReplaceInvalidUtf8(std::string_view text);

// Unicode categories L* and N*, of ICU's Unicode: 15. (Python 3.11's is 14, and
// knows 4,388 code points fewer.)
bool IsAlphanumeric(char32_t c);

// Python's str.isspace(), and what str.strip(), rstrip() and split() do by it.
bool IsPythonSpace(char32_t c);
std::string_view StripPythonSpace(std::string_view text);
std::string_view StripPythonSpaceRight(std::string_view text);
std::vector<std::string_view> SplitPythonSpace(std::string_view text);

// The number of code points.
size_t CountCodePoints(std::string_view text);

}  // namespace t2t

#endif  // T2T_TEXT_UNICODE_H_
