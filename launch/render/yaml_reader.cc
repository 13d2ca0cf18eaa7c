#include <algorithm>

#include "launch/render/yaml.h"
#include "launch/render/yaml_line.h"
#include "launch/render/yaml_scalar.h"
#include "t2t/base/error.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

constexpr int kMaxDepth = 100;
constexpr std::string_view kFlowIndicators = ",[]{}";

bool IsOneOf(char c, std::string_view characters) {
  return characters.find(c) != std::string_view::npos;
}

class Reader {
 public:
  explicit Reader(std::string_view text)
      : lines_(SplitYamlLines(text, &final_break_)) {}

  std::vector<Json> Documents() {
    try {
      return ReadDocuments();
    } catch (const YamlFault& fault) {
      Fail(fault.why);
    }
  }

 private:
  [[noreturn]] void Fail(const std::string& why) const {
    const size_t number =
        lines_.empty() ? 1 : lines_[std::min(at_, lines_.size() - 1)].number;
    throw DataError("YAML can't be read at line " + std::to_string(number) +
                    ": " + why);
  }

  std::vector<Json> ReadDocuments();

  void SkipEmpty() {
    while (at_ < lines_.size() && lines_[at_].empty()) ++at_;
  }
  bool Goes(int indent);

  // In these, `parent` is the indentation of the block that the value belongs
  // to (-1: of the document); the value's lines are further in.
  Json ParseBlock(int parent);
  Json ParseSequence(int indent);
  Json ParseMapping(int indent);
  Json ParseValue(std::string_view text, int parent);
  Json ReadPlain(std::string_view text, int parent);
  std::string ReadBlock(std::string_view text, int parent);
  std::string ReadQuoted(std::string_view* text, size_t* at, int parent);
  size_t NextQuotedLine(std::string_view* text, size_t* at, int parent);
  std::string ReadKey(std::string_view text);
  void FinishLine(std::string_view rest);

  Json ParseFlow();
  Json ParseFlowSequence();
  Json ParseFlowMapping();
  std::string ReadFlowScalar(bool* quoted);
  std::string ReadFlowPlain();
  size_t SkipFlowSpace();
  bool TakeFlow(char c);

  bool final_break_ = false;  // the last line has one
  std::vector<YamlLine> lines_;
  size_t at_ = 0;
  int depth_ = 0;
  // The rest of the line at_ where a flow collection is being read.
  std::string_view flow_;
  size_t flow_at_ = 0;
};

std::vector<Json> Reader::ReadDocuments() {
  std::vector<Json> documents;
  bool open = false;  // after a "---" that nothing has followed yet
  while (true) {
    SkipEmpty();
    if (at_ == lines_.size()) break;
    const std::string_view raw = lines_[at_].raw;
    if (IsYamlMarker(raw) && raw[0] == '-') {
      if (open) documents.emplace_back();
      open = true;
      lines_[at_].indent = 3;
      lines_[at_].text = TrimYamlLeft(raw.substr(3));
      if (lines_[at_].empty()) {
        ++at_;
        continue;
      }
    } else if (IsYamlMarker(raw)) {
      FinishLine(raw.substr(3));
      continue;
    }
    Goes(0);  // refuses a tab
    documents.push_back(ParseBlock(-1));
    open = false;
    SkipEmpty();
    if (at_ < lines_.size() && !IsYamlMarker(lines_[at_].raw)) {
      Fail("this line does not fit what is above it");
    }
  }
  if (open) documents.emplace_back();
  return documents;
}

// Whether a block goes on here: a line that is not empty, at least so far in.
bool Reader::Goes(int indent) {
  SkipEmpty();
  if (at_ == lines_.size()) return false;
  const YamlLine& line = lines_[at_];
  if (IsYamlMarker(line.raw) && line.text.data() == line.raw.data())
    return false;
  if (line.text[0] == '\t') Fail("a tab in the indentation");
  return line.indent >= indent;
}

Json Reader::ParseBlock(int parent) {
  if (++depth_ > kMaxDepth) Fail("nested too deep");
  Json value;
  const YamlLine& line = lines_[at_];
  if (IsYamlItem(line.text)) {
    value = ParseSequence(line.indent);
  } else if (YamlKeyEnd(line.text) != std::string_view::npos) {
    value = ParseMapping(line.indent);
  } else {
    value = ParseValue(line.text, parent);
  }
  --depth_;
  return value;
}

