#include "launch/yaml.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

constexpr int kMaxDepth = 100;
// YAML looks no further for the colon of a key.
constexpr size_t kMaxKey = 1000;

bool IsWordCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '/' || c == '-';
}

// Words that some YAML reader takes for a boolean, null or number.
bool IsReservedWord(std::string_view text) {
  static constexpr std::array<std::string_view, 15> kWords = {
      "true", "false", "yes",  "no",    "on",   "off",   "y", "n",
      "null", "~",     ".inf", "-.inf", ".nan", "+.inf", ""};
  const std::string lower = Lower(text);
  return std::find(kWords.begin(), kWords.end(), lower) != kWords.end();
}

// Plain without any doubt: starts with a letter or '/', or with "--" of a flag
// and then a letter; of word characters, and '=' or ':' inside.
bool IsPlain(std::string_view text) {
  if (text.size() > 200 || IsReservedWord(text)) return false;
  std::string_view rest = text;
  if (StartsWith(rest, "--") && rest.size() > 2 && rest[2] != '-') {
    rest.remove_prefix(2);
  }
  if (rest.empty()) return false;
  const char first = rest[0];
  if (!((first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z') ||
        first == '/')) {
    return false;
  }
  for (size_t i = 0; i < rest.size(); ++i) {
    const char c = rest[i];
    if (IsWordCharacter(c) || c == '=') continue;
    if (c == ':' && i + 1 < rest.size() && IsWordCharacter(rest[i + 1])) {
      continue;
    }
    return false;
  }
  return true;
}

// The code point at `at` and its length; length 0 where it is not UTF-8.
struct CodePoint {
  uint32_t code = 0;
  size_t length = 0;
};

CodePoint Decode(std::string_view text, size_t at) {
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

// Whether YAML lets the character stand as it is.
bool IsPrintable(uint32_t code) {
  if (code < 0x20 || (code >= 0x7F && code < 0xA0)) return false;
  if (code == 0x2028 || code == 0x2029 || code == 0xFEFF) return false;
  return code < 0xFFFE || (code > 0xFFFF && (code & 0xFFFE) != 0xFFFE);
}

CodePoint DecodeOrThrow(std::string_view text, size_t at) {
  const CodePoint point = Decode(text, at);
  if (point.length == 0) {
    throw DataError("a string is not UTF-8 at byte " + std::to_string(at),
                    "UTF-8, as Kubernetes asks for");
  }
  return point;
}

std::string DoubleQuoted(std::string_view text) {
  std::string out = "\"";
  for (size_t i = 0; i < text.size();) {
    const CodePoint point = DecodeOrThrow(text, i);
    if (point.code == '"' || point.code == '\\') {
      out += '\\';
      out += static_cast<char>(point.code);
    } else if (point.code == '\n') {
      out += "\\n";
    } else if (point.code == '\t') {
      out += "\\t";
    } else if (point.code == '\r') {
      out += "\\r";
    } else if (IsPrintable(point.code)) {
      out += text.substr(i, point.length);
    } else if (point.code < 0x10000) {
      out += Format("\\u%04x", point.code);
    } else {
      out += Format("\\U%08x", point.code);
    }
    i += point.length;
  }
  return out + '"';
}

// Whether a literal block ("|") gives the text back exactly in every reader.
bool IsLiteral(std::string_view text) {
  if (text.size() < 2 || text.find('\n') == std::string_view::npos ||
      text.front() == ' ' || text.front() == '\n') {
    return false;
  }
  if (EndsWith(text, "\n\n")) return false;
  for (size_t i = 0; i < text.size();) {
    const CodePoint point = DecodeOrThrow(text, i);
    if (point.code == '\n') {
      if (i > 0 && text[i - 1] == ' ') return false;
    } else if (!IsPrintable(point.code)) {
      return false;
    }
    i += point.length;
  }
  return text.back() != ' ';
}

class Writer {
 public:
  std::string Document(const Json& value) {
    if (IsCollection(value)) {
      WriteCollection(value, 0, 0, /*here=*/true);
    } else {
      WriteScalar(value, 0);
      out_ += '\n';
    }
    return std::move(out_);
  }

 private:
  static bool IsCollection(const Json& value) {
    return (value.is_object() && !value.members().empty()) ||
           (value.is_array() && !value.items().empty());
  }

  void Indent(int indent) { out_.append(static_cast<size_t>(indent), ' '); }

  void WriteScalar(const Json& value, int indent) {
    switch (value.type()) {
      case Json::Type::kNull:
        out_ += "null";
        break;
      case Json::Type::kBool:
        out_ += value.AsBool() ? "true" : "false";
        break;
      case Json::Type::kInt:
        out_ += std::to_string(value.AsInt());
        break;
      case Json::Type::kDouble: {
        const double number = value.AsDouble();
        if (std::isnan(number)) {
          out_ += ".nan";
        } else if (std::isinf(number)) {
          out_ += number > 0 ? ".inf" : "-.inf";
        } else {
          // With a point in it: YAML 1.1 takes "1e-09" for a string.
          std::string text = DoubleToString(number);
          const size_t exponent = text.find('e');
          if (text.find('.') == std::string::npos) {
            text.insert(std::min(exponent, text.size()), ".0");
          }
          out_ += text;
        }
        break;
      }
      case Json::Type::kString:
        WriteString(value.AsString(), indent);
        break;
      case Json::Type::kArray:
        out_ += "[]";
        break;
      case Json::Type::kObject:
        out_ += "{}";
        break;
    }
  }

  void WriteString(const std::string& text, int indent) {
    if (!IsLiteral(text)) {
      out_ += YamlScalar(text);
      return;
    }
    out_ += text.back() == '\n' ? "|" : "|-";
    const size_t end = text.back() == '\n' ? text.size() - 1 : text.size();
    for (const std::string& line :
         Split(std::string_view(text).substr(0, end), '\n')) {
      out_ += '\n';
      if (!line.empty()) {
        Indent(indent + 2);
        out_ += line;
      }
    }
  }

  // `here`: the first line's indentation is there already.
  void WriteCollection(const Json& value, int indent, int depth, bool here) {
    if (depth > kMaxDepth) throw DataError("a value is nested too deep");
    if (value.is_object()) {
      for (const auto& [key, member] : value.members()) {
        if (!here) Indent(indent);
        here = false;
        if (key.size() > kMaxKey) {
          throw DataError("a key of " + std::to_string(key.size()) + " bytes",
                          "at most " + std::to_string(kMaxKey));
        }
        out_ += YamlScalar(key) + ":";
        if (IsCollection(member)) {
          out_ += '\n';
          WriteCollection(member, indent + (member.is_object() ? 2 : 0),
                          depth + 1, /*here=*/false);
        } else {
          out_ += ' ';
          WriteScalar(member, indent);
          out_ += '\n';
        }
      }
      return;
    }
    for (const Json& item : value.items()) {
      if (!here) Indent(indent);
      here = false;
      out_ += "- ";
      if (IsCollection(item)) {
        WriteCollection(item, indent + 2, depth + 1, /*here=*/true);
      } else {
        WriteScalar(item, indent);
        out_ += '\n';
      }
    }
  }

  std::string out_;
};

struct Line {
  size_t number = 0;
  int indent = 0;
  std::string_view text;  // without indentation, without the line's end
  std::string_view raw;
  bool empty() const { return text.empty() || text[0] == '#'; }
};

class Reader {
 public:
  explicit Reader(std::string_view text) {
    size_t number = 0;
    size_t start = 0;
    while (start <= text.size()) {
      size_t end = text.find('\n', start);
      if (end == std::string_view::npos) end = text.size();
      std::string_view raw = text.substr(start, end - start);
      if (!raw.empty() && raw.back() == '\r') raw.remove_suffix(1);
      const size_t indent = std::min(raw.find_first_not_of(' '), raw.size());
      lines_.push_back(
          {++number, static_cast<int>(indent), raw.substr(indent), raw});
      start = end + 1;
    }
    // What follows the last newline is no line.
    if (lines_.back().raw.empty()) lines_.pop_back();
  }

  std::vector<Json> Documents() {
    std::vector<Json> documents;
    bool open = false;  // after a "---" that nothing has followed yet
    while (true) {
      SkipEmpty();
      if (at_ == lines_.size()) break;
      const std::string_view raw = lines_[at_].raw;
      if (IsMarker(raw, "---")) {
        if (open) documents.emplace_back();
        open = true;
        lines_[at_].indent = 3;
        lines_[at_].text = TrimLeft(raw.substr(3));
        if (lines_[at_].empty()) {
          ++at_;
          continue;
        }
      } else if (IsMarker(raw, "...")) {
        ++at_;
        continue;
      }
      Goes(0);  // refuses a tab
      documents.push_back(ParseBlock(0));
      open = false;
      SkipEmpty();
      if (at_ < lines_.size() && !IsMarker(lines_[at_].raw, "---") &&
          !IsMarker(lines_[at_].raw, "...")) {
        Fail("this line does not fit what is above it");
      }
    }
    if (open) documents.emplace_back();
    return documents;
  }

 private:
  [[noreturn]] void Fail(const std::string& why) const {
    const size_t number =
        lines_.empty() ? 1 : lines_[std::min(at_, lines_.size() - 1)].number;
    throw DataError("YAML can't be read at line " + std::to_string(number) +
                    ": " + why);
  }

  static bool IsMarker(std::string_view raw, std::string_view marker) {
    return StartsWith(raw, marker) &&
           (raw.size() == 3 || raw[3] == ' ' || raw[3] == '\t');
  }

  static std::string_view TrimLeft(std::string_view text) {
    return text.substr(std::min(text.find_first_not_of(" \t"), text.size()));
  }

  void SkipEmpty() {
    while (at_ < lines_.size() && lines_[at_].empty()) ++at_;
  }

  // Whether a block goes on here: a line that is not empty, at least so far in.
  bool Goes(int indent) {
    SkipEmpty();
    if (at_ == lines_.size()) return false;
    const Line& line = lines_[at_];
    if ((IsMarker(line.raw, "---") || IsMarker(line.raw, "...")) &&
        line.text.data() == line.raw.data()) {
      return false;
    }
    if (line.text[0] == '\t') Fail("a tab in the indentation");
    return line.indent >= indent;
  }

  static bool IsItem(std::string_view text) {
    return text == "-" || StartsWith(text, "- ");
  }

  Json ParseBlock(int least) {
    if (++depth_ > kMaxDepth) Fail("nested too deep");
    Json value;
    const int indent = lines_[at_].indent;
    if (indent < least) Fail("more indentation was expected");
    if (IsItem(lines_[at_].text)) {
      value = ParseSequence(indent);
    } else if (KeyEnd(lines_[at_].text) != std::string_view::npos) {
      value = ParseMapping(indent);
    } else {
      value = ParseValue(lines_[at_].text, indent - 1);
    }
    --depth_;
    return value;
  }

  Json ParseSequence(int indent) {
    Json array = Json::Array();
    while (Goes(indent) && lines_[at_].indent == indent &&
           IsItem(lines_[at_].text)) {
      Line& line = lines_[at_];
      const std::string_view rest =
          TrimLeft(line.text.substr(std::min<size_t>(2, line.text.size())));
      if (rest.empty() || rest[0] == '#') {
        ++at_;
        array.Append(Goes(indent + 1) ? ParseBlock(indent + 1) : Json());
        continue;
      }
      // What follows "- " is a block of its own, that far in.
      const int inner = static_cast<int>(rest.data() - line.raw.data());
      if (IsItem(rest) || KeyEnd(rest) != std::string_view::npos) {
        line.indent = inner;
        line.text = rest;
        array.Append(ParseBlock(inner));
      } else {
        array.Append(ParseValue(rest, indent));
      }
    }
    if (Goes(indent + 1)) Fail("this indentation fits nothing above");
    return array;
  }

  Json ParseMapping(int indent) {
    Json object = Json::Object();
    std::vector<std::string> keys;
    while (Goes(indent) && lines_[at_].indent == indent &&
           !IsItem(lines_[at_].text)) {
      const std::string_view text = lines_[at_].text;
      const size_t end = KeyEnd(text);
      if (end == std::string_view::npos) Fail("'key: value' was expected");
      const std::string key = ReadKey(text.substr(0, end));
      const auto place = std::lower_bound(keys.begin(), keys.end(), key);
      if (place != keys.end() && *place == key) {
        Fail("the key '" + key + "' is there twice");
      }
      keys.insert(place, key);
      const std::string_view rest = TrimLeft(text.substr(end + 1));
      if (!rest.empty() && rest[0] != '#') {
        object.Set(key, ParseValue(rest, indent));
        continue;
      }
      ++at_;
      if (!Goes(indent)) {
        object.Set(key, Json());
      } else if (lines_[at_].indent > indent || IsItem(lines_[at_].text)) {
        object.Set(key, ParseBlock(indent));
      } else {
        object.Set(key, Json());
      }
    }
    if (Goes(indent + 1)) Fail("this indentation fits nothing above");
    return object;
  }

  // Where the colon of "key: value" stands; npos where the text is no such.
  size_t KeyEnd(std::string_view text) const {
    size_t i = 0;
    if (text[0] == '"' || text[0] == '\'') {
      const char quote = text[0];
      for (i = 1; i < text.size() && text[i] != quote; ++i) {
        if (quote == '"' && text[i] == '\\') ++i;
      }
      i = std::min(i + 1, text.size());
      while (i < text.size() && text[i] == ' ') ++i;
      return i < text.size() && text[i] == ':' &&
                     (i + 1 == text.size() || text[i + 1] == ' ')
                 ? i
                 : std::string_view::npos;
    }
    if (std::strchr("[{|>&*!%@`?", text[0]) != nullptr) {
      return std::string_view::npos;
    }
    for (; i < text.size(); ++i) {
      if (text[i] == ':' && (i + 1 == text.size() || text[i + 1] == ' ')) {
        return i;
      }
      if (text[i] == '#' && i > 0 && text[i - 1] == ' ') break;
    }
    return std::string_view::npos;
  }

  std::string ReadKey(std::string_view text) const {
    if (text[0] == '"' || text[0] == '\'') {
      size_t at = 0;
      return ReadQuoted(text, &at);
    }
    return std::string(Trim(text));
  }

  // A value that starts within the current line; leaves at_ behind it.
  // `indent` is that of the block it belongs to.
  Json ParseValue(std::string_view text, int indent) {
    const char first = text[0];
    if (first == '|' || first == '>') return Json(ParseLiteral(text, indent));
    if (first == '&' || first == '*' || first == '!') {
      Fail("anchors and tags are not read");
    }
    Json value;
    if (first == '[' || first == '{') {
      flow_ = text;
      flow_at_ = 0;
      value = ParseFlow();
      FinishLine(flow_.substr(flow_at_));
      return value;
    }
    if (first == '"' || first == '\'') {
      size_t at = 0;
      value = Json(ReadQuoted(text, &at));
      FinishLine(text.substr(at));
      return value;
    }
    if (std::strchr("%@`,]}", first) != nullptr ||
        ((first == '?' || first == '-') &&
         (text.size() == 1 || text[1] == ' '))) {
      Fail("a value can't start so; put it in quotes");
    }
    const size_t comment = text.find(" #");
    text = Trim(text.substr(0, comment));
    if (text.empty()) Fail("a tab where a value was expected");
    if (KeyEnd(text) != std::string_view::npos) {
      Fail("a value with ': ' in it must be in quotes");
    }
    value = Resolve(text);
    ++at_;
    if (Goes(indent + 1)) {
      Fail("a value over several lines must be a block ('|') or in quotes");
    }
    return value;
  }

  void FinishLine(std::string_view rest) {
    const std::string_view trimmed = Trim(rest);
    if (!trimmed.empty() && (trimmed[0] != '#' || rest[0] == '#')) {
      Fail("something follows the value");
    }
    ++at_;
  }

  Json Resolve(std::string_view text) const {
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
    const size_t digit = text[0] == '-' || text[0] == '+' ? 1 : 0;
    if (digit < text.size() &&
        ((text[digit] >= '0' && text[digit] <= '9') ||
         (text[digit] == '.' && text.size() > digit + 1 &&
          text[digit + 1] >= '0' && text[digit + 1] <= '9')) &&
        text.find_first_not_of("0123456789+-.eE") == std::string_view::npos) {
      const std::string_view number = text[0] == '+' ? text.substr(1) : text;
      if (text.size() > digit + 1 && text[digit] == '0' &&
          text.find_first_not_of("0123456789", digit) ==
              std::string_view::npos) {
        Fail("'" + std::string(text) +
             "' is octal for some readers; put it in quotes");
      }
      int64_t as_int = 0;
      if (ParseInt(number, &as_int)) return Json(as_int);
      double as_double = 0;
      if (ParseDouble(number, &as_double)) return Json(as_double);
    }
    return Json(std::string(text));
  }

  std::string ReadQuoted(std::string_view text, size_t* at) const {
    const char quote = text[(*at)++];
    std::string value;
    while (true) {
      if (*at >= text.size()) {
        Fail("the quoted text does not end on its line");
      }
      const char c = text[(*at)++];
      if (c == quote) {
        if (quote == '\'' && *at < text.size() && text[*at] == '\'') {
          value += '\'';
          ++*at;
          continue;
        }
        return value;
      }
      if (quote == '"' && c == '\\') {
        ReadEscape(text, at, &value);
      } else {
        value += c;
      }
    }
  }

  void ReadEscape(std::string_view text, size_t* at, std::string* out) const {
    if (*at >= text.size()) Fail("the quoted text does not end on its line");
    const char c = text[(*at)++];
    static constexpr std::string_view kFrom = "0abtnvfre\"/\\ ";
    static constexpr std::string_view kTo{"\0\a\b\t\n\v\f\r\x1B\"/\\ ", 13};
    if (const size_t i = kFrom.find(c); i != std::string_view::npos) {
      *out += kTo[i];
      return;
    }
    const int digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (digits == 0) Fail(std::string("an unknown escape \\") + c);
    uint32_t code = ReadHex(text, at, digits);
    // JSON writes characters beyond U+FFFF as two.
    if (code >= 0xD800 && code < 0xDC00 && text.substr(*at, 2) == "\\u") {
      *at += 2;
      const uint32_t low = ReadHex(text, at, 4);
      if (low < 0xDC00 || low > 0xDFFF) Fail("half a surrogate pair");
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) {
      Fail("an escape that is no character");
    }
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

  uint32_t ReadHex(std::string_view text, size_t* at, int digits) const {
    uint32_t code = 0;
    for (int i = 0; i < digits; ++i) {
      const char c = *at < text.size() ? text[(*at)++] : '\0';
      const char* const place = std::strchr("0123456789abcdef", c | 0x20);
      if (c == '\0' || place == nullptr) Fail("a hexadecimal digit expected");
      code = code * 16 + static_cast<uint32_t>(place - &"0123456789abcdef"[0]);
      if (code > 0x10FFFFFF) Fail("an escape that is no character");
    }
    return code;
  }

  // "|" or ">" and the lines below that are further in.
  std::string ParseLiteral(std::string_view header, int indent) {
    const bool folded = header[0] == '>';
    char chomp = ' ';
    int explicit_indent = 0;
    size_t i = 1;
    for (; i < header.size() && header[i] != ' '; ++i) {
      if (header[i] == '-' || header[i] == '+') {
        chomp = header[i];
      } else if (header[i] >= '1' && header[i] <= '9') {
        explicit_indent = header[i] - '0';
      } else {
        Fail("a block starts with '|' or '>' alone on its line");
      }
    }
    FinishLine(header.substr(i));
    int inner = explicit_indent > 0 ? indent + explicit_indent : -1;
    std::vector<std::string_view> lines;
    for (; at_ < lines_.size(); ++at_) {
      const Line& line = lines_[at_];
      const bool blank = line.text.empty();
      if (inner < 0 && !blank) {
        if (line.indent <= indent) break;
        inner = line.indent;
      }
      if (!blank && line.indent < inner) break;
      lines.push_back(blank && (inner < 0 || line.indent < inner)
                          ? std::string_view()
                          : line.raw.substr(static_cast<size_t>(inner)));
    }
    size_t end = lines.size();
    while (end > 0 && lines[end - 1].empty()) --end;
    std::string text;
    for (size_t n = 0; n < end; ++n) {
      if (n > 0) {
        const bool joins = folded && !lines[n].empty() &&
                           !lines[n - 1].empty() && lines[n][0] != ' ' &&
                           lines[n - 1][0] != ' ';
        if (folded && !joins && lines[n].empty() && !lines[n - 1].empty() &&
            lines[n - 1][0] != ' ' && n + 1 < end && !lines[n + 1].empty() &&
            lines[n + 1][0] != ' ') {
          continue;  // the first of some empty lines is a line's own end
        }
        text += joins ? ' ' : '\n';
      }
      text += lines[n];
    }
    if (end > 0 && chomp != '-') text += '\n';
    if (chomp == '+') text.append(lines.size() - end, '\n');
    return text;
  }

  // Flow style may run over several lines.
  void SkipFlowSpace() {
    while (true) {
      while (flow_at_ < flow_.size() &&
             (flow_[flow_at_] == ' ' || flow_[flow_at_] == '\t')) {
        ++flow_at_;
      }
      if (flow_at_ < flow_.size() && flow_[flow_at_] != '#') return;
      if (at_ + 1 >= lines_.size()) Fail("'[' or '{' is not closed");
      flow_ = lines_[++at_].raw;
      flow_at_ = 0;
    }
  }

  Json ParseFlow() {
    if (++depth_ > kMaxDepth) Fail("nested too deep");
    SkipFlowSpace();
    Json value;
    const char c = flow_[flow_at_];
    if (c == '[') {
      value = Json::Array();
      ++flow_at_;
      while (!TakeFlow(']')) {
        value.Append(ParseFlow());
        SkipFlowSpace();
        if (!TakeFlow(',') && flow_[flow_at_] != ']') {
          Fail("',' or ']' was expected");
        }
      }
    } else if (c == '{') {
      value = Json::Object();
      ++flow_at_;
      while (!TakeFlow('}')) {
        const std::string key = FlowKey();
        if (value.Find(key) != nullptr) {
          Fail("the key '" + key + "' is there twice");
        }
        if (!TakeFlow(':')) Fail("':' was expected");
        SkipFlowSpace();
        value.Set(key, flow_[flow_at_] == ',' || flow_[flow_at_] == '}'
                           ? Json()
                           : ParseFlow());
        SkipFlowSpace();
        if (!TakeFlow(',') && flow_[flow_at_] != '}') {
          Fail("',' or '}' was expected");
        }
      }
    } else if (c == '"' || c == '\'') {
      value = Json(ReadQuoted(flow_, &flow_at_));
    } else {
      value = Resolve(PlainInFlow(/*key=*/false));
    }
    --depth_;
    return value;
  }

  bool TakeFlow(char c) {
    SkipFlowSpace();
    if (flow_[flow_at_] != c) return false;
    ++flow_at_;
    return true;
  }

  std::string FlowKey() {
    SkipFlowSpace();
    const char c = flow_[flow_at_];
    if (c == '"' || c == '\'') return ReadQuoted(flow_, &flow_at_);
    return std::string(PlainInFlow(/*key=*/true));
  }

  std::string_view PlainInFlow(bool key) {
    const size_t start = flow_at_;
    if (std::strchr("&*!|>%@`", flow_[start]) != nullptr) {
      Fail("a value can't start so; put it in quotes");
    }
    while (flow_at_ < flow_.size() &&
           std::strchr(",[]{}", flow_[flow_at_]) == nullptr) {
      if (flow_[flow_at_] == ':' &&
          (key || flow_at_ + 1 == flow_.size() || flow_[flow_at_ + 1] == ' ')) {
        break;
      }
      if (flow_[flow_at_] == '#' && flow_at_ > start &&
          flow_[flow_at_ - 1] == ' ') {
        break;
      }
      ++flow_at_;
    }
    const std::string_view text = Trim(flow_.substr(start, flow_at_ - start));
    if (text.empty()) Fail("a value was expected");
    return text;
  }

  std::vector<Line> lines_;
  size_t at_ = 0;
  int depth_ = 0;
  std::string_view flow_;
  size_t flow_at_ = 0;
};

}  // namespace

std::string YamlScalar(std::string_view text) {
  return IsPlain(text) ? std::string(text) : DoubleQuoted(text);
}

std::string ToYaml(const Json& value) { return Writer().Document(value); }

std::string ToYamlStream(const std::vector<Json>& documents) {
  std::string out;
  for (const Json& document : documents) {
    if (!out.empty()) out += "---\n";
    out += ToYaml(document);
  }
  return out;
}

std::vector<Json> ParseYamlStream(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    i += DecodeOrThrow(text, i).length;
  }
  return Reader(text).Documents();
}

Json ParseYaml(std::string_view text) {
  std::vector<Json> documents = ParseYamlStream(text);
  if (documents.empty()) return Json();
  if (documents.size() > 1) {
    throw DataError(
        "there are " + std::to_string(documents.size()) + " YAML documents",
        "one");
  }
  return std::move(documents[0]);
}

}  // namespace t2t
