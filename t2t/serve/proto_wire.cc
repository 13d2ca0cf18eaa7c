#include "t2t/serve/proto_wire.h"

#include <bit>
#include <cstring>

#include "t2t/base/error.h"

namespace t2t {
namespace {

constexpr int kVarint = 0;
constexpr int kFixed64 = 1;
constexpr int kBytes = 2;
constexpr int kFixed32 = 5;

static_assert(std::endian::native == std::endian::little);

}  // namespace

void ProtoReader::Fail() { throw DataError("a message is damaged"); }

float ProtoReader::ToFloat(std::string_view bytes) {
  float value;
  std::memcpy(&value, bytes.data(), sizeof(value));
  return value;
}

uint64_t ProtoReader::RawVarint() {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (bytes_.empty()) Fail();
    const auto byte = static_cast<unsigned char>(bytes_.front());
    bytes_.remove_prefix(1);
    value |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
  Fail();
}

std::string_view ProtoReader::Fixed(size_t size) {
  Expect(size == 4 ? kFixed32 : kFixed64);
  if (bytes_.size() < size) Fail();
  const std::string_view value = bytes_.substr(0, size);
  bytes_.remove_prefix(size);
  return value;
}

void ProtoReader::Expect(int type) {
  if (type_ != type) Fail();
  type_ = -1;
}

uint64_t ProtoReader::Varint() {
  Expect(kVarint);
  return RawVarint();
}

std::string_view ProtoReader::Bytes() {
  Expect(kBytes);
  const uint64_t size = RawVarint();
  if (size > bytes_.size()) Fail();
  const std::string_view value = bytes_.substr(0, size);
  bytes_.remove_prefix(size);
  return value;
}

void ProtoReader::Skip() {
  switch (type_) {
    case -1:
      break;
    case kVarint:
      Varint();
      break;
    case kFixed64:
      Fixed(8);
      break;
    case kBytes:
      Bytes();
      break;
    case kFixed32:
      Fixed(4);
      break;
    default:
      Fail();  // groups are in none of these messages
  }
}

bool ProtoReader::Next() {
  Skip();
  if (bytes_.empty()) return false;
  const uint64_t tag = RawVarint();
  if (tag >> 3 == 0 || tag >> 3 > 0x1FFFFFFF) Fail();
  field_ = static_cast<uint32_t>(tag >> 3);
  type_ = static_cast<int>(tag & 7);
  return true;
}

void ProtoWriter::AppendVarint(uint64_t value, std::string* bytes) {
  while (value >= 0x80) {
    *bytes += static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *bytes += static_cast<char>(value);
}

void ProtoWriter::AppendFloat(float value, std::string* bytes) {
  char raw[sizeof(value)];
  std::memcpy(raw, &value, sizeof(value));
  bytes->append(raw, sizeof(raw));
}

void ProtoWriter::Int64(uint32_t field, int64_t value) {
  AppendVarint(field << 3 | kVarint, &bytes_);
  AppendVarint(static_cast<uint64_t>(value), &bytes_);
}

void ProtoWriter::Bytes(uint32_t field, std::string_view value) {
  AppendVarint(field << 3 | kBytes, &bytes_);
  AppendVarint(value.size(), &bytes_);
  bytes_.append(value);
}

void ProtoWriter::MapEntry(uint32_t field, std::string_view key,
                           std::string_view value) {
  ProtoWriter entry;
  entry.Bytes(1, key);
  entry.Bytes(2, value);
  Bytes(field, entry.bytes());
}

}  // namespace t2t
