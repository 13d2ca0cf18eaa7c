#include "t2t/checkpoint/importer/bundle.h"

#include <google/protobuf/io/coded_stream.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <utility>

#include "proto/tensor_bundle.pb.h"
#include "t2t/base/crc32c.h"
#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/checkpoint/importer/table.h"

namespace t2t {
namespace {

// Keys of parts begin with this byte; variables' names never do.
constexpr char kPartMark = '\0';

struct TypeInfo {
  BundleType type;
  const char* name;
  int64_t size;
};
constexpr TypeInfo kTypes[] = {
    {BundleType::kFloat, "float32", 4}, {BundleType::kDouble, "float64", 8},
    {BundleType::kInt32, "int32", 4},   {BundleType::kUint8, "uint8", 1},
    {BundleType::kInt16, "int16", 2},   {BundleType::kInt8, "int8", 1},
    {BundleType::kString, "string", 0}, {BundleType::kInt64, "int64", 8},
    {BundleType::kBool, "bool", 1},     {BundleType::kBfloat16, "bfloat16", 2},
    {BundleType::kUint16, "uint16", 2}, {BundleType::kHalf, "float16", 2},
    {BundleType::kUint32, "uint32", 4}, {BundleType::kUint64, "uint64", 8},
};

template <typename Message>
Message Parse(std::string_view text) {
  Message message;
  if (text.size() > std::numeric_limits<int>::max() ||
      !message.ParseFromArray(text.data(), static_cast<int>(text.size()))) {
    throw DataError("an entry of the index is damaged");
  }
  return message;
}

BundleEntry ParseEntry(std::string_view text) {
  const auto proto = Parse<tensorflow::BundleEntryProto>(text);
  BundleEntry entry;
  entry.type = static_cast<BundleType>(proto.dtype());
  entry.shard = proto.shard_id();
  entry.offset = proto.offset();
  entry.size = proto.size();
  entry.masked_crc = proto.crc32c();
  for (const auto& dim : proto.shape().dim()) entry.shape.push_back(dim.size());
  if (proto.shape().unknown_rank() ||
      std::any_of(entry.shape.begin(), entry.shape.end(),
                  [](int64_t size) { return size < 0; })) {
    throw DataError("a variable's shape is not known");
  }
  for (const auto& slice : proto.slices()) {
    BundleSlice& parts = entry.slices.emplace_back();
    for (const auto& extent : slice.extent()) {
      parts.start.push_back(extent.start());
      parts.length.push_back(extent.has_length() ? extent.length() : -1);
    }
  }
  return entry;
}

// The product of a shape; throws where it does not fit.
int64_t Elements(const std::string& name, const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t size : shape) {
    if (__builtin_mul_overflow(count, size, &count)) {
      throw DataError("variable '" + name + "' has an impossible shape");
    }
  }
  return count;
}

// TensorFlow's ordered code: bytes that sort as the values do.
void AppendNumber(std::string* key, uint64_t value) {
  const int bytes = (64 - std::countl_zero(value) + 7) / 8;
  key->push_back(static_cast<char>(bytes));
  for (int i = bytes - 1; i >= 0; --i) {
    key->push_back(static_cast<char>(value >> (8 * i)));
  }
}

void AppendString(std::string* key, std::string_view text) {
  for (const char c : text) {
    key->push_back(c);
    if (c == '\0') key->push_back('\xFF');
    if (c == '\xFF') key->push_back('\0');
  }
  key->append("\0\1", 2);
}

void AppendSigned(std::string* key, int64_t value) {
  const uint64_t magnitude =
      value < 0 ? ~static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  // n bytes hold 7 n - 1 bits of magnitude; the first n bits tell n.
  const int length = (64 - std::countl_zero(magnitude)) / 7 + 1;
  char bytes[10];
  std::memset(bytes, value < 0 ? 0xFF : 0, 2);
  for (int i = 0; i < 8; ++i) {
    bytes[2 + i] =
        static_cast<char>(static_cast<uint64_t>(value) >> (8 * (7 - i)));
  }
  const uint32_t header = (0xFFFFU << (16 - length)) & 0xFFFFU;
  char* begin = bytes + 10 - length;
  begin[0] = static_cast<char>(begin[0] ^ static_cast<char>(header >> 8));
  if (length > 1) {
    begin[1] = static_cast<char>(begin[1] ^ static_cast<char>(header & 0xFF));
  }
  key->append(begin, static_cast<size_t>(length));
}

// A slice with its whole dimensions spelt out; throws where it does not lie in
// the shape.
BundleSlice Resolve(const std::string& name, const BundleSlice& slice,
                    const std::vector<int64_t>& shape) {
  BundleSlice result = slice;
  bool inside = slice.start.size() == shape.size();
  for (size_t i = 0; inside && i < shape.size(); ++i) {
    if (slice.length[i] < 0) {
      result.start[i] = 0;
      result.length[i] = shape[i];
    }
    inside = result.start[i] >= 0 && result.start[i] <= shape[i] &&
             result.length[i] <= shape[i] - result.start[i];
  }
  if (!inside) {
    throw DataError("a part of variable '" + name + "' lies outside it");
  }
  return result;
}

bool Overlap(const BundleSlice& a, const BundleSlice& b) {
  for (size_t i = 0; i < a.start.size(); ++i) {
    if (a.start[i] + a.length[i] <= b.start[i] ||
        b.start[i] + b.length[i] <= a.start[i]) {
      return false;
    }
  }
  return true;
}

// Copies a part's values to their place in the whole.
void CopyPart(const char* part, const BundleSlice& slice,
              const std::vector<int64_t>& shape, int64_t value_size,
              char* whole) {
  if (shape.empty()) {
    std::memcpy(whole, part, static_cast<size_t>(value_size));
    return;
  }
  const size_t rank = shape.size();
  int64_t rows = 1;
  for (size_t i = 0; i + 1 < rank; ++i) rows *= slice.length[i];
  const int64_t row_bytes = slice.length[rank - 1] * value_size;
  std::vector<int64_t> at(rank, 0);  // in the part; the last stays 0
  for (int64_t row = 0; row < rows && row_bytes > 0; ++row) {
    int64_t place = 0;
    for (size_t i = 0; i < rank; ++i) {
      place = place * shape[i] + slice.start[i] + at[i];
    }
    std::memcpy(whole + place * value_size, part + row * row_bytes,
                static_cast<size_t>(row_bytes));
    for (size_t i = rank - 1; i-- > 0;) {
      if (++at[i] < slice.length[i]) break;
      at[i] = 0;
    }
  }
}

}  // namespace