Json Reader::ParseSequence(int indent) {
  Json array = Json::Array();
  while (Goes(indent) && lines_[at_].indent == indent &&
         IsYamlItem(lines_[at_].text)) {
    YamlLine& line = lines_[at_];
    const std::string_view rest = TrimYamlLeft(line.text.substr(1));
    if (rest.empty() || rest[0] == '#') {
      ++at_;
      array.Append(Goes(indent + 1) ? ParseBlock(indent) : Json());
      continue;
    }
    // What follows "- " is a block of its own, that far in.
    const int inner = static_cast<int>(rest.data() - line.raw.data());
    if (IsYamlItem(rest) || YamlKeyEnd(rest) != std::string_view::npos) {
      if (line.text.substr(0, line.text.size() - rest.size()).find('\t') !=
          std::string_view::npos) {
        Fail("a tab in the indentation");
      }
      line.indent = inner;
      line.text = rest;
      array.Append(ParseBlock(indent));
    } else {
      array.Append(ParseValue(rest, indent));
    }
  }
  if (Goes(indent + 1)) Fail("this indentation fits nothing above");
  return array;
}

Json Reader::ParseMapping(int indent) {
  Json object = Json::Object();
  std::vector<std::string> keys;
  while (Goes(indent) && lines_[at_].indent == indent &&
         !IsYamlItem(lines_[at_].text)) {
    const std::string_view text = lines_[at_].text;
    const size_t end = YamlKeyEnd(text);
    if (end == std::string_view::npos) Fail("'key: value' was expected");
    const std::string key = ReadKey(text.substr(0, end));
    const auto place = std::lower_bound(keys.begin(), keys.end(), key);
    if (place != keys.end() && *place == key) {
      Fail("the key '" + key + "' is there twice");
    }
    keys.insert(place, key);
    const std::string_view rest = TrimYamlLeft(text.substr(end + 1));
    if (!rest.empty() && rest[0] != '#') {
      object.Add(key, ParseValue(rest, indent));
      continue;
    }
    ++at_;
    const bool has_value = Goes(indent) && (lines_[at_].indent > indent ||
                                            IsYamlItem(lines_[at_].text));
    object.Add(key, has_value ? ParseBlock(indent) : Json());
  }
  if (Goes(indent + 1)) Fail("this indentation fits nothing above");
  return object;
}

std::string Reader::ReadKey(std::string_view text) {
  if (text[0] == '"' || text[0] == '\'') {
    size_t at = 0;
    return ReadQuoted(&text, &at, -1);
  }
  return std::string(TrimYamlRight(text));
}

// A value that starts within the current line; leaves at_ behind it.
Json Reader::ParseValue(std::string_view text, int parent) {
  const char first = text[0];
  if (first == '|' || first == '>') return Json(ReadBlock(text, parent));
  if (first == '&' || first == '*' || first == '!') {
    Fail("anchors and tags are not read");
  }
  if (first == '[' || first == '{') {
    flow_ = text;
    flow_at_ = 0;
    Json value = ParseFlow();
    FinishLine(flow_.substr(flow_at_));
    return value;
  }
  if (first == '"' || first == '\'') {
    size_t at = 0;
    Json value(ReadQuoted(&text, &at, parent));
    FinishLine(text.substr(at));
    return value;
  }
  if (IsYamlIndicator(first) ||
      (IsOneOf(first, "?-:") && IsYamlSeparated(text, 1))) {
    Fail("a value can't start so; put it in quotes");
  }
  return ReadPlain(text, parent);
}

