#ifndef T2T_FORMATS_SGML_H_
#define T2T_FORMATS_SGML_H_

#include <string>
#include <string_view>

#include "t2t/formats/text_reader.h"

namespace t2t {

// The segments of a NIST or WMT test set (.sgm), as T2T takes them: what is
// between <seg ...> and </seg> on one line, entities as they are; all other
// lines (documents, paragraphs, headlines) are passed over. Throws a DataError
// where a segment goes over several lines, and where the file ends inside a
// set: a <srcset>, <refset> or <tstset> without its end.
class SegmentReader {
 public:
  explicit SegmentReader(const std::string& path);

  // False at the end.
  bool Next(std::string* text);

 private:
  void NoteSet(std::string_view line);

  std::string path_;
  LineReader lines_;
  int64_t line_ = 0;
  std::string open_set_;  // "srcset" from its start to its end
};

}  // namespace t2t

#endif  // T2T_FORMATS_SGML_H_
