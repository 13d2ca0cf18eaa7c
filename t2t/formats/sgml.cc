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
    if (!StartsWith(trimmed, "<seg")) continue;
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
  return false;
}

}  // namespace t2t
