#include <yaml.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <set>
#include <utility>

#include "launch/render/yaml.h"
#include "launch/render/yaml_scalar.h"
#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/text/unicode.h"

namespace t2t {
namespace {

constexpr size_t kMaxDepth = 100;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

[[noreturn]] void Fail(const yaml_mark_t& mark, const std::string& why) {
  throw DataError("YAML can't be read at line " +
                  std::to_string(mark.line + 1) + ": " + why);
}

std::string Text(const yaml_char_t* text, size_t size) {
  return std::string(reinterpret_cast<const char*>(text), size);
}

// The parser's events, one after the other.
class Events {
 public:
  explicit Events(std::string_view text) : text_(text) {
    yaml_parser_initialize(&parser_);
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(
        &parser_, reinterpret_cast<const unsigned char*>(text.data()),
        text.size());
  }
  ~Events() {
    yaml_event_delete(&event_);
    yaml_parser_delete(&parser_);
  }
  Events(const Events&) = delete;
  Events& operator=(const Events&) = delete;

  const yaml_event_t& event() const { return event_; }
  yaml_event_type_t type() const { return event_.type; }
  const yaml_mark_t& mark() const { return event_.start_mark; }

  void Next() {
    yaml_event_delete(&event_);
    if (yaml_parser_parse(&parser_, &event_) == 0) Refuse();
  }

 private:
  [[noreturn]] void Refuse() const {
    if (parser_.error == YAML_READER_ERROR) {
      // A character that may not stand there; it has no mark.
      yaml_mark_t mark = {};
      mark.line = static_cast<size_t>(std::count(
          text_.begin(),
          text_.begin() + std::min(parser_.problem_offset, text_.size()),
          '\n'));
      Fail(mark, parser_.problem);
    }
    if (parser_.problem == nullptr) throw std::bad_alloc();
    const std::string context =
        parser_.context == nullptr ? "" : parser_.context;
    // A quote, a bracket or a key that nobody ended is where it began.
    const bool is_open = context.find("quoted") != std::string::npos ||
                         context.find("flow") != std::string::npos ||
                         context.find("simple key") != std::string::npos;
    const yaml_mark_t& problem = parser_.problem_mark;
    const yaml_mark_t& mark = is_open ? parser_.context_mark : problem;
    std::string why = context + (context.empty() ? "" : ", ") + parser_.problem;
    if (mark.line != problem.line) {
      why += " (at line " + std::to_string(problem.line + 1) + ")";
    }
    Fail(mark, why);
  }

  const std::string_view text_;
  yaml_parser_t parser_ = {};
  yaml_event_t event_ = {};
};

// Makes values of the events, and refuses what manifests are not to have.
class Reader {
 public:
  explicit Reader(std::string text) : text_(std::move(text)), events_(text_) {}

  std::vector<Json> Documents() {
    std::vector<Json> documents;
    events_.Next();  // the stream's start
    for (events_.Next(); events_.type() != YAML_STREAM_END_EVENT;
         events_.Next()) {
      const auto& start = events_.event().data.document_start;
      if (start.version_directive != nullptr ||
          start.tag_directives.start != start.tag_directives.end) {
        Fail(events_.mark(), "directives are not read");
      }
      events_.Next();
      documents.push_back(ReadValue(0));
      events_.Next();  // the document's end
    }
    return documents;
  }

 private:
  // Of the event at hand.
  void RefuseAnchor(const yaml_char_t* anchor, const yaml_char_t* tag) const {
    if (anchor != nullptr || tag != nullptr) {
      Fail(events_.mark(), "anchors and tags are not read");
    }
  }

  Json ReadValue(size_t depth) {
    if (depth > kMaxDepth) Fail(events_.mark(), "nested too deep");
    const yaml_event_t& event = events_.event();
    switch (event.type) {
      case YAML_SCALAR_EVENT:
        return ReadScalar();
      case YAML_SEQUENCE_START_EVENT:
        RefuseAnchor(event.data.sequence_start.anchor,
                     event.data.sequence_start.tag);
        return ReadSequence(depth);
      case YAML_MAPPING_START_EVENT:
        RefuseAnchor(event.data.mapping_start.anchor,
                     event.data.mapping_start.tag);
        return ReadMapping(depth);
      default:
        Fail(events_.mark(), "anchors and tags are not read");
    }
  }

