#include "t2t/checkpoint/safetensors.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "t2t/base/crc32c.h"
#include "t2t/base/error.h"
#include "t2t/base/json.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

constexpr size_t kLengthBytes = 8;
constexpr uint64_t kMaxHeader = 100'000'000;  // the format's own limit
constexpr char kMetadata[] = "__metadata__";
constexpr char kTensorCrcs[] = "crc32c";
constexpr char kHeaderCrc[] = "header_crc32c";
constexpr size_t kCrcDigits = 8;

[[noreturn]] void Fail(const std::string& why) {
  throw DataError("the safetensors file is damaged: " + why, "a whole file",
                  "use another checkpoint or a copy of it");
}

// Names the file in what is wrong with its contents.
[[noreturn]] void Rethrow(const Error& error, const std::string& path) {
  if (error.code() != ExitCode::kBadData) throw error;
  throw DataError(path + ": " + error.what());
}

std::string HexCrc(uint32_t crc) { return Format("%08x", crc); }

// The CRC of length and header with the checksum's own digits as zeros.
uint32_t HeaderCrc(std::string_view head, size_t digits_at) {
  uint32_t crc = Crc32c(head.substr(0, digits_at));
  crc = Crc32c(std::string(kCrcDigits, '0'), crc);
  return Crc32c(head.substr(digits_at + kCrcDigits), crc);
}

std::string HeaderCrcPrefix() {
  return "\"" + std::string(kHeaderCrc) + "\": \"";
}

void CheckHeaderCrc(std::string_view head,
                    const std::map<std::string, std::string>& metadata) {
  const auto found = metadata.find(kHeaderCrc);
  if (found == metadata.end()) {
    if (metadata.count(kTensorCrcs) > 0) {
      Fail("the header's checksum is missing");
    }
    return;
  }
  const std::string prefix = HeaderCrcPrefix();
  const size_t at = head.rfind(prefix);
  if (at == std::string_view::npos ||
      head.size() - at < prefix.size() + kCrcDigits) {
    Fail("the header's checksum can't be found");
  }
  const size_t digits_at = at + prefix.size();
  if (head.substr(digits_at, kCrcDigits) !=
      HexCrc(HeaderCrc(head, digits_at))) {
    Fail("the header does not fit its checksum");
  }
}

// Of the length and the header, by a file's first bytes.
uint64_t HeadSize(std::string_view first, uint64_t file_size) {
  if (first.size() < kLengthBytes || file_size < kLengthBytes) {
    Fail("it is too short");
  }
  uint64_t length = 0;
  for (size_t i = 0; i < kLengthBytes; ++i) {
    length |= static_cast<uint64_t>(static_cast<unsigned char>(first[i]))
              << (8 * i);
  }
  if (length > kMaxHeader || length > file_size - kLengthBytes) {
    Fail("the header is longer than the file");
  }
  return kLengthBytes + length;
}

SafetensorsEntry ParseEntry(const std::string& name, const Json& json,
                            uint64_t data_size) {
  if (!json.is_object()) Fail("entry '" + name + "' is no object");
  SafetensorsEntry entry;
  entry.name = name;
  entry.dtype = json.At("dtype").AsString();
  const int64_t item = SafetensorsDtypeSize(entry.dtype);
  if (item == 0) Fail("'" + name + "' has the unknown type " + entry.dtype);
  uint64_t bytes = static_cast<uint64_t>(item);
  for (const Json& size : json.At("shape").items()) {
    const int64_t extent = size.AsInt();
    if (extent < 0) Fail("'" + name + "' has a negative size");
    entry.shape.push_back(extent);
    uint64_t product = 0;
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(extent),
                               &product) ||
        product > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      Fail("the shape of '" + name + "' is too large");
    }
    bytes = product;
  }
  const std::vector<Json>& offsets = json.At("data_offsets").items();
  if (offsets.size() != 2) Fail("'" + name + "' has no begin and end");
  entry.begin = offsets[0].AsInt();
  entry.end = offsets[1].AsInt();
  if (entry.begin < 0 || entry.end < entry.begin ||
      static_cast<uint64_t>(entry.end) > data_size) {
    Fail("'" + name + "' lies outside of the file");
  }
  if (static_cast<uint64_t>(entry.end - entry.begin) != bytes) {
    Fail("the bytes of '" + name + "' do not fit its shape");
  }
  return entry;
}

}  // namespace

