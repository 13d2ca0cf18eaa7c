#include "t2t/base/json.h"

#include <cmath>
#include <limits>
#include <unordered_set>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"

namespace t2t {

constexpr int kMaxDepth = 200;

class JsonParser {
 public:
  explicit JsonParser(std::string_view text) : text_(text) {}

  Json ParseDocument() {
    Json value = ParseValue(0);
    SkipSpace();
    if (at_ != text_.size()) Fail("something follows the value");
    return value;
  }

 private:
  [[noreturn]] void Fail(const std::string& why) const {
    throw DataError("JSON can't be read at byte " + std::to_string(at_) + ": " +
                    why);
  }

  void SkipSpace() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' ||
                                  text_[at_] == '\t' || text_[at_] == '\r')) {
      ++at_;
    }
  }

  bool Take(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  Json ParseValue(int depth) {
    if (depth > kMaxDepth) Fail("nested too deep");
    SkipSpace();
    if (at_ >= text_.size()) Fail("the text ends too soon");
    const char c = text_[at_];
    if (c == '{') return ParseObject(depth);
    if (c == '[') return ParseArray(depth);
    if (c == '"') return Json(ParseString());
    if (Take("true")) return Json(true);
    if (Take("false")) return Json(false);
    if (Take("null")) return Json();
    if (Take("NaN")) return Json(std::numeric_limits<double>::quiet_NaN());
    if (Take("Infinity")) return Json(std::numeric_limits<double>::infinity());
    if (Take("-Infinity")) {
      return Json(-std::numeric_limits<double>::infinity());
    }
    return ParseNumber();
  }

  bool Digit() const {
    return at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9';
  }

  Json ParseNumber() {
    const size_t start = at_;
    bool whole = true;
    if (at_ < text_.size() && text_[at_] == '-') ++at_;
    if (!Digit()) Fail("a value was expected");
    if (text_[at_] == '0') {
      ++at_;
      if (Digit()) Fail("a number can't start with 0");
    }
    while (Digit()) ++at_;
    if (at_ < text_.size() && text_[at_] == '.') {
      whole = false;
      ++at_;
      if (!Digit()) Fail("a digit was expected");
      while (Digit()) ++at_;
    }
    if (at_ < text_.size() && (text_[at_] == 'e' || text_[at_] == 'E')) {
      whole = false;
      ++at_;
      if (at_ < text_.size() && (text_[at_] == '+' || text_[at_] == '-')) {
        ++at_;
      }
      if (!Digit()) Fail("a digit was expected");
      while (Digit()) ++at_;
    }
    const std::string_view number = text_.substr(start, at_ - start);
    int64_t as_int = 0;
    if (whole && ParseInt(number, &as_int)) return Json(as_int);
    double as_double = 0;
    if (!ParseDouble(number, &as_double)) Fail("the number is out of range");
    Json json(as_double);
    json.beyond_int64_ = whole;
    return json;
  }

  unsigned ParseHex4() {
    unsigned value = 0;
    for (int i = 0; i < 4; ++i) {
      if (at_ >= text_.size()) Fail("the text ends too soon");
      const char c = text_[at_++];
      value <<= 4;
      if (c >= '0' && c <= '9') {
        value |= c - '0';
      } else if (c >= 'a' && c <= 'f') {
        value |= c - 'a' + 10;
      } else if (c >= 'A' && c <= 'F') {
        value |= c - 'A' + 10;
      } else {
        Fail("a hexadecimal digit was expected");
      }
    }
    return value;
  }

  static void AppendUtf8(std::string* text, unsigned code) {
    if (code < 0x80) {
      *text += static_cast<char>(code);
    } else if (code < 0x800) {
      *text += static_cast<char>(0xC0 | (code >> 6));
      *text += static_cast<char>(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
      *text += static_cast<char>(0xE0 | (code >> 12));
      *text += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
      *text += static_cast<char>(0x80 | (code & 0x3F));
    } else {
      *text += static_cast<char>(0xF0 | (code >> 18));
      *text += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
      *text += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
      *text += static_cast<char>(0x80 | (code & 0x3F));
    }
  }

  std::string ParseString() {
    std::string value;
    ++at_;
    while (true) {
      if (at_ >= text_.size()) Fail("the string does not end");
      const char c = text_[at_++];
      if (c == '"') return value;
      if (static_cast<unsigned char>(c) < 0x20) {
        Fail("a control character stands in a string");
      }
      if (c != '\\') {
        value += c;
        continue;
      }
      if (at_ >= text_.size()) Fail("the string does not end");
      const char escape = text_[at_++];
      switch (escape) {
        case '"':
        case '\\':
        case '/':
          value += escape;
          break;
        case 'b':
          value += '\b';
          break;
        case 'f':
          value += '\f';
          break;
        case 'n':
          value += '\n';
          break;
        case 'r':
          value += '\r';
          break;
        case 't':
          value += '\t';
          break;
        case 'u': {
          unsigned code = ParseHex4();
          if (code >= 0xD800 && code < 0xDC00 && Take("\\u")) {
            const unsigned low = ParseHex4();
            if (low < 0xDC00 || low > 0xDFFF) Fail("half a surrogate pair");
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
          } else if (code >= 0xD800 && code < 0xE000) {
            code = 0xFFFD;
          }
          AppendUtf8(&value, code);
          break;
        }
        default:
          Fail("an unknown escape");
      }
    }
  }

  Json ParseArray(int depth) {
    Json array = Json::Array();
    ++at_;
    SkipSpace();
    if (Take("]")) return array;
    while (true) {
      array.Append(ParseValue(depth + 1));
      SkipSpace();
      if (Take("]")) return array;
      if (!Take(",")) Fail("',' or ']' was expected");
    }
  }

  Json ParseObject(int depth) {
    Json object = Json::Object();
    // Set() looks through all members: too slow for an object of many.
    std::unordered_set<std::string> keys;
    ++at_;
    SkipSpace();
    if (Take("}")) return object;
    while (true) {
      SkipSpace();
      if (at_ >= text_.size() || text_[at_] != '"') Fail("a key was expected");
      std::string key = ParseString();
      SkipSpace();
      if (!Take(":")) Fail("':' was expected");
      Json value = ParseValue(depth + 1);
      if (keys.insert(key).second) {
        object.Add(std::move(key), std::move(value));
      } else {
        object.Set(key, std::move(value));
      }
      SkipSpace();
      if (Take("}")) return object;
      if (!Take(",")) Fail("',' or '}' was expected");
    }
  }

  std::string_view text_;
  size_t at_ = 0;
};

namespace {

void Quote(const std::string& value, std::string* out) {
  *out += '"';
  for (const char c : value) {
    switch (c) {
      case '"':
        *out += "\\\"";
        break;
      case '\\':
        *out += "\\\\";
        break;
      case '\n':
        *out += "\\n";
        break;
      case '\r':
        *out += "\\r";
        break;
      case '\t':
        *out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          *out += Format("\\u%04x", c);
        } else {
          *out += c;
        }
    }
  }
  *out += '"';
}

// As Python writes it: what JSON has no words for, too.
std::string NumberText(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number > 0 ? "Infinity" : "-Infinity";
  std::string text = DoubleToString(number);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

void Write(const Json& value, int indent, int depth, std::string* out);

// An array's items or an object's members, between their brackets.
template <typename Elements, typename WriteElement>
void WriteAll(const Elements& elements, const char* brackets, int indent,
              int depth, std::string* out, const WriteElement& write) {
  const auto newline = [&](int level) {
    if (indent < 0) return;
    *out += '\n';
    out->append(static_cast<size_t>(indent) * level, ' ');
  };
  *out += brackets[0];
  bool first = true;
  for (const auto& element : elements) {
    if (!first) *out += indent < 0 ? ", " : ",";
    first = false;
    newline(depth + 1);
    write(element);
  }
  if (!first) newline(depth);
  *out += brackets[1];
}

void Write(const Json& value, int indent, int depth, std::string* out) {
  switch (value.type()) {
    case Json::Type::kNull:
      *out += "null";
      break;
    case Json::Type::kBool:
      *out += value.AsBool() ? "true" : "false";
      break;
    case Json::Type::kInt:
      *out += std::to_string(value.AsInt());
      break;
    case Json::Type::kDouble:
      *out += NumberText(value.AsDouble());
      break;
    case Json::Type::kString:
      Quote(value.AsString(), out);
      break;
    case Json::Type::kArray:
      WriteAll(value.items(), "[]", indent, depth, out,
               [&](const Json& item) { Write(item, indent, depth + 1, out); });
      break;
    case Json::Type::kObject:
      WriteAll(value.members(), "{}", indent, depth, out,
               [&](const auto& member) {
                 Quote(member.first, out);
                 *out += ": ";
                 Write(member.second, indent, depth + 1, out);
               });
      break;
  }
}

[[noreturn]] void WrongType(const char* expected) {
  throw DataError("a JSON value has the wrong type", expected);
}

}  // namespace

Json Json::Parse(std::string_view text) {
  return JsonParser(text).ParseDocument();
}

std::string Json::ToString(int indent) const {
  std::string out;
  Write(*this, indent, 0, &out);
  return out;
}

bool Json::AsBool() const {
  if (type_ != Type::kBool) WrongType("true or false");
  return bool_;
}

int64_t Json::AsInt() const {
  if (type_ != Type::kInt) WrongType("a whole number");
  return int_;
}

double Json::AsDouble() const {
  if (type_ == Type::kInt) return static_cast<double>(int_);
  if (type_ != Type::kDouble) WrongType("a number");
  return double_;
}

const std::string& Json::AsString() const {
  if (type_ != Type::kString) WrongType("a string");
  return string_;
}

const std::vector<Json>& Json::items() const {
  if (type_ != Type::kArray) WrongType("an array");
  return items_;
}

const std::vector<std::pair<std::string, Json>>& Json::members() const {
  if (type_ != Type::kObject) WrongType("an object");
  return members_;
}

const Json* Json::Find(std::string_view key) const {
  for (const auto& [name, value] : members()) {
    if (name == key) return &value;
  }
  return nullptr;
}

const Json& Json::At(std::string_view key) const {
  const Json* value = Find(key);
  if (value == nullptr) {
    throw DataError("a JSON object has no '" + std::string(key) + "'");
  }
  return *value;
}

void Json::Append(Json value) {
  if (type_ != Type::kArray) WrongType("an array");
  items_.push_back(std::move(value));
}

void Json::Set(const std::string& key, Json value) {
  if (type_ != Type::kObject) WrongType("an object");
  for (auto& [name, old] : members_) {
    if (name == key) {
      old = std::move(value);
      return;
    }
  }
  members_.emplace_back(key, std::move(value));
}

void Json::Add(std::string key, Json value) {
  if (type_ != Type::kObject) WrongType("an object");
  members_.emplace_back(std::move(key), std::move(value));
}

}  // namespace t2t
