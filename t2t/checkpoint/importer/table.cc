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

using google::protobuf::io::CodedInputStream;

constexpr size_t kFooterSize = 48;
constexpr size_t kTrailerSize = 5;  // type, CRC

CodedInputStream Stream(std::string_view bytes) {
  const size_t size =
      std::min<size_t>(bytes.size(), std::numeric_limits<int>::max());
  return CodedInputStream(reinterpret_cast<const uint8_t*>(bytes.data()),
                          static_cast<int>(size));
}

// Where a block stands.
struct Place {
  uint64_t offset = 0;
  uint64_t size = 0;

  bool Read(CodedInputStream* stream) {
    return stream->ReadVarint64(&offset) && stream->ReadVarint64(&size);
  }
  bool FitsIn(size_t file_size) const {
    return offset <= file_size && size <= file_size - offset &&
           file_size - offset - size >= kTrailerSize;
  }
};

// Looks at what LevelDB believes: it asks for a block's size of memory before
// there is such a block, and adds an entry's lengths in 32 bits.
class FileInMemory : public leveldb::RandomAccessFile {
 public:
  explicit FileInMemory(std::string_view bytes) : bytes_(bytes) {
    if (bytes.size() < kFooterSize) Damaged("it is too short to be one");
    const std::string_view footer = bytes.substr(bytes.size() - kFooterSize);
    CodedInputStream stream = Stream(footer);
    Place filters;
    if (!filters.Read(&stream) || !index_.Read(&stream) ||
        !index_.FitsIn(bytes.size())) {
      Damaged("its index lies outside the file");
    }
  }

  leveldb::Status Read(uint64_t offset, size_t size, leveldb::Slice* result,
                       char* /*scratch*/) const override {
    const std::string_view read =
        bytes_.substr(std::min<uint64_t>(offset, bytes_.size()), size);
    *result = {read.data(), read.size()};
    if (size == kFooterSize && offset + size == bytes_.size()) {
      return leveldb::Status::OK();
    }
    if (size < kTrailerSize || read.size() != size) {
      return leveldb::Status::Corruption("a block lies outside the file");
    }
    if (read[size - kTrailerSize] != 0) {
      return leveldb::Status::Corruption(
          "a block is compressed, as TensorFlow does not write it");
    }
    if (!EntriesFit(read.substr(0, size - kTrailerSize),
                    offset == index_.offset)) {
      return leveldb::Status::Corruption(
          "an entry's lengths do not fit in its block");
    }
    return leveldb::Status::OK();
  }

 private:
  // Whether a block's entries lie in it and, of the index, the blocks that they
  // name in the file.
  bool EntriesFit(std::string_view block, bool is_index) const {
    // At the end: where keys are whole, and how many such places there are.
    if (block.size() < 8) return false;
    const auto number = [&](size_t at) {
      uint32_t value = 0;
      CodedInputStream::ReadLittleEndian32FromArray(
          reinterpret_cast<const uint8_t*>(block.data()) + at, &value);
      return value;
    };
    const uint32_t restarts = number(block.size() - 4);
    if (restarts == 0 || restarts > (block.size() - 4) / 4) return false;
    const size_t end = block.size() - 4 - 4 * static_cast<size_t>(restarts);
    if (number(end) != 0 || end > std::numeric_limits<int>::max()) return false;
    CodedInputStream stream = Stream(block.substr(0, end));
    const auto at = [&] {
      return static_cast<size_t>(stream.CurrentPosition());
    };
    while (at() < end) {
      uint32_t shared = 0;
      uint32_t fresh = 0;
      uint32_t length = 0;
      if (!stream.ReadVarint32(&shared) || !stream.ReadVarint32(&fresh) ||
          !stream.ReadVarint32(&length) ||
          uint64_t{fresh} + length > end - at()) {
        return false;
      }
      stream.Skip(static_cast<int>(fresh));
      if (is_index) {
        CodedInputStream value = Stream(block.substr(at(), length));
        Place place;
        if (!place.Read(&value) || !place.FitsIn(bytes_.size())) return false;
      }
      stream.Skip(static_cast<int>(length));
    }
    return true;
  }

  const std::string_view bytes_;
  Place index_;
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
}

}  // namespace t2t
