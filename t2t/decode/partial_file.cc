#include "t2t/decode/partial_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <utility>

#include "t2t/base/crc32c.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

// A record is "<number> <length> <crc>\n<text>\n"; the first one, of number
// -1, is the fingerprint.
constexpr int64_t kFingerprint = -1;

std::string Record(int64_t number, std::string_view text) {
  const std::string head =
      std::to_string(number) + " " + std::to_string(text.size()) + " ";
  std::string record = head + std::to_string(Crc32c(text, Crc32c(head))) + "\n";
  record += text;
  record += "\n";
  return record;
}

// Reads the record at *at and moves on; false where there is no whole one.
bool ReadRecord(std::string_view bytes, size_t* at, int64_t* number,
                std::string* text) {
  const size_t line_end = bytes.find('\n', *at);
  if (line_end == std::string_view::npos) return false;
  const std::vector<std::string> parts =
      Split(bytes.substr(*at, line_end - *at), ' ');
  int64_t length;
  if (parts.size() != 3 || !ParseInt(parts[0], number) ||
      !ParseInt(parts[1], &length) || length < 0) {
    return false;
  }
  const size_t start = line_end + 1;
  const size_t left = bytes.size() - start;
  if (static_cast<uint64_t>(length) >= left) return false;  // and the '\n'
  *text = bytes.substr(start, length);
  if (Record(*number, *text) != bytes.substr(*at, start + length + 1 - *at)) {
    return false;
  }
  *at = start + length + 1;
  return true;
}

}  // namespace

PartialFile::PartialFile(std::string path, const std::string& fingerprint)
    : path_(std::move(path)) {
  if (path_.empty()) return;
  const int descriptor =
      ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) throw IoError("can't open", path_);
  file_ = ::fdopen(descriptor, "r+b");
  if (file_ == nullptr) {
    ::close(descriptor);
    throw IoError("can't open", path_);
  }
  try {
    if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
      throw UsageError(path_ + " is in use by another process",
                       "one decoder for each output file",
                       "wait for it, or choose another --decode_to_file");
    }
    const std::string bytes = ReadFile(path_);
    size_t at = 0;
    int64_t number;
    std::string text;
    if (ReadRecord(bytes, &at, &number, &text) && number == kFingerprint &&
        text == fingerprint) {
      size_t next = at;
      while (ReadRecord(bytes, &next, &number, &text)) {
        at = next;
        results_[number] = std::move(text);
      }
    } else {
      if (!bytes.empty()) {
        Warn(path_ + " is of another input, model or setting: starting anew");
      }
      at = 0;
    }
    if (::ftruncate(descriptor, static_cast<off_t>(at)) != 0 ||
        std::fseek(file_, static_cast<long>(at), SEEK_SET) != 0) {
      throw IoError("can't cut", path_);
    }
    if (at == 0) Write(Record(kFingerprint, fingerprint));
    Flush();
  } catch (...) {
    std::fclose(file_);
    throw;
  }
}

PartialFile::~PartialFile() {
  if (file_ != nullptr) std::fclose(file_);
}

void PartialFile::Write(std::string_view bytes) {
  if (file_ == nullptr) return;
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) {
    throw IoError("can't write", path_);
  }
}

void PartialFile::Add(int64_t number, std::string text) {
  Write(Record(number, text));
  results_[number] = std::move(text);
}

void PartialFile::Flush() {
  if (file_ == nullptr) return;
  if (std::fflush(file_) != 0) throw IoError("can't write", path_);
}

void PartialFile::Remove() {
  if (file_ == nullptr) return;
  RemoveFile(path_);
  std::fclose(file_);
  file_ = nullptr;
}

void CheckDecodeOutput(const OutputPlace& output,
                       const std::vector<std::string>& inputs) {
  CheckOutputIsNoInput(output, inputs);
  if (!output.is_file()) return;
  OutputPlace partial = output;
  partial.path += kPartialSuffix;
  CheckOutputIsNoInput(partial, inputs);
}

}  // namespace t2t