// An unquoted scalar; it goes on in the lines that are further in than its
// parent, until a comment.
Json Reader::ReadPlain(std::string_view text, int parent) {
  YamlPlainPart part = PlainYamlPart(text);
  std::string value(part.text);
  ++at_;
  while (!part.commented) {
    size_t next = at_;
    while (next < lines_.size() && lines_[next].blank()) ++next;
    if (next == lines_.size() || lines_[next].indent <= parent ||
        lines_[next].empty() || IsYamlMarker(lines_[next].raw)) {
      break;
    }
    AppendFoldedBreak(next - at_, &value);
    at_ = next;
    part = PlainYamlPart(TrimYamlLeft(lines_[at_].text));
    value += part.text;
    ++at_;
  }
  if (Goes(parent + 1)) {
    Fail("this line follows a value that a comment has ended");
  }
  return ResolvePlainScalar(value);
}

// The rest of a value's last line: nothing but a comment.
void Reader::FinishLine(std::string_view rest) {
  const std::string_view trimmed = TrimYamlLeft(rest);
  if (!trimmed.empty() && (trimmed[0] != '#' || rest[0] == '#')) {
    Fail("something follows the value");
  }
  ++at_;
}

// "|" or ">" and the lines below that are further in.
std::string Reader::ReadBlock(std::string_view text, int parent) {
  const BlockHeader header = ReadBlockHeader(text);
  FinishLine(text.substr(header.size));
  int inner = header.indent > 0 ? std::max(parent, 0) + header.indent : -1;
  int blank_indent = 0;
  std::vector<std::string_view> lines;
  for (; at_ < lines_.size(); ++at_) {
    const YamlLine& line = lines_[at_];
    const bool blank = line.text.empty();
    if (inner < 0 && blank) blank_indent = std::max(blank_indent, line.indent);
    if (inner < 0 && !blank) {
      if (line.indent <= parent) break;
      inner = line.indent;
      if (blank_indent > inner) {
        Fail(
            "an empty line above has more spaces than the block's first line; "
            "readers differ on what that is");
      }
    }
    if (!blank && (line.indent < inner || IsYamlMarker(line.raw))) break;
    lines.push_back(blank && (inner < 0 || line.indent < inner)
                        ? std::string_view()
                        : line.raw.substr(static_cast<size_t>(inner)));
  }
  return BlockText(header, lines, at_ < lines_.size() || final_break_);
}

// Reads on from the quote at (*text)[*at], which may go over several lines;
// leaves *text the line where it ends and *at behind it.
std::string Reader::ReadQuoted(std::string_view* text, size_t* at, int parent) {
  const char quote = (*text)[(*at)++];
  const size_t start = at_;
  std::string value;
  size_t kept = 0;  // no white space is cut off before here
  while (true) {
    const bool escapes =
        quote == '"' && *at < text->size() && (*text)[*at] == '\\';
    if (*at == text->size() || (escapes && *at + 1 == text->size())) {
      if (!escapes) {
        value.resize(std::max(kept, TrimYamlRight(value).size()));
      }
      size_t empty_lines = 0;
      try {
        empty_lines = NextQuotedLine(text, at, parent);
      } catch (const YamlFault&) {
        at_ = start;
        throw;
      }
      // An escaped line break is nothing, but empty lines behind it count.
      if (empty_lines > 0 || !escapes) AppendFoldedBreak(empty_lines, &value);
      kept = value.size();
    } else if (escapes) {
      AppendYamlEscape(*text, &++*at, &value);
      kept = value.size();
    } else if ((*text)[*at] != quote) {
      value += (*text)[(*at)++];
    } else if (quote == '\'' && text->substr(*at, 2) == "''") {
      value += quote;
      *at += 2;
    } else {
      ++*at;
      return value;
    }
  }
}

// To the next line that is not blank; returns how many were.
size_t Reader::NextQuotedLine(std::string_view* text, size_t* at, int parent) {
  size_t blank = 0;
  for (++at_; at_ < lines_.size() && lines_[at_].blank(); ++at_) ++blank;
  if (at_ == lines_.size() || IsYamlMarker(lines_[at_].raw)) {
    throw YamlFault{"the quoted text that begins here does not end"};
  }
  if (lines_[at_].indent <= parent) {
    throw YamlFault{
        "the quoted text that begins here does not end before a line that is "
        "no further in; its lines must be"};
  }
  *text = lines_[at_].raw;
  *at = text->size() - TrimYamlLeft(*text).size();
  return blank;
}

