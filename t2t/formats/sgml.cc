#include "t2t/formats/sgml.h"

#include <string_view>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"

namespace t2t {

SegmentReader::SegmentReader(const std::string& path)
    : path_(path), lines_(path) {}

bool SegmentReader::Next(std::string* text) {
  constexpr std::string_view kEnd = "</seg>";
  for (std::string line; lines_.Next(&line);) {
    ++line_;
    const std::string_view trimmed = Trim(line);
    if (!StartsWith(trimmed, "<seg")) {
      NoteSet(trimmed);
      continue;
    }
    const size_t begin = trimmed.find('>');
    if (begin == std::string_view::npos || !EndsWith(trimmed, kEnd) ||
        begin + 1 + kEnd.size() > trimmed.size()) {
      throw DataError(TextName(path_) + ", line " + std::to_string(line_) +
                          ": a segment that does not end on its line",
                      "<seg id=\"1\">text</seg>",
                      "is the file cut? get it again");
    }
    *text = trimmed.substr(begin + 1, trimmed.size() - kEnd.size() - begin - 1);
    return true;
  }
  if (open_set_.empty()) return false;
  throw DataError(TextName(path_) + " ends at line " + std::to_string(line_) +
                      ", inside a <" + open_set_ + ">",
                  "</" + open_set_ + "> at its end",
                  "the file is cut: get it again");
}

void SegmentReader::NoteSet(std::string_view line) {
  for (const char* const set : {"srcset", "refset", "tstset"}) {
    const std::string name(set);
    if (StartsWith(line, "<" + name)) open_set_ = name;
    // (On the line of another end, too.)
    if (line.find("</" + name) != std::string_view::npos) open_set_.clear();
  }
}

}  // namespace t2t