int64_t BundleTypeSize(BundleType type) {
  for (const TypeInfo& info : kTypes) {
    if (info.type == type) return info.size;
  }
  return 0;
}

std::string BundleTypeName(BundleType type) {
  for (const TypeInfo& info : kTypes) {
    if (info.type == type) return info.name;
  }
  return "type " + std::to_string(static_cast<int>(type));
}

std::string EncodeSliceKey(const std::string& name, const BundleSlice& slice) {
  std::string key;
  AppendNumber(&key, 0);
  AppendString(&key, name);
  AppendNumber(&key, slice.start.size());
  for (size_t i = 0; i < slice.start.size(); ++i) {
    AppendSigned(&key, slice.start[i]);
    AppendSigned(&key, slice.length[i]);
  }
  return key;
}

BundleReader::BundleReader(const std::string& prefix) : prefix_(prefix) {
  const std::string path = prefix + ".index";
  if (!Exists(path)) {
    throw MissingError("there is no checkpoint " + path,
                       "TensorFlow's V2 format: an .index and .data files",
                       "name it with --checkpoint_path (without .index)");
  }
  const MappedFile file(path);
  try {
    ReadIndex(file.data());
  } catch (const Error& error) {
    throw Error(error.code(), path + ": " + error.what());
  }
}