  Json ReadScalar() const {
    const auto& scalar = events_.event().data.scalar;
    RefuseAnchor(scalar.anchor, scalar.tag);
    const std::string text = Text(scalar.value, scalar.length);
    if (scalar.style != YAML_PLAIN_SCALAR_STYLE) return Json(text);
    try {
      return ResolvePlainScalar(text);
    } catch (const YamlFault& fault) {
      Fail(events_.mark(), fault.why);
    }
  }

  Json ReadSequence(size_t depth) {
    Json array = Json::Array();
    for (events_.Next(); events_.type() != YAML_SEQUENCE_END_EVENT;
         events_.Next()) {
      array.Append(ReadValue(depth + 1));
    }
    return array;
  }

  Json ReadMapping(size_t depth) {
    const bool is_flow =
        events_.event().data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
    Json object = Json::Object();
    std::set<std::string> keys;
    for (events_.Next(); events_.type() != YAML_MAPPING_END_EVENT;
         events_.Next()) {
      const std::string key = ReadKey(&keys);
      const yaml_mark_t mark = events_.mark();
      events_.Next();
      Json value = ReadValue(depth + 1);
      if (is_flow && value.is_null() && key.find(':') != std::string::npos) {
        Fail(mark, "a space must follow the colon in '" + key + "'");
      }
      object.Add(key, std::move(value));
    }
    return object;
  }

  std::string ReadKey(std::set<std::string>* keys) {
    const yaml_event_t& event = events_.event();
    if (event.type != YAML_SCALAR_EVENT || IsExplicitKey()) {
      Fail(events_.mark(), "a key must be a string, without '? ' before it");
    }
    RefuseAnchor(event.data.scalar.anchor, event.data.scalar.tag);
    std::string key = Text(event.data.scalar.value, event.data.scalar.length);
    if (!keys->insert(key).second) {
      Fail(events_.mark(), "the key '" + key + "' is there twice");
    }
    return key;
  }

  // Whether "? " stands before the event.
  bool IsExplicitKey() {
    // Marks count characters. Events come in the order of the text.
    for (; key_index_ < events_.mark().index && key_at_ < text_.size();
         ++key_index_) {
      NextCodePoint(text_, &key_at_);
    }
    const std::string_view before = std::string_view(text_).substr(0, key_at_);
    const size_t last = before.find_last_not_of(" \t");
    return last != std::string_view::npos && last + 1 < before.size() &&
           before[last] == '?';
  }

  const std::string text_;
  Events events_;
  size_t key_index_ = 0;
  size_t key_at_ = 0;  // the same in bytes
};

bool IsJson(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos ||
      (text[first] != '{' && text[first] != '[')) {
    return false;
  }
  try {
    Json::Parse(text);
  } catch (const Error&) {
    return false;
  }
  return true;
}

// JSON writes a character beyond U+FFFF as two escapes; YAML has one for it.
std::string JoinSurrogates(std::string_view json) {
  const auto unit = [&](size_t at) -> uint32_t {
    const std::string_view escape = json.substr(std::min(at, json.size()), 6);
    if (escape.size() < 6 || !StartsWith(escape, "\\u")) return 0;
    return static_cast<uint32_t>(
        std::strtoul(std::string(escape.substr(2)).c_str(), nullptr, 16));
  };
  std::string yaml;
  for (size_t at = 0; at < json.size();) {
    const uint32_t high = unit(at);
    const uint32_t low = high >= 0xD800 && high < 0xDC00 ? unit(at + 6) : 0;
    if (low >= 0xDC00 && low < 0xE000) {
      yaml +=
          Format("\\U%08x", 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00));
      at += 12;
      continue;
    }
    // A backslash takes the character behind it along.
    const size_t size = json[at] == '\\' ? 2 : 1;
    yaml += json.substr(at, size);
    at += size;
  }
  return yaml;
}

}  // namespace

std::vector<Json> ParseYamlStream(std::string_view text) {
  if (!IsValidUtf8(text)) {
    throw DataError("YAML can't be read: it is not UTF-8", "UTF-8");
  }
  if (StartsWith(text, kByteOrderMark)) {
    text.remove_prefix(kByteOrderMark.size());
  }
  if (IsJson(text)) return Reader(JoinSurrogates(text)).Documents();
  return Reader(std::string(text)).Documents();
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
