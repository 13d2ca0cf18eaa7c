#include "launch/render/yaml_line.h"

#include <algorithm>

#include "launch/render/yaml_scalar.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Where the quote that closes the one at text[0] stands.
size_t ClosingQuote(std::string_view text) {
  const char quote = text[0];
  for (size_t i = 1; i < text.size(); ++i) {
    if (quote == '"' && text[i] == '\\') {
      ++i;
    } else if (text[i] == quote) {
      const bool doubled =
          quote == '\'' && i + 1 < text.size() && text[i + 1] == quote;
      if (!doubled) return i;
      ++i;
    }
  }
  return std::string_view::npos;
}

}  // namespace

bool YamlLine::blank() const { return TrimYamlLeft(raw).empty(); }

bool YamlLine::empty() const {
  const std::string_view rest = TrimYamlLeft(text);
  return rest.empty() || rest[0] == '#';
}

std::vector<YamlLine> SplitYamlLines(std::string_view text, bool* final_break) {
  if (StartsWith(text, kByteOrderMark)) {
    text.remove_prefix(kByteOrderMark.size());
  }
  std::vector<YamlLine> lines;
  *final_break = false;
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of("\r\n"), text.size());
    const std::string_view raw = text.substr(0, end);
    const size_t indent = std::min(raw.find_first_not_of(' '), raw.size());
    lines.push_back(
        {lines.size() + 1, static_cast<int>(indent), raw.substr(indent), raw});
    *final_break = end < text.size();
    text.remove_prefix(end);
    if (*final_break) text.remove_prefix(StartsWith(text, "\r\n") ? 2 : 1);
  }
  return lines;
}

bool IsYamlSeparated(std::string_view text, size_t at) {
  return at >= text.size() || IsYamlBlank(text[at]);
}

bool IsYamlMarker(std::string_view raw) {
  return (StartsWith(raw, "---") || StartsWith(raw, "...")) &&
         IsYamlSeparated(raw, 3);
}

bool IsYamlItem(std::string_view text) {
  return text[0] == '-' && IsYamlSeparated(text, 1);
}

bool IsYamlIndicator(char c) {
  return std::string_view("[]{},|>&*!%@`\"'#").find(c) !=
         std::string_view::npos;
}

size_t YamlKeyEnd(std::string_view text) {
  if (text[0] == '"' || text[0] == '\'') {
    size_t i = ClosingQuote(text);
    if (i == std::string_view::npos) return i;
    for (++i; i < text.size() && IsYamlBlank(text[i]);) ++i;
    return i < text.size() && text[i] == ':' && IsYamlSeparated(text, i + 1)
               ? i
               : std::string_view::npos;
  }
  if (std::string_view("[{|>&*!%@`?").find(text[0]) != std::string_view::npos) {
    return std::string_view::npos;
  }
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ':' && IsYamlSeparated(text, i + 1)) return i;
    if (text[i] == '#' && i > 0 && IsYamlBlank(text[i - 1])) break;
  }
  return std::string_view::npos;
}

YamlPlainPart PlainYamlPart(std::string_view text) {
  YamlPlainPart part;
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '#' && IsYamlBlank(text[i - 1])) {
      text = text.substr(0, i);
      part.commented = true;
      break;
    }
  }
  part.text = TrimYamlRight(text);
  for (size_t i = 0; i < part.text.size(); ++i) {
    if (part.text[i] == ':' && IsYamlSeparated(part.text, i + 1)) {
      throw YamlFault{"a value with ': ' in it must be in quotes"};
    }
  }
  return part;
}

}  // namespace t2t