void BundleReader::ReadIndex(std::string_view file) {
  bool has_header = false;
  ReadTable(file, [&](std::string_view key, std::string_view value) {
    if (!has_header) {
      if (!key.empty()) throw DataError("the index has no header");
      has_header = true;
      const auto header = Parse<tensorflow::BundleHeaderProto>(value);
      shards_ = header.num_shards();
      if (header.endianness() != tensorflow::BundleHeaderProto::LITTLE) {
        throw DataError("the checkpoint is of a big-endian machine");
      }
      if (shards_ < 1 || shards_ > 99999) {
        throw DataError("the index names an impossible number of data files");
      }
      return;
    }
    BundleEntry entry = ParseEntry(value);
    const bool part = key[0] == kPartMark;
    if (entry.shard < 0 || entry.shard >= shards_ || entry.offset < 0 ||
        entry.size < 0 ||
        entry.offset > std::numeric_limits<int64_t>::max() - entry.size ||
        (part && !entry.slices.empty())) {
      throw DataError("the entry of '" + std::string(key) + "' is impossible");
    }
    (part ? parts_ : entries_).emplace(std::string(key), std::move(entry));
  });
  if (!has_header) throw DataError("the index has no header");
}

const BundleEntry& BundleReader::Get(const std::string& name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) {
    throw MissingError(prefix_ + " has no variable '" + name + "'");
  }
  return found->second;
}

// The stored bytes, not yet checked.
std::string_view BundleReader::Data(const std::string& name,
                                    const BundleEntry& entry) {
  std::unique_ptr<MappedFile>& file = files_[entry.shard];
  if (file == nullptr) {
    const std::string path =
        prefix_ + Format(".data-%05d-of-%05d", static_cast<int>(entry.shard),
                         static_cast<int>(shards_));
    if (!Exists(path)) {
      throw MissingError(
          "there is no file " + path,
          "one of the checkpoint's " + std::to_string(shards_) + " data files",
          "copy it from where the checkpoint was made");
    }
    file = std::make_unique<MappedFile>(path);
  }
  const auto file_size = static_cast<int64_t>(file->data().size());
  if (entry.offset > file_size || entry.size > file_size - entry.offset) {
    throw DataError(
        prefix_ + ": the data file ends before variable '" + name + "' does",
        "", "the file is cut: copy it again");
  }
  return file->data().substr(static_cast<size_t>(entry.offset),
                             static_cast<size_t>(entry.size));
}

// A number entry's own bytes, checked.
std::string_view BundleReader::Values(const std::string& name,
                                      const BundleEntry& entry) {
  const int64_t value_size = BundleTypeSize(entry.type);
  if (value_size == 0) {
    throw DataError("variable '" + name + "' holds " +
                    BundleTypeName(entry.type) + ", not numbers");
  }
  int64_t expected = 0;
  if (__builtin_mul_overflow(Elements(name, entry.shape), value_size,
                             &expected) ||
      entry.size != expected) {
    throw DataError(prefix_ + ": the size of variable '" + name +
                    "' does not fit its shape");
  }
  const std::string_view data = Data(name, entry);
  if (Crc32c(data) != UnmaskCrc(entry.masked_crc)) {
    throw DataError(
        prefix_ + ": the checksum of variable '" + name + "' is wrong", "",
        "the data file is damaged: copy it again");
  }
  return data;
}

std::string BundleReader::Assemble(const std::string& name,
                                   const BundleEntry& entry) {
  const int64_t value_size = BundleTypeSize(entry.type);
  const int64_t total = Elements(name, entry.shape);
  std::vector<BundleSlice> slices;
  std::vector<std::string_view> values;
  int64_t found = 0;
  for (const BundleSlice& stored : entry.slices) {
    const BundleSlice slice = Resolve(name, stored, entry.shape);
    const auto part = parts_.find(EncodeSliceKey(name, stored));
    if (part == parts_.end() || part->second.type != entry.type ||
        part->second.shape != slice.length) {
      throw DataError(prefix_ + ": a part of variable '" + name +
                      "' is missing or of another shape");
    }
    const int64_t elements = Elements(name, slice.length);
    if (elements == 0) continue;
    for (const BundleSlice& other : slices) {
      if (Overlap(slice, other)) {
        throw DataError(prefix_ + ": parts of variable '" + name + "' overlap");
      }
    }
    values.push_back(Values(name, part->second));
    slices.push_back(slice);
    found += elements;
  }
  if (found != total) {
    throw DataError(prefix_ + ": the parts of variable '" + name +
                    "' do not make up the whole");
  }
  std::string whole(static_cast<size_t>(total * value_size), '\0');
  for (size_t i = 0; i < slices.size(); ++i) {
    CopyPart(values[i].data(), slices[i], entry.shape, value_size,
             whole.data());
  }
  return whole;
}

