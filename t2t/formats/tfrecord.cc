#include "t2t/formats/tfrecord.h"

#include <array>
#include <bit>
#include <cerrno>
#include <cstring>

#include "t2t/base/crc32c.h"
#include "t2t/base/error.h"

namespace t2t {
namespace {

static_assert(std::endian::native == std::endian::little,
              "the files are little-endian");

constexpr size_t kHeaderBytes = 12;  // length, its CRC
constexpr size_t kFooterBytes = 4;   // CRC of the data

Error Damaged(const std::string& path, int64_t offset, const std::string& how) {
  return DataError(
      path + ": the record at byte " + std::to_string(offset) + " is " + how,
      "a whole TFRecord file, as t2t-datagen writes it",
      "make the file again (t2t-datagen), or copy it again from "
      "where it is whole");
}

uint32_t Masked(std::string_view data) { return MaskCrc(Crc32c(data)); }

template <typename Number>
Number Load(const char* bytes) {
  Number number;
  std::memcpy(&number, bytes, sizeof(number));
  return number;
}

// Checks a header against its CRC and the bytes that follow it.
uint64_t CheckedLength(const char* header, uint64_t bytes_after,
                       const std::string& path, int64_t offset) {
  if (Load<uint32_t>(header + 8) != Masked({header, 8})) {
    throw Damaged(path, offset, "damaged (the checksum of its length is off)");
  }
  const uint64_t length = Load<uint64_t>(header);
  if (bytes_after < kFooterBytes || length > bytes_after - kFooterBytes) {
    throw Damaged(path, offset,
                  "cut: its " + std::to_string(length) +
                      " bytes do not fit into the " +
                      std::to_string(bytes_after) + " left in the file");
  }
  return length;
}

std::array<char, kHeaderBytes> Header(std::string_view record) {
  std::array<char, kHeaderBytes> header;
  const uint64_t length = record.size();
  std::memcpy(header.data(), &length, 8);
  const uint32_t crc = Masked({header.data(), 8});
  std::memcpy(header.data() + 8, &crc, 4);
  return header;
}

}  // namespace

TfRecordReader::TfRecordReader(const std::string& path) : path_(path) {
  size_ = FileSize(path);
  if (IsDirectory(path)) {
    errno = EISDIR;
    throw IoError("can't read", path);
  }
  file_ = std::fopen(path.c_str(), "rbe");
  if (file_ == nullptr) throw IoError("can't read", path);
}

TfRecordReader::TfRecordReader(std::FILE* file, const std::string& name)
    : path_(name), file_(file) {
  if (std::fseek(file, 0, SEEK_END) != 0) throw IoError("can't seek in", name);
  size_ = static_cast<int64_t>(::ftello(file));
  Seek(0);
}

TfRecordReader::~TfRecordReader() { std::fclose(file_); }

void TfRecordReader::ReadExactly(void* to, size_t size) {
  if (size == 0 || std::fread(to, 1, size, file_) == size) return;
  if (std::ferror(file_) != 0) throw IoError("can't read", path_);
  throw Damaged(path_, offset_, "cut (the file became shorter)");
}

bool TfRecordReader::ReadLength(uint64_t* length) {
  const int64_t left = size_ - offset_;
  if (left == 0) return false;
  if (left < static_cast<int64_t>(kHeaderBytes)) {
    throw Damaged(path_, offset_, "cut: the file ends in its first bytes");
  }
  char header[kHeaderBytes];
  ReadExactly(header, sizeof(header));
  *length = CheckedLength(header, left - kHeaderBytes, path_, offset_);
  return true;
}

bool TfRecordReader::Next(std::string* record) {
  uint64_t length;
  if (!ReadLength(&length)) return false;
  record->resize(length);
  ReadExactly(record->data(), length);
  uint32_t crc;
  ReadExactly(&crc, sizeof(crc));
  if (crc != Masked(*record)) {
    throw Damaged(path_, offset_, "damaged (the checksum of its data is off)");
  }
  offset_ += static_cast<int64_t>(kHeaderBytes + length + kFooterBytes);
  return true;
}

bool TfRecordReader::Skip() {
  uint64_t length;
  if (!ReadLength(&length)) return false;
  Seek(offset_ + static_cast<int64_t>(kHeaderBytes + length + kFooterBytes));
  return true;
}

void TfRecordReader::Seek(int64_t offset) {
  if (offset < 0 || offset > size_) {
    throw DataError(path_ + " has no byte " + std::to_string(offset) +
                        ", it has " + std::to_string(size_) + " bytes",
                    "the file that was read before", "");
  }
  if (::fseeko(file_, offset, SEEK_SET) != 0) {
    throw IoError("can't seek in", path_);
  }
  offset_ = offset;
}

bool NextTfRecord(std::string_view bytes, size_t* offset,
                  const std::string& name, std::string_view* record) {
  const int64_t at = static_cast<int64_t>(*offset);
  const std::string_view left = bytes.substr(*offset);
  if (left.empty()) return false;
  if (left.size() < kHeaderBytes) {
    throw Damaged(name, at, "cut: the file ends in its first bytes");
  }
  const uint64_t length =
      CheckedLength(left.data(), left.size() - kHeaderBytes, name, at);
  *record = left.substr(kHeaderBytes, length);
  if (Load<uint32_t>(left.data() + kHeaderBytes + length) != Masked(*record)) {
    throw Damaged(name, at, "damaged (the checksum of its data is off)");
  }
  *offset += kHeaderBytes + length + kFooterBytes;
  return true;
}

void AppendTfRecord(std::string_view record, std::string* bytes) {
  const auto header = Header(record);
  bytes->append(header.data(), header.size());
  bytes->append(record);
  const uint32_t crc = Masked(record);
  bytes->append(reinterpret_cast<const char*>(&crc), sizeof(crc));
}

void TfRecordWriter::Write(std::string_view record) {
  const auto header = Header(record);
  file_.Write(header.data(), header.size());
  file_.Write(record);
  const uint32_t crc = Masked(record);
  file_.Write(&crc, sizeof(crc));
  ++count_;
}

}  // namespace t2t
