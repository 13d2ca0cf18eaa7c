#include "t2t/formats/text_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <map>
#include <mutex>
#include <utility>

#include "t2t/base/crc32c.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

constexpr size_t kPieceBytes = 1 << 18;
constexpr char kStandardInput[] = "-";
constexpr std::string_view kGzip = "\x1f\x8b";
constexpr std::string_view kZstd = "\x28\xb5\x2f\xfd";
// Zstd's skippable frames, which parallel compressors put first.
constexpr std::string_view kZstdSkippable = "\x2a\x4d\x18";

struct Compression {
  std::string_view start;
  const char* program;
};
// Not read. (No text starts so; bzip2's says its size in the fourth byte.)
constexpr std::string_view kBzip2 = "BZh";
constexpr std::string_view kBzip2Block = "1AY&SY";
constexpr Compression kOthers[] = {{{"\xfd\x37zXZ\0", 6}, "xz"},
                                   {{"PK\x03\x04", 4}, "zip"},
                                   {{"\x04\x22\x4d\x18", 4}, "lz4"},
                                   {"7z\xbc\xaf", "7-Zip"},
                                   {"\x1f\x9d", "compress"}};

// Texts that could be read once, by what they were called.
struct Spooled {
  std::mutex mutex;
  std::map<std::string, std::string> path_of;
  std::map<std::string, std::string> name_of;
};

Spooled& TheSpooled() {
  static auto* const spooled = new Spooled;
  return *spooled;
}

Error Damaged(const std::string& name, const std::string& how,
              const std::string& program) {
  return DataError(name + " is cut or damaged: " + how,
                   "a whole file of " + program + ", or plain text",
                   "get it again");
}

}  // namespace

// The bytes of a file, some of which may be looked at before they are taken.
class TextReader::Source {
 public:
  explicit Source(const std::string& path)
      : name_(TextName(path)), buffer_(kPieceBytes, '\0') {
    if (path == kStandardInput) {
      fd_ = ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
    } else if (!Exists(path)) {
      throw MissingError("there is no file " + name_);
    } else if (IsDirectory(path)) {
      errno = EISDIR;
      throw IoError("can't read", name_);
    } else {
      fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
    }
    if (fd_ < 0) throw IoError("can't read", name_);
  }
  ~Source() { ::close(fd_); }
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  const std::string& name() const { return name_; }

  // What comes next, at least `size` bytes unless it ends before.
  std::string_view Look(size_t size) {
    while (filled_ - taken_ < size) {
      std::copy(buffer_.begin() + taken_, buffer_.begin() + filled_,
                buffer_.begin());
      filled_ -= std::exchange(taken_, 0);
      const ssize_t count =
          ::read(fd_, buffer_.data() + filled_, buffer_.size() - filled_);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) throw IoError("can't read", name_);
      if (count == 0) break;
      filled_ += static_cast<size_t>(count);
    }
    return std::string_view(buffer_).substr(taken_, filled_ - taken_);
  }
  void Take(size_t size) { taken_ += size; }

 private:
  const std::string name_;
  int fd_ = -1;
  std::string buffer_;
  size_t taken_ = 0;
  size_t filled_ = 0;
};

class TextReader::Decoder {
 public:
  virtual ~Decoder() = default;
  virtual std::string_view Next() = 0;
};

namespace {

class PlainDecoder : public TextReader::Decoder {
 public:
  explicit PlainDecoder(TextReader::Source* source) : source_(source) {}

  std::string_view Next() override {
    source_->Take(std::exchange(last_, 0));
    const std::string_view piece = source_->Look(1);
    last_ = piece.size();
    return piece;
  }

 private:
  TextReader::Source* const source_;
  size_t last_ = 0;
};

class GzipDecoder : public TextReader::Decoder {
 public:
  explicit GzipDecoder(TextReader::Source* source)
      : source_(source), buffer_(kPieceBytes, '\0') {
    if (inflateInit2(&stream_, 15 + 16) != Z_OK) throw std::bad_alloc();
  }
  ~GzipDecoder() override { inflateEnd(&stream_); }

  std::string_view Next() override {
    while (!ended_) {
      const std::string_view input = source_->Look(1);
      if (input.empty()) throw Damaged(source_->name(), "it ends", "gzip");
      stream_.next_in =
          reinterpret_cast<Bytef*>(const_cast<char*>(input.data()));
      stream_.avail_in = static_cast<uInt>(input.size());
      stream_.next_out = reinterpret_cast<Bytef*>(buffer_.data());
      stream_.avail_out = static_cast<uInt>(buffer_.size());
      const int code = inflate(&stream_, Z_NO_FLUSH);
      source_->Take(input.size() - stream_.avail_in);
      if (code == Z_STREAM_END) {
        // Another member may follow; anything else there is no text.
        ended_ = !StartsWith(source_->Look(kGzip.size()), kGzip);
        inflateReset(&stream_);
      } else if (code != Z_OK && code != Z_BUF_ERROR) {
        throw Damaged(source_->name(),
                      stream_.msg != nullptr ? stream_.msg : zError(code),
                      "gzip");
      }
      const size_t size = buffer_.size() - stream_.avail_out;
      if (size > 0) return {buffer_.data(), size};
    }
    return {};
  }

