#ifndef T2T_LAUNCH_RENDER_YAML_LINE_H_
#define T2T_LAUNCH_RENDER_YAML_LINE_H_

#include <cstddef>
#include <string_view>
#include <vector>

namespace t2t {

// What the YAML reader asks of single lines.

struct YamlLine {
  size_t number = 0;
  int indent = 0;
  std::string_view text;  // without indentation, without the line's end
  std::string_view raw;

  bool blank() const;
  // Blank or a comment.
  bool empty() const;
};

// Without a byte order mark. final_break: whether the last line has a line
// break.
std::vector<YamlLine> SplitYamlLines(std::string_view text, bool* final_break);

// Whether the text ends at `at`, or white space follows.
bool IsYamlSeparated(std::string_view text, size_t at);
// "---" or "...".
bool IsYamlMarker(std::string_view raw);
// "- ".
bool IsYamlItem(std::string_view text);
// Whether no unquoted scalar starts with the character.
bool IsYamlIndicator(char c);

// Where the colon of "key: value" stands; npos where the text is no such.
size_t YamlKeyEnd(std::string_view text);

// What of a line belongs to an unquoted scalar that goes to its end. Refuses
// ": " within.
struct YamlPlainPart {
  std::string_view text;
  bool commented = false;  // and so the scalar ends here
};
YamlPlainPart PlainYamlPart(std::string_view text);

}  // namespace t2t

#endif  // T2T_LAUNCH_RENDER_YAML_LINE_H_
