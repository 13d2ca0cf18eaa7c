#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

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
//   1: a block of the index's entries, without its checksum;
//   2: an index file's first block, without its checksum, and behind it the
//      block that says where the others are, whose length is the last byte.
// With 1 and 2 the checksums, which no fuzzer can guess, are put right, so that
// what stands in the blocks is looked at.

void Put(const std::string& path, std::string_view bytes) {
  std::FILE* const file = std::fopen(path.c_str(), "wb");
  Require(
      file != nullptr &&
          std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size() &&
          std::fclose(file) == 0,
      "a file of its own");
}

void AppendVarint(uint64_t value, std::string* text) {
  for (; value >= 0x80; value >>= 7) {
    *text += static_cast<char>((value & 0x7F) | 0x80);
  }
  *text += static_cast<char>(value);
}

void AppendFixed32(uint32_t value, std::string* text) {
  for (int i = 0; i < 4; ++i) *text += static_cast<char>(value >> (8 * i));
}

// Appends a block with its type and checksum; returns its place as the table
// writes it.
std::string AppendBlock(std::string block, std::string* file) {
  std::string place;
  AppendVarint(file->size(), &place);
  AppendVarint(block.size(), &place);
  block += '\0';
  const uint32_t crc = MaskCrc(Crc32c(block));
  *file += block;
  AppendFixed32(crc, file);
  return place;
}

std::string Table(std::string_view first, std::string_view places) {
  std::string file;
  const std::string place = AppendBlock(std::string(first), &file);
  std::string index(places);
  if (index.empty()) {
    // One entry: keys up to 0xFF, which no key begins with, are in that block.
    index += std::string("\0\1", 2) + static_cast<char>(place.size()) + '\xFF' +
             place;
    AppendFixed32(0, &index);
    AppendFixed32(1, &index);
  }
  const std::string index_place = AppendBlock(index, &file);
  std::string footer = AppendBlock(std::string(8, '\0'), &file) + index_place;
  footer.resize(40, '\0');
  AppendFixed32(0x8B80FB57U, &footer);
  AppendFixed32(0xDB477524U, &footer);
  return file + footer;
}

std::string Index(int kind, std::string_view bytes) {
  if (kind == 0) return std::string(bytes);
  if (kind == 1 || bytes.empty()) return Table(bytes, "");
  const size_t last =
      std::min(static_cast<size_t>(static_cast<unsigned char>(bytes.back())),
               bytes.size() - 1);
  bytes.remove_suffix(1);
  return Table(bytes.substr(0, bytes.size() - last),
               bytes.substr(bytes.size() - last));
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
