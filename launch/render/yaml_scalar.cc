#include "launch/render/yaml_scalar.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

// Length 0 where it is not UTF-8.
Utf8CodePoint Decode(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const uint32_t first = byte(at);
  if (first < 0x80) return {first, 1};
  const size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4) return {};
  uint32_t code = first & (0xFFU >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) return {};
    code = (code << 6) | (byte(at + i) & 0x3F);
  }
  static constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kLeast[length] || code > 0x10FFFF ||
      (code >= 0xD800 && code < 0xE000)) {
    return {};
  }
  return {code, length};
}

void AppendUtf8(uint32_t code, std::string* out) {
  if (code < 0x80) {
    *out += static_cast<char>(code);
    return;
  }
  if (code < 0x800) {
    *out += static_cast<char>(0xC0 | (code >> 6));
  } else {
    if (code < 0x10000) {
      *out += static_cast<char>(0xE0 | (code >> 12));
    } else {
      *out += static_cast<char>(0xF0 | (code >> 18));
      *out += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    }
    *out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
  }
  *out += static_cast<char>(0x80 | (code & 0x3F));
}

uint32_t ReadHex(std::string_view text, size_t* at, int digits) {
  uint32_t code = 0;
  for (int i = 0; i < digits; ++i) {
    const char c = *at < text.size() ? text[(*at)++] : '\0';
    const char* const place = std::strchr("0123456789abcdef", c | 0x20);
    if (c == '\0' || place == nullptr) {
      throw YamlFault{"a hexadecimal digit expected"};
    }
    code = code * 16 + static_cast<uint32_t>(place - &"0123456789abcdef"[0]);
    if (code > 0x10FFFFFF) throw YamlFault{"an escape that is no character"};
  }
  return code;
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Whether a number begins here as YAML's core schema writes it.
bool LooksLikeNumber(std::string_view text) {
  const size_t first = text[0] == '-' || text[0] == '+' ? 1 : 0;
  if (first == text.size()) return false;
  const bool begins =
      IsDigit(text[first]) || (text[first] == '.' && first + 1 < text.size() &&
                               IsDigit(text[first + 1]));
  return begins &&
         text.find_first_not_of("0123456789+-.eE") == std::string_view::npos;
}

}  // namespace

Utf8CodePoint DecodeUtf8(std::string_view text, size_t at) {
  const Utf8CodePoint point = Decode(text, at);
  if (point.length == 0) {
    throw DataError("a string is not UTF-8 at byte " + std::to_string(at),
                    "UTF-8, as Kubernetes asks for");
  }
  return point;
}

bool IsYamlBlank(char c) { return c == ' ' || c == '\t'; }

std::string_view TrimYamlLeft(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of(" \t"), text.size()));
}

std::string_view TrimYamlRight(std::string_view text) {
  return text.substr(0, text.find_last_not_of(" \t") + 1);
}

void AppendFoldedBreak(size_t empty_lines, std::string* text) {
  if (empty_lines == 0) {
    *text += ' ';
  } else {
    text->append(empty_lines, '\n');
  }
}

Json ResolvePlainScalar(std::string_view text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" ||
      text == "NULL") {
    return Json();
  }
  if (text == "true" || text == "True" || text == "TRUE") return Json(true);
  if (text == "false" || text == "False" || text == "FALSE") {
    return Json(false);
  }
  if (text == ".nan") return Json(std::nan(""));
  if (text == ".inf") return Json(HUGE_VAL);
  if (text == "-.inf") return Json(-HUGE_VAL);
  if (LooksLikeNumber(text)) {
    const size_t digit = IsDigit(text[0]) || text[0] == '.' ? 0 : 1;
    if (text.size() > digit + 1 && text[digit] == '0' &&
        text.find_first_not_of("0123456789", digit) == std::string_view::npos) {
      throw YamlFault{"'" + std::string(text) +
                      "' is octal for some readers; put it in quotes"};
    }
    const std::string_view number = text[0] == '+' ? text.substr(1) : text;
    int64_t as_int = 0;
    if (ParseInt(number, &as_int)) return Json(as_int);
    double as_double = 0;
    if (ParseDouble(number, &as_double)) return Json(as_double);
  }
  return Json(std::string(text));
}

void AppendYamlEscape(std::string_view text, size_t* at, std::string* out) {
  const char c = text[(*at)++];
  static constexpr std::string_view kFrom = "0abt\tnvfre\"/\\ ";
  static constexpr std::string_view kTo{"\0\a\b\t\t\n\v\f\r\x1B\"/\\ ", 14};
  if (const size_t i = kFrom.find(c); i != std::string_view::npos) {
    *out += kTo[i];
    return;
  }
  // Next line, no-break space, line and paragraph separator.
  static constexpr std::string_view kNamed = "N_LP";
  static constexpr uint32_t kCodes[] = {0x85, 0xA0, 0x2028, 0x2029};
  if (const size_t i = kNamed.find(c); i != std::string_view::npos) {
    AppendUtf8(kCodes[i], out);
    return;
  }
  const int digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
  if (digits == 0) throw YamlFault{std::string("an unknown escape \\") + c};
  uint32_t code = ReadHex(text, at, digits);
  // JSON writes characters beyond U+FFFF as two.
  if (code >= 0xD800 && code < 0xDC00 &&
      text.substr(std::min(*at, text.size()), 2) == "\\u") {
    *at += 2;
    const uint32_t low = ReadHex(text, at, 4);
    if (low < 0xDC00 || low > 0xDFFF) throw YamlFault{"half a surrogate pair"};
    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
  }
  if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) {
    throw YamlFault{"an escape that is no character"};
  }
  AppendUtf8(code, out);
}

BlockHeader ReadBlockHeader(std::string_view text) {
  BlockHeader header;
  header.folded = text[0] == '>';
  size_t at = 1;
  for (; at < text.size() && !IsYamlBlank(text[at]); ++at) {
    const char c = text[at];
    if ((c == '-' || c == '+') && header.chomping == ' ') {
      header.chomping = c;
    } else if (c >= '1' && c <= '9' && header.indent == 0) {
      header.indent = c - '0';
    } else {
      throw YamlFault{
          "a block starts with '|' or '>', and then at most one of '-' and '+' "
          "and one digit from 1 to 9, alone on its line"};
    }
  }
  header.size = at;
  return header;
}

std::string BlockText(const BlockHeader& header,
                      const std::vector<std::string_view>& lines,
                      bool final_break) {
  size_t end = lines.size();
  while (end > 0 && lines[end - 1].empty()) --end;
  std::string text;
  size_t empty = 0;
  bool started = false;
  bool was_spaced = false;
  for (size_t i = 0; i < end; ++i) {
    if (lines[i].empty()) {
      ++empty;
      continue;
    }
    // Breaks around lines that are further in are kept as they are.
    const bool spaced = IsYamlBlank(lines[i][0]);
    if (!started) {
      text.append(empty, '\n');
    } else if (header.folded && !spaced && !was_spaced) {
      AppendFoldedBreak(empty, &text);
    } else {
      text.append(empty + 1, '\n');
    }
    text += lines[i];
    empty = 0;
    started = true;
    was_spaced = spaced;
  }
  if (end == lines.size() && !final_break) return text;
  if (started && header.chomping != '-') text += '\n';
  if (header.chomping == '+') text.append(lines.size() - end, '\n');
  return text;
}

}  // namespace t2t