std::string BundleReader::ReadBytes(const std::string& name) {
  const BundleEntry& entry = Get(name);
  if (entry.slices.empty()) return std::string(Values(name, entry));
  return Assemble(name, entry);
}

std::vector<std::string> BundleReader::ReadStrings(const std::string& name) {
  const BundleEntry& entry = Get(name);
  if (entry.type != BundleType::kString || !entry.slices.empty()) {
    throw DataError("variable '" + name + "' does not hold strings");
  }
  const auto damaged = [&] {
    return DataError(prefix_ + ": the strings of variable '" + name +
                     "' are damaged");
  };
  // The lengths as varints, their masked CRC, the strings; the entry's CRC
  // goes over the lengths as integers, their CRC and the strings.
  const std::string_view data = Data(name, entry);
  const int64_t count = Elements(name, entry.shape);
  if (count > static_cast<int64_t>(data.size())) throw damaged();
  google::protobuf::io::CodedInputStream stream(
      reinterpret_cast<const uint8_t*>(data.data()),
      static_cast<int>(
          std::min<size_t>(data.size(), std::numeric_limits<int>::max())));
  std::vector<uint64_t> lengths(static_cast<size_t>(count));
  uint32_t crc = 0;
  for (uint64_t& length : lengths) {
    if (!stream.ReadVarint64(&length)) throw damaged();
    char bytes[8];
    for (int i = 0; i < 8; ++i) {
      bytes[i] = static_cast<char>(length >> (8 * i));
    }
    const size_t width = length > std::numeric_limits<uint32_t>::max() ? 8 : 4;
    crc = Crc32c({bytes, width}, crc);
  }
  std::string_view left =
      data.substr(static_cast<size_t>(stream.CurrentPosition()));
  const std::string_view stored = left.substr(0, 4);
  uint32_t masked = 0;
  if (!stream.ReadLittleEndian32(&masked) || UnmaskCrc(masked) != crc) {
    throw damaged();
  }
  left.remove_prefix(4);
  crc = Crc32c(left, Crc32c(stored, crc));
  if (crc != UnmaskCrc(entry.masked_crc)) throw damaged();
  std::vector<std::string> result;
  for (const uint64_t length : lengths) {
    if (length > left.size()) throw damaged();
    result.emplace_back(left.substr(0, length));
    left.remove_prefix(length);
  }
  if (!left.empty()) throw damaged();
  return result;
}

void BundleReader::Verify() {
  for (const auto& [name, entry] : entries_) {
    if (!entry.slices.empty()) {
      Assemble(name, entry);
    } else if (entry.type == BundleType::kString) {
      ReadStrings(name);
    } else {
      Values(name, entry);
    }
  }
}

std::string LatestBundlePrefix(const std::string& model_dir) {
  const std::string state = JoinPath(model_dir, "checkpoint");
  if (!Exists(state)) {
    throw MissingError(model_dir + " has no file 'checkpoint'",
                       "a T2T model directory",
                       "name the checkpoint with --checkpoint_path");
  }
  constexpr std::string_view kKey = "model_checkpoint_path:";
  const std::string text = ReadFile(state);
  for (const std::string& line : Split(text, '\n')) {
    std::string_view rest = Trim(line);
    if (!StartsWith(rest, kKey)) continue;
    rest = Trim(rest.substr(kKey.size()));
    if (rest.size() < 2 || rest.front() != '"' || rest.back() != '"') break;
    rest = rest.substr(1, rest.size() - 2);
    std::string path;
    for (size_t i = 0; i < rest.size(); ++i) {
      if (rest[i] == '\\' && i + 1 < rest.size()) ++i;
      path.push_back(rest[i]);
    }
    if (path.empty()) break;
    if (path[0] == '/' && Exists(path + ".index")) return path;
    const std::string relative = JoinPath(model_dir, path);
    if (path[0] != '/' && Exists(relative + ".index")) return relative;
    return JoinPath(model_dir, BaseName(path));
  }
  throw DataError(state + " names no model_checkpoint_path");
}

}  // namespace t2t