int64_t SafetensorsDtypeSize(const std::string& dtype) {
  static const std::map<std::string, int64_t>* const sizes =
      new std::map<std::string, int64_t>{
          {"BOOL", 1}, {"U8", 1},   {"I8", 1},  {"I16", 2}, {"U16", 2},
          {"F16", 2},  {"BF16", 2}, {"I32", 4}, {"U32", 4}, {"F32", 4},
          {"I64", 8},  {"U64", 8},  {"F64", 8}};
  const auto found = sizes->find(dtype);
  return found == sizes->end() ? 0 : found->second;
}

SafetensorsHeader ParseSafetensorsHeader(std::string_view file_bytes) {
  return ParseSafetensorsHeader(
      file_bytes.substr(0, HeadSize(file_bytes, file_bytes.size())),
      file_bytes.size());
}

SafetensorsHeader ParseSafetensorsHeader(std::string_view head,
                                         uint64_t file_size) {
  if (HeadSize(head, file_size) != head.size()) Fail("its head is cut");
  const Json json = Json::Parse(head.substr(kLengthBytes));
  if (!json.is_object()) Fail("the header is no object");
  SafetensorsHeader header;
  header.data_start = static_cast<int64_t>(head.size());
  const uint64_t data_size = file_size - head.size();
  if (const Json* metadata = json.Find(kMetadata)) {
    for (const auto& [key, value] : metadata->members()) {
      header.metadata[key] = value.AsString();
    }
  }
  CheckHeaderCrc(head, header.metadata);
  for (const auto& [name, value] : json.members()) {
    if (name == kMetadata) continue;
    header.entries.push_back(ParseEntry(name, value, data_size));
  }
  std::sort(header.entries.begin(), header.entries.end(),
            [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
              return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
            });
  int64_t at = 0;
  for (const SafetensorsEntry& entry : header.entries) {
    if (entry.begin != at) Fail("there is a hole before '" + entry.name + "'");
    at = entry.end;
  }
  if (static_cast<uint64_t>(at) != data_size) {
    Fail("the data has " + std::to_string(data_size) + " bytes, the header " +
         std::to_string(at));
  }
  return header;
}

void VerifySafetensorsData(std::string_view file_bytes,
                           const SafetensorsHeader& header, bool required) {
  const auto found = header.metadata.find(kTensorCrcs);
  if (found == header.metadata.end()) {
    if (required) Fail("it has no checksums");
    return;
  }
  const Json crcs = Json::Parse(found->second);
  for (const SafetensorsEntry& entry : header.entries) {
    const std::string_view data = file_bytes.substr(
        header.data_start + entry.begin, entry.end - entry.begin);
    if (crcs.At(entry.name).AsString() != HexCrc(Crc32c(data))) {
      Fail("'" + entry.name + "' does not fit its checksum");
    }
  }
}

