#include "t2t/text/unicode.h"

#include <unicode/uchar.h>

namespace t2t {
namespace {

// The length of the valid UTF-8 sequence at text[at], and its code point; or
// 0 and, in *bad, how many bytes Python replaces by one U+FFFD.
size_t Decode(std::string_view text, size_t at, char32_t* c, size_t* bad) {
  const auto byte = [&](size_t i) {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U;
  };
  const uint32_t b0 = byte(0);
  *bad = 1;
  if (b0 < 0x80) {
    *c = b0;
    return 1;
  }
  if (b0 < 0xC2 || b0 > 0xF4) return 0;
  const size_t length = b0 < 0xE0 ? 2 : b0 < 0xF0 ? 3 : 4;
  // The second byte has a narrower range after these four.
  const uint32_t low = b0 == 0xE0 ? 0xA0 : b0 == 0xF0 ? 0x90 : 0x80;
  const uint32_t high = b0 == 0xED ? 0x9F : b0 == 0xF4 ? 0x8F : 0xBF;
  const uint32_t b1 = byte(1);
  if (b1 < low || b1 > high) return 0;
  uint32_t value = b0 & (0x7F >> length);
  value = (value << 6) | (b1 & 0x3F);
  for (size_t i = 2; i < length; ++i) {
    const uint32_t b = byte(i);
    if ((b & 0xC0) != 0x80) {
      *bad = i;
      return 0;
    }
    value = (value << 6) | (b & 0x3F);
  }
  *c = value;
  return length;
}

}  // namespace

char32_t NextCodePoint(std::string_view text, size_t* at) {
  char32_t c = 0;
  size_t bad;
  const size_t length = Decode(text, *at, &c, &bad);
  if (length == 0) return 0xDC00 + static_cast<unsigned char>(text[(*at)++]);
  *at += length;
  return c;
}

void AppendCodePoint(char32_t c, std::string* text) {
  if (IsEscapedByte(c)) {
    text->push_back(static_cast<char>(c - 0xDC00));
    return;
  }
  if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) c = 0x3013;
  if (c < 0x80) {
    text->push_back(static_cast<char>(c));
    return;
  }
  const int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  const uint32_t lead = more == 1 ? 0xC0 : more == 2 ? 0xE0 : 0xF0;
  text->push_back(static_cast<char>(lead | (c >> (6 * more))));
  for (int i = more - 1; i >= 0; --i) {
    text->push_back(static_cast<char>(0x80 | ((c >> (6 * i)) & 0x3F)));
  }
}

bool IsValidUtf8(std::string_view text) {
  char32_t c;
  size_t bad;
  for (size_t at = 0; at < text.size();) {
    const size_t length = Decode(text, at, &c, &bad);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

std::string ReplaceInvalidUtf8(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  char32_t c;
  size_t bad;
  for (size_t at = 0; at < text.size();) {
    const size_t length = Decode(text, at, &c, &bad);
    if (length == 0) {
      result += "\xEF\xBF\xBD";
      at += bad;
    } else {
      result.append(text, at, length);
      at += length;
    }
  }
  return result;
}

bool IsAlphanumeric(char32_t c) {
  return (U_GET_GC_MASK(static_cast<UChar32>(c)) &
          (U_GC_L_MASK | U_GC_N_MASK)) != 0;
}

bool IsPythonSpace(char32_t c) {
  if (c < 0x80) return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20);
  return c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
         c == 0x202F || c == 0x205F || c == 0x3000;
}

std::string_view StripPythonSpaceRight(std::string_view text) {
  while (!text.empty()) {
    // No space takes more than three bytes.
    size_t start = text.size() - 1;
    while (start > 0 && text.size() - start < 3 &&
           (text[start] & 0xC0) == 0x80) {
      --start;
    }
    size_t end = start;
    if (!IsPythonSpace(NextCodePoint(text, &end)) || end != text.size()) break;
    text.remove_suffix(text.size() - start);
  }
  return text;
}

std::string_view StripPythonSpace(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    size_t end = at;
    if (!IsPythonSpace(NextCodePoint(text, &end))) {
      return StripPythonSpaceRight(text.substr(at));
    }
    at = end;
  }
  return text.substr(text.size());
}

std::vector<std::string_view> SplitPythonSpace(std::string_view text) {
  std::vector<std::string_view> parts;
  size_t start = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t here = at;
    if (!IsPythonSpace(NextCodePoint(text, &at))) continue;
    if (here > start) parts.push_back(text.substr(start, here - start));
    start = at;
  }
  if (start < text.size()) parts.push_back(text.substr(start));
  return parts;
}

size_t CountCodePoints(std::string_view text) {
  size_t count = 0;
  for (size_t at = 0; at < text.size(); ++count) NextCodePoint(text, &at);
  return count;
}

}  // namespace t2t
