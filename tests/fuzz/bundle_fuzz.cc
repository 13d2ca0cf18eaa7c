#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <leveldb/env.h>
#include <leveldb/options.h>
#include <leveldb/table_builder.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "t2t/base/crc32c.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/checkpoint/importer/bundle.h"
#include "tests/fuzz/fuzz_target.h"

namespace t2t {
namespace {

// The input: a byte that says what the index is, two bytes with the length of
// the data file (little-endian), the data file, and
//   0: the index file;
//   1: the index's entries: the lengths of a key (a byte) and of its value (two
//      bytes, little-endian), the key, the value, and so on. LevelDB makes the
//      table of them, with checksums that no fuzzer could guess;
//   2: the block of the entries as it is stored; its checksum is put right.

void Put(const std::string& path, std::string_view bytes) {
  std::FILE* const file = std::fopen(path.c_str(), "wb");
  Require(
      file != nullptr &&
          std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size() &&
          std::fclose(file) == 0,
      "a file of its own");
}

class FileInMemory : public leveldb::WritableFile {
 public:
  leveldb::Status Append(const leveldb::Slice& data) override {
    bytes.append(data.data(), data.size());
    return leveldb::Status::OK();
  }
  leveldb::Status Close() override { return leveldb::Status::OK(); }
  leveldb::Status Flush() override { return leveldb::Status::OK(); }
  leveldb::Status Sync() override { return leveldb::Status::OK(); }

  std::string bytes;
};

void AppendFixed32(uint32_t value, std::string* text) {
  for (int i = 0; i < 4; ++i) *text += static_cast<char>(value >> (8 * i));
}

// Appends a block with its type and checksum; returns its place as the table
// writes it.
std::string AppendBlock(std::string_view block, std::string* file) {
  std::string place;
  {
    google::protobuf::io::StringOutputStream stream(&place);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.WriteVarint64(file->size());
    coded.WriteVarint64(block.size());
  }
  const std::string typed = std::string(block) + '\0';
  *file += typed;
  AppendFixed32(MaskCrc(Crc32c(typed)), file);
  return place;
}

// A table of one block.
std::string TableOf(std::string_view block) {
  std::string file;
  const std::string place = AppendBlock(block, &file);
  // Keys up to 0xFF, which no key begins with, are in that block.
  std::string index =
      std::string("\0\1", 2) + static_cast<char>(place.size()) + '\xFF' + place;
  AppendFixed32(0, &index);
  AppendFixed32(1, &index);
  const std::string filters = AppendBlock(std::string(8, '\0'), &file);
  std::string footer = filters + AppendBlock(index, &file);
  footer.resize(40, '\0');
  AppendFixed32(0x8B80FB57U, &footer);
  AppendFixed32(0xDB477524U, &footer);
  return file + footer;
}

std::string Index(int kind, std::string_view bytes) {
  if (kind == 0) return std::string(bytes);
  if (kind == 2) return TableOf(bytes);
  const auto byte = [&](size_t i) {
    return static_cast<size_t>(static_cast<unsigned char>(bytes[i]));
  };
  std::map<std::string, std::string> entries;
  while (bytes.size() >= 3) {
    const size_t key_size = std::min(byte(0), bytes.size() - 3);
    const size_t value_size =
        std::min(byte(1) | byte(2) << 8, bytes.size() - 3 - key_size);
    entries[std::string(bytes.substr(3, key_size))] =
        bytes.substr(3 + key_size, value_size);
    bytes.remove_prefix(3 + key_size + value_size);
  }
  FileInMemory file;
  leveldb::TableBuilder builder(leveldb::Options(), &file);
  for (const auto& [key, value] : entries) builder.Add(key, value);
  Require(builder.Finish().ok(), "a table in memory");
  return std::move(file.bytes);
}

std::string Folder() {
  // In memory where there is such a folder.
  std::string path = IsDirectory("/dev/shm") ? "/dev/shm/" : "/tmp/";
  path += "t2t-bundle-fuzz-" + std::to_string(::getpid());
  MakeDirectories(path);
  static std::string* const made = new std::string(path);
  std::atexit([] { RemoveTree(*made); });
  return path;
}

}  // namespace
}  // namespace t2t

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::string* const prefix =
      new std::string(t2t::Folder() + "/ckpt");
  std::string_view bytes = t2t::AsText(data, size);
  if (size < 3) return 0;
  const int kind = data[0] % 3;
  const size_t length = std::min<size_t>(data[1] | data[2] << 8, size - 3);
  t2t::Put(*prefix + ".data-00000-of-00001", bytes.substr(3, length));
  t2t::Put(*prefix + ".index", t2t::Index(kind, bytes.substr(3 + length)));
  try {
    t2t::BundleReader reader(*prefix);
    for (const auto& [name, entry] : reader.entries()) {
      try {
        if (entry.type == t2t::BundleType::kString) {
          reader.ReadStrings(name);
          continue;
        }
        const std::string values = reader.ReadBytes(name);
        int64_t expected = t2t::BundleTypeSize(entry.type);
        for (const int64_t extent : entry.shape) expected *= extent;
        t2t::Require(static_cast<int64_t>(values.size()) == expected,
                     "as many bytes as the shape says");
      } catch (const t2t::Error&) {
        // Of this variable alone.
      }
    }
    reader.Verify();
  } catch (const t2t::Error&) {
    // Damaged input is to be refused so.
  }
  return 0;
}
