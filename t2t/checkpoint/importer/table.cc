#include "t2t/checkpoint/importer/table.h"

#include <google/protobuf/io/coded_stream.h>
#include <leveldb/env.h>
#include <leveldb/iterator.h>
#include <leveldb/options.h>
#include <leveldb/table.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <string>

#include "t2t/base/error.h"

namespace t2t {
namespace {

[[noreturn]] void Damaged(const std::string& what) {
  throw DataError("the table is damaged: " + what, "",
                  "copy the checkpoint again from where it was made");
}

void Check(const leveldb::Status& status) {
  if (!status.ok()) Damaged(status.ToString());
}

constexpr size_t kFooterSize = 48;
constexpr size_t kTrailerSize = 5;  // type, CRC

// Whether a block's entries lie in it. LevelDB, which reads them then, adds two
// lengths in 32 bits and believes the sum.
bool EntriesFit(std::string_view block) {
  using google::protobuf::io::CodedInputStream;
  const auto* const bytes = reinterpret_cast<const uint8_t*>(block.data());
  // At the end: where keys are whole, and how many such places there are.
  if (block.size() < 8 || block.size() > std::numeric_limits<int>::max()) {
    return false;
  }
  uint32_t restarts = 0;
  uint32_t first = 0;
  CodedInputStream::ReadLittleEndian32FromArray(bytes + block.size() - 4,
                                                &restarts);
  if (restarts == 0 || restarts > (block.size() - 4) / 4) return false;
  const size_t end = block.size() - 4 - 4 * static_cast<size_t>(restarts);
  CodedInputStream::ReadLittleEndian32FromArray(bytes + end, &first);
  if (first != 0) return false;
  CodedInputStream stream(bytes, static_cast<int>(end));
  while (static_cast<size_t>(stream.CurrentPosition()) < end) {
    uint32_t shared = 0;
    uint32_t fresh = 0;
    uint32_t length = 0;
    if (!stream.ReadVarint32(&shared) || !stream.ReadVarint32(&fresh) ||
        !stream.ReadVarint32(&length)) {
      return false;
    }
    const uint64_t size = uint64_t{fresh} + length;
    if (size > end - static_cast<size_t>(stream.CurrentPosition())) {
      return false;
    }
    stream.Skip(static_cast<int>(size));
  }
  return true;
}

class FileInMemory : public leveldb::RandomAccessFile {
 public:
  explicit FileInMemory(std::string_view bytes) : bytes_(bytes) {}

  leveldb::Status Read(uint64_t offset, size_t size, leveldb::Slice* result,
                       char* /*scratch*/) const override {
    const std::string_view read =
        bytes_.substr(std::min<uint64_t>(offset, bytes_.size()), size);
    *result = {read.data(), read.size()};
    if (size == kFooterSize && offset + size == bytes_.size()) {
      return leveldb::Status::OK();
    }
    // A block and its trailer. (A size near 2^64 has become a small one.)
    if (size < kTrailerSize || read.size() != size) {
      return leveldb::Status::Corruption("a block lies outside the file");
    }
    if (read[size - kTrailerSize] != 0) {
      return leveldb::Status::Corruption(
          "a block is compressed, as TensorFlow does not write it");
    }
    if (!EntriesFit(read.substr(0, size - kTrailerSize))) {
      return leveldb::Status::Corruption(
          "an entry's lengths do not fit in its block");
    }
    return leveldb::Status::OK();
  }

 private:
  const std::string_view bytes_;
};

std::string_view View(const leveldb::Slice& slice) {
  return {slice.data(), slice.size()};
}

}  // namespace

void ReadTable(
    std::string_view file,
    const std::function<void(std::string_view, std::string_view)>& visit) {
  FileInMemory source(file);
  leveldb::Options options;
  options.paranoid_checks = true;
  leveldb::ReadOptions read_options;
  read_options.verify_checksums = true;
  try {
    leveldb::Table* opened = nullptr;
    Check(leveldb::Table::Open(options, &source, file.size(), &opened));
    const std::unique_ptr<leveldb::Table> table(opened);
    const std::unique_ptr<leveldb::Iterator> iterator(
        table->NewIterator(read_options));
    std::string last;
    bool first = true;
    for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
      const std::string_view key = View(iterator->key());
      if (!first && key <= last) Damaged("its keys are out of order");
      first = false;
      last = key;
      visit(key, View(iterator->value()));
    }
    Check(iterator->status());
  } catch (const std::bad_alloc&) {
    Damaged("a block is larger than memory");
  }
}

}  // namespace t2t