// Skips white space, line breaks and comments; returns how many lines were
// blank. Flow style may run over several lines.
size_t Reader::SkipFlowSpace() {
  size_t blank = 0;
  while (true) {
    while (flow_at_ < flow_.size() && IsYamlBlank(flow_[flow_at_])) ++flow_at_;
    if (flow_at_ < flow_.size() && flow_[flow_at_] != '#') return blank;
    if (at_ + 1 >= lines_.size() || IsYamlMarker(lines_[at_ + 1].raw)) {
      Fail("'[' or '{' is not closed");
    }
    flow_ = lines_[++at_].raw;
    flow_at_ = 0;
    if (lines_[at_].blank()) ++blank;
  }
}

bool Reader::TakeFlow(char c) {
  SkipFlowSpace();
  if (flow_[flow_at_] != c) return false;
  ++flow_at_;
  return true;
}

Json Reader::ParseFlow() {
  if (++depth_ > kMaxDepth) Fail("nested too deep");
  SkipFlowSpace();
  Json value;
  if (TakeFlow('[')) {
    value = ParseFlowSequence();
  } else if (TakeFlow('{')) {
    value = ParseFlowMapping();
  } else {
    bool quoted = false;
    const std::string text = ReadFlowScalar(&quoted);
    value = quoted ? Json(text) : ResolvePlainScalar(text);
  }
  --depth_;
  return value;
}

Json Reader::ParseFlowSequence() {
  Json array = Json::Array();
  while (!TakeFlow(']')) {
    array.Append(ParseFlow());
    if (!TakeFlow(',') && flow_[flow_at_] != ']') {
      Fail("',' or ']' was expected");
    }
  }
  return array;
}

Json Reader::ParseFlowMapping() {
  Json object = Json::Object();
  while (!TakeFlow('}')) {
    SkipFlowSpace();
    bool quoted = false;
    const std::string key = ReadFlowScalar(&quoted);
    if (object.Find(key) != nullptr) {
      Fail("the key '" + key + "' is there twice");
    }
    // Behind a key without quotes it is a colon only before white space.
    if (!TakeFlow(':')) Fail("': ' was expected after the key '" + key + "'");
    SkipFlowSpace();
    object.Add(key, flow_[flow_at_] == ',' || flow_[flow_at_] == '}'
                        ? Json()
                        : ParseFlow());
    if (!TakeFlow(',') && flow_[flow_at_] != '}') {
      Fail("',' or '}' was expected");
    }
  }
  return object;
}

std::string Reader::ReadFlowScalar(bool* quoted) {
  const char c = flow_[flow_at_];
  *quoted = c == '"' || c == '\'';
  return *quoted ? ReadQuoted(&flow_, &flow_at_, -1) : ReadFlowPlain();
}

std::string Reader::ReadFlowPlain() {
  const auto ends = [&](size_t at) {
    return IsOneOf(flow_[at], kFlowIndicators) ||
           (flow_[at] == ':' && (IsYamlSeparated(flow_, at + 1) ||
                                 IsOneOf(flow_[at + 1], kFlowIndicators))) ||
           (flow_[at] == '#' && at > 0 && IsYamlBlank(flow_[at - 1]));
  };
  if (ends(flow_at_)) Fail("a value was expected");
  if (IsYamlIndicator(flow_[flow_at_]) ||
      (IsOneOf(flow_[flow_at_], "?-") &&
       (IsYamlSeparated(flow_, flow_at_ + 1) ||
        IsOneOf(flow_[flow_at_ + 1], kFlowIndicators)))) {
    Fail("a value can't start so; put it in quotes");
  }
  std::string text;
  while (true) {
    const size_t start = flow_at_;
    while (flow_at_ < flow_.size() && !ends(flow_at_)) ++flow_at_;
    text += TrimYamlRight(flow_.substr(start, flow_at_ - start));
    if (flow_at_ < flow_.size()) return text;
    // It goes on in the next line, unless that begins with what ends it.
    const size_t line = at_;
    const size_t blank = SkipFlowSpace();
    if (ends(flow_at_) || at_ != line + blank + 1) return text;
    AppendFoldedBreak(blank, &text);
  }
}

}  // namespace

std::vector<Json> ParseYamlStream(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    i += DecodeUtf8(text, i).length;
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
