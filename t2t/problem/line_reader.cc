#include "t2t/problem/line_reader.h"

#include <zlib.h>

#include <algorithm>
#include <cerrno>

#include "t2t/base/crc32c.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"

namespace t2t {
namespace {

constexpr size_t kPieceBytes = 1 << 18;

}  // namespace

UnzipReader::UnzipReader(const std::string& path)
    : path_(path), buffer_(kPieceBytes, '\0') {
  if (!Exists(path)) throw MissingError("there is no file " + path);
  if (IsDirectory(path)) {
    errno = EISDIR;
    throw IoError("can't read", path);
  }
  file_ = gzopen(path.c_str(), "rbe");
  if (file_ == nullptr) throw IoError("can't read", path);
  gzbuffer(static_cast<gzFile>(file_), kPieceBytes);
}

UnzipReader::~UnzipReader() {
  if (file_ != nullptr) gzclose(static_cast<gzFile>(file_));
}

std::string_view UnzipReader::Next() {
  const auto file = static_cast<gzFile>(file_);
  errno = 0;
  const int count =
      gzread(file, buffer_.data(), static_cast<unsigned>(kPieceBytes));
  int code = Z_OK;
  const char* const message = gzerror(file, &code);
  if (code == Z_ERRNO) throw IoError("can't read", path_);
  if (count < 0 || (code != Z_OK && code != Z_STREAM_END)) {
    throw DataError(path_ + " is cut or damaged: " + message,
                    "a whole gzip file, or plain text", "get it again");
  }
  return {buffer_.data(), static_cast<size_t>(count)};
}

std::string ReadUnzipped(const std::string& path) {
  UnzipReader reader(path);
  std::string contents;
  for (std::string_view piece; !(piece = reader.Next()).empty();) {
    contents += piece;
  }
  return contents;
}

bool LineReader::Next(std::string* line) {
  line->clear();
  bool found = false;
  for (;;) {
    if (piece_.empty()) {
      piece_ = reader_.Next();
      if (piece_.empty()) return found;
    }
    found = true;
    const size_t end = piece_.find('\n');
    line->append(piece_.substr(0, end));
    if (end != std::string_view::npos) {
      piece_.remove_prefix(end + 1);
      return true;
    }
    piece_ = {};
  }
}

FileFacts ScanFile(const std::string& path) {
  UnzipReader reader(path);
  FileFacts facts;
  char last = '\n';
  for (std::string_view piece; !(piece = reader.Next()).empty();) {
    facts.lines += std::count(piece.begin(), piece.end(), '\n');
    facts.bytes += static_cast<int64_t>(piece.size());
    facts.crc32c = Crc32c(piece, facts.crc32c);
    last = piece.back();
  }
  if (last != '\n') ++facts.lines;
  return facts;
}

}  // namespace t2t
