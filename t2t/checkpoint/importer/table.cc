#include "t2t/checkpoint/importer/table.h"

#include <leveldb/env.h>
#include <leveldb/iterator.h>
#include <leveldb/options.h>
#include <leveldb/table.h>

#include <algorithm>
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

class FileInMemory : public leveldb::RandomAccessFile {
 public:
  explicit FileInMemory(std::string_view bytes) : bytes_(bytes) {}

  leveldb::Status Read(uint64_t offset, size_t size, leveldb::Slice* result,
                       char* /*scratch*/) const override {
    const std::string_view read =
        bytes_.substr(std::min<uint64_t>(offset, bytes_.size()), size);
    *result = {read.data(), read.size()};
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