std::string MakeSafetensorsHeader(
    const std::vector<SafetensorsEntry>& entries,
    const std::vector<uint32_t>& crcs,
    const std::map<std::string, std::string>& metadata) {
  Json header = Json::Object();
  Json tensor_crcs = Json::Object();
  for (size_t i = 0; i < entries.size(); ++i) {
    const SafetensorsEntry& entry = entries[i];
    Json shape = Json::Array();
    for (const int64_t size : entry.shape) shape.Append(size);
    Json offsets = Json::Array();
    offsets.Append(entry.begin);
    offsets.Append(entry.end);
    Json value = Json::Object();
    value.Set("dtype", entry.dtype);
    value.Set("shape", std::move(shape));
    value.Set("data_offsets", std::move(offsets));
    header.Set(entry.name, std::move(value));
    tensor_crcs.Set(entry.name, HexCrc(crcs[i]));
  }
  Json strings = Json::Object();
  for (const auto& [key, value] : metadata) strings.Set(key, value);
  strings.Set(kTensorCrcs, tensor_crcs.ToString());
  // Last, so that its place is found from the end.
  strings.Set(kHeaderCrc, std::string(kCrcDigits, '0'));
  header.Set(kMetadata, std::move(strings));

  std::string text = header.ToString();
  while ((kLengthBytes + text.size()) % 8 != 0) text += ' ';
  std::string head;
  const uint64_t length = text.size();
  for (size_t i = 0; i < kLengthBytes; ++i) {
    head += static_cast<char>((length >> (8 * i)) & 0xFF);
  }
  head += text;
  const size_t digits_at =
      head.rfind(HeaderCrcPrefix()) + HeaderCrcPrefix().size();
  head.replace(digits_at, kCrcDigits, HexCrc(HeaderCrc(head, digits_at)));
  return head;
}

void WriteSafetensorsFile(const std::string& path,
                          std::vector<SafetensorsItem> items,
                          const std::map<std::string, std::string>& metadata) {
  std::stable_sort(items.begin(), items.end(),
                   [](const SafetensorsItem& a, const SafetensorsItem& b) {
                     return SafetensorsDtypeSize(a.dtype) >
                            SafetensorsDtypeSize(b.dtype);
                   });
  std::vector<SafetensorsEntry> entries;
  std::vector<uint32_t> crcs;
  int64_t at = 0;
  for (const SafetensorsItem& item : items) {
    const int64_t bytes = static_cast<int64_t>(item.data.size());
    entries.push_back({item.name, item.dtype, item.shape, at, at + bytes});
    crcs.push_back(Crc32c(item.data));
    at += bytes;
  }
  AtomicWriter writer(path);
  writer.Write(MakeSafetensorsHeader(entries, crcs, metadata));
  for (const SafetensorsItem& item : items) writer.Write(item.data);
  writer.Commit();
}

SafetensorsFile::SafetensorsFile(const std::string& path)
    : path_(path), file_(path) {
  try {
    const uint64_t size = static_cast<uint64_t>(file_.size());
    std::string head(std::min<uint64_t>(size, kLengthBytes), '\0');
    file_.Read(0, head.data(), head.size());
    head.resize(HeadSize(head, size));
    file_.Read(0, head.data(), head.size());
    header_ = ParseSafetensorsHeader(head, size);
    const auto found = header_.metadata.find(kTensorCrcs);
    has_checksums_ = found != header_.metadata.end();
    if (!has_checksums_) return;
    const Json checksums = Json::Parse(found->second);
    for (const auto& [name, value] : checksums.members()) {
      checksums_[name] = value.AsString();
    }
    for (const SafetensorsEntry& entry : header_.entries) {
      if (checksums_.count(entry.name) == 0) {
        Fail("'" + entry.name + "' has no checksum");
      }
    }
  } catch (const Error& error) {
    Rethrow(error, path_);
  }
}

void SafetensorsFile::Read(const SafetensorsEntry& entry, void* to) const {
  const size_t size = static_cast<size_t>(entry.end - entry.begin);
  if (size == 0) return;
  try {
    file_.Read(header_.data_start + entry.begin, to, size);
    if (!has_checksums_) return;
    const uint32_t crc = Crc32c({static_cast<const char*>(to), size});
    if (checksums_.at(entry.name) != HexCrc(crc)) {
      Fail("'" + entry.name + "' does not fit its checksum");
    }
  } catch (const Error& error) {
    Rethrow(error, path_);
  }
}

void VerifySafetensorsFile(const std::string& path) {
  RandomAccessFile(path).DropCache();
  const SafetensorsFile file(path);
  std::string buffer;
  for (const SafetensorsEntry& entry : file.header().entries) {
    buffer.resize(static_cast<size_t>(entry.end - entry.begin));
    file.Read(entry, buffer.data());
  }
}

}  // namespace t2t
