#ifndef T2T_PROBLEM_LINE_READER_H_
#define T2T_PROBLEM_LINE_READER_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace t2t {

// Reads a file, gzipped or plain, a piece at a time. Throws a MissingError
// where it isn't there, a DataError where the gzip stream is cut or damaged.
class UnzipReader {
 public:
  explicit UnzipReader(const std::string& path);
  ~UnzipReader();
  UnzipReader(const UnzipReader&) = delete;
  UnzipReader& operator=(const UnzipReader&) = delete;

  // The next piece, valid until the next call; empty at the end.
  std::string_view Next();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  void* file_ = nullptr;  // zlib's gzFile
  std::string buffer_;
};

// The whole of a file, gzipped or plain.
std::string ReadUnzipped(const std::string& path);

// Lines of a file, gzipped or plain. Only "\n" ends a line. Bytes that are
// not UTF-8 and empty lines are kept.
class LineReader {
 public:
  explicit LineReader(const std::string& path) : reader_(path) {}

  // False at the end.
  bool Next(std::string* line);

 private:
  UnzipReader reader_;
  std::string_view piece_;
};

// What tells two texts apart, whether gzipped or not.
struct FileFacts {
  int64_t lines = 0;
  int64_t bytes = 0;
  uint32_t crc32c = 0;
};

FileFacts ScanFile(const std::string& path);

}  // namespace t2t

#endif  // T2T_PROBLEM_LINE_READER_H_
