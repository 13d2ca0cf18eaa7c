#ifndef T2T_LAUNCH_RENDER_YAML_SCALAR_H_
#define T2T_LAUNCH_RENDER_YAML_SCALAR_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "t2t/base/json.h"

namespace t2t {

// Scalars of YAML 1.2 for the reader and the writer (launch/render/yaml.h).
// Nothing here knows of lines' numbers.

// Why a text can't be read. The reader catches it and adds the line.
struct YamlFault {
  std::string why;
};

struct Utf8CodePoint {
  uint32_t code = 0;
  size_t length = 0;  // bytes
};

// The code point at text[at]. Throws a DataError where it is not UTF-8.
Utf8CodePoint DecodeUtf8(std::string_view text, size_t at);

// A space or a tab: YAML's white space within a line.
bool IsYamlBlank(char c);
std::string_view TrimYamlLeft(std::string_view text);
std::string_view TrimYamlRight(std::string_view text);

// What a line break and the empty lines behind it are in a scalar that is not
// a block: a space, or as many newlines as there are empty lines.
void AppendFoldedBreak(size_t empty_lines, std::string* text);

// The value of an unquoted scalar, by YAML's core schema. Refuses numbers that
// YAML 1.1 takes for octal.
Json ResolvePlainScalar(std::string_view text);

// The character that the escape at text[*at], behind the backslash, stands
// for, appended; moves *at past it.
void AppendYamlEscape(std::string_view text, size_t* at, std::string* out);

// "|" or ">" with its indicators, in either order.
struct BlockHeader {
  bool folded = false;
  char chomping = ' ';  // '-', '+' or none
  int indent = 0;       // 0: that of the first line
  size_t size = 0;      // bytes up to the white space behind it
};
BlockHeader ReadBlockHeader(std::string_view text);

// A block's text out of its lines without their indentation. final_break: the
// last line ends with a line break, and not with the file.
std::string BlockText(const BlockHeader& header,
                      const std::vector<std::string_view>& lines,
                      bool final_break);

}  // namespace t2t

#endif  // T2T_LAUNCH_RENDER_YAML_SCALAR_H_