 private:
  TextReader::Source* const source_;
  std::string buffer_;
  z_stream stream_ = {};
  bool ended_ = false;
};

class ZstdDecoder : public TextReader::Decoder {
 public:
  explicit ZstdDecoder(TextReader::Source* source)
      : source_(source),
        buffer_(kPieceBytes, '\0'),
        stream_(ZSTD_createDStream()) {
    if (stream_ == nullptr) throw std::bad_alloc();
  }
  ~ZstdDecoder() override { ZSTD_freeDStream(stream_); }

  std::string_view Next() override {
    for (;;) {
      const std::string_view input = source_->Look(1);
      if (input.empty() && (needed_ == 0 || !more_)) {
        if (needed_ != 0) throw Damaged(source_->name(), "it ends", "zstd");
        return {};
      }
      ZSTD_inBuffer in = {input.data(), input.size(), 0};
      ZSTD_outBuffer out = {buffer_.data(), buffer_.size(), 0};
      needed_ = ZSTD_decompressStream(stream_, &out, &in);
      if (ZSTD_isError(needed_) != 0) {
        throw Damaged(source_->name(), ZSTD_getErrorName(needed_), "zstd");
      }
      source_->Take(in.pos);
      // A full buffer: more may come without more input.
      more_ = out.pos == out.size;
      if (out.pos > 0) return {buffer_.data(), out.pos};
    }
  }

 private:
  TextReader::Source* const source_;
  std::string buffer_;
  ZSTD_DStream* const stream_;
  size_t needed_ = 0;  // 0: a frame has ended
  bool more_ = false;
};

std::unique_ptr<TextReader::Decoder> MakeDecoder(TextReader::Source* source) {
  const std::string_view start = source->Look(10);
  if (StartsWith(start, kGzip)) return std::make_unique<GzipDecoder>(source);
  if (StartsWith(start, kZstd) ||
      (start.size() >= 4 && (start[0] & 0xF0) == 0x50 &&
       start.substr(1, 3) == kZstdSkippable)) {
    return std::make_unique<ZstdDecoder>(source);
  }
  const char* program = nullptr;
  for (const Compression& other : kOthers) {
    if (StartsWith(start, other.start)) program = other.program;
  }
  if (StartsWith(start, kBzip2) &&
      StartsWith(start.substr(std::min<size_t>(4, start.size())),
                 kBzip2Block)) {
    program = "bzip2";
  }
  if (program != nullptr) {
    throw DataError(
        source->name() + " is compressed by " + program,
        "plain text, or text compressed by gzip or zstd",
        "decompress it; with bash, <(program that does) in place of its name");
  }
  return std::make_unique<PlainDecoder>(source);
}

}  // namespace

TextReader::TextReader(const std::string& path)
    : source_(std::make_unique<Source>(path)),
      decoder_(MakeDecoder(source_.get())) {}

TextReader::~TextReader() = default;

std::string_view TextReader::Next() { return decoder_->Next(); }

std::string ReadText(const std::string& path) {
  TextReader reader(path);
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

std::vector<std::string> ReadTextLines(const std::string& path) {
  LineReader reader(path);
  std::vector<std::string> lines;
  for (std::string line; reader.Next(&line);) lines.push_back(line);
  return lines;
}

FileFacts ScanFile(const std::string& path) {
  TextReader reader(path);
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

std::string Rereadable(const std::string& path, const std::string& folder) {
  struct stat info;
  if (path.empty() || (path != kStandardInput &&
                       (::stat(path.c_str(), &info) != 0 ||
                        S_ISREG(info.st_mode) || S_ISDIR(info.st_mode)))) {
    return path;
  }
  Spooled& spooled = TheSpooled();
  {
    const std::lock_guard<std::mutex> lock(spooled.mutex);
    const auto found = spooled.path_of.find(path);
    if (found != spooled.path_of.end()) return found->second;
  }
  TextReader reader(path);
  MakeDirectories(folder);
  std::FILE* const file = OpenScratchFile(folder);
  for (std::string_view piece; !(piece = reader.Next()).empty();) {
    if (std::fwrite(piece.data(), 1, piece.size(), file) != piece.size()) {
      throw IoError("can't write what is read of " + path + " into", folder);
    }
  }
  if (std::fflush(file) != 0) {
    throw IoError("can't write what is read of " + path + " into", folder);
  }
  const std::lock_guard<std::mutex> lock(spooled.mutex);
  // Open as long as the process runs.
  const std::string again = "/proc/self/fd/" + std::to_string(::fileno(file));
  spooled.path_of[path] = again;
  spooled.name_of[again] = path;
  return again;
}

std::string TextName(const std::string& path) {
  if (path == kStandardInput) return "the standard input";
  Spooled& spooled = TheSpooled();
  const std::lock_guard<std::mutex> lock(spooled.mutex);
  const auto found = spooled.name_of.find(path);
  if (found == spooled.name_of.end()) return path;
  return found->second == kStandardInput ? "the standard input" : found->second;
}

}  // namespace t2t
