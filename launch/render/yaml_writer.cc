#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "launch/render/yaml.h"
#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/text/unicode.h"

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
// Whether YAML lets the character stand as it is.
bool IsPrintable(char32_t code) {
  if (code < 0x20 || (code >= 0x7F && code < 0xA0)) return false;
  if (code == 0x2028 || code == 0x2029 || code == 0xFEFF) return false;
  return code < 0xFFFE || (code > 0xFFFF && (code & 0xFFFE) != 0xFFFE);
}
// The code point at text[*at]; moves *at past it.
char32_t TakeCodePoint(std::string_view text, size_t* at) {
  const size_t start = *at;
  const char32_t code = NextCodePoint(text, at);
  if (IsEscapedByte(code)) {
    throw DataError("a string is not UTF-8 at byte " + std::to_string(start),
                    "UTF-8, as Kubernetes asks for");
  }
  return code;
}

std::string DoubleQuoted(std::string_view text) {
  std::string out = "\"";
  for (size_t i = 0; i < text.size();) {
    const size_t start = i;
    const char32_t code = TakeCodePoint(text, &i);
    if (code == '"' || code == '\\') {
      out += '\\';
      out += static_cast<char>(code);
    } else if (code == '\n') {
      out += "\\n";
    } else if (code == '\t') {
      out += "\\t";
    } else if (code == '\r') {
      out += "\\r";
    } else if (IsPrintable(code)) {
      out += text.substr(start, i - start);
    } else {
      out += Format(code < 0x10000 ? "\\u%04x" : "\\U%08x",
                    static_cast<unsigned>(code));
    }
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
    const size_t start = i;
    const char32_t code = TakeCodePoint(text, &i);
    if (code == '\n') {
      if (start > 0 && text[start - 1] == ' ') return false;
    } else if (!IsPrintable(code)) {
      return false;
    }
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

}  // namespace t2t
