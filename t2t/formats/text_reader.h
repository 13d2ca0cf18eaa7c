#ifndef T2T_FORMATS_TEXT_READER_H_
#define T2T_FORMATS_TEXT_READER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace t2t {

// Reads a text that a person names, a piece at a time: a file, a pipe, or "-",
// the standard input; as it is, or compressed by gzip or zstd, whatever its
// name. Throws a MissingError where it isn't there, a DataError where it is
// cut, damaged, or compressed by another program.
class TextReader {
 public:
  explicit TextReader(const std::string& path);
  ~TextReader();
  TextReader(const TextReader&) = delete;
  TextReader& operator=(const TextReader&) = delete;

  // The next piece, valid until the next call; empty at the end.
  std::string_view Next();

  class Source;
  class Decoder;

 private:
  std::unique_ptr<Source> source_;
  std::unique_ptr<Decoder> decoder_;
};

// The whole of it.
std::string ReadText(const std::string& path);

// Its lines. Only "\n" ends one. Bytes that are not UTF-8 and empty lines are
// kept.
class LineReader {
 public:
  explicit LineReader(const std::string& path) : reader_(path) {}

  // False at the end.
  bool Next(std::string* line);

 private:
  TextReader reader_;
  std::string_view piece_;
};

std::vector<std::string> ReadTextLines(const std::string& path);

// What tells two texts apart, whether compressed or not.
struct FileFacts {
  int64_t lines = 0;
  int64_t bytes = 0;
  uint32_t crc32c = 0;
};

FileFacts ScanFile(const std::string& path);

// What can be opened again and again for the text at `path`: itself, where that
// is a plain file (or not there). A text that can be read only once (a pipe,
// "-") is read now, into a file without a name in `folder` that lasts as long
// as this process; later calls give the same.
std::string Rereadable(const std::string& path, const std::string& folder);

// What a person calls the text: "-" is the standard input, and what
// Rereadable() gave is what it was given.
std::string TextName(const std::string& path);

}  // namespace t2t

#endif  // T2T_FORMATS_TEXT_READER_H_
