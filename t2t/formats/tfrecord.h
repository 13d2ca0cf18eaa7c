#ifndef T2T_FORMATS_TFRECORD_H_
#define T2T_FORMATS_TFRECORD_H_

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "t2t/base/fs.h"

namespace t2t {

// TensorFlow's record files, uncompressed: length, its masked CRC-32C, data,
// its masked CRC-32C.
class TfRecordReader {
 public:
  explicit TfRecordReader(const std::string& path);
  // Takes the file over and reads it from its start; name is for messages.
  TfRecordReader(std::FILE* file, const std::string& name);
  ~TfRecordReader();
  TfRecordReader(const TfRecordReader&) = delete;
  TfRecordReader& operator=(const TfRecordReader&) = delete;

  // False at the end of the file. Throws a DataError, naming the file and the
  // offset of the record, where the record is cut or damaged.
  bool Next(std::string* record);
  // Past a record without checking its data. False at the end of the file.
  bool Skip();

  // Where the next record starts; Seek() takes what offset() gave.
  int64_t offset() const { return offset_; }
  void Seek(int64_t offset);
  const std::string& path() const { return path_; }

 private:
  // False at the end of the file; else the checked length of the record.
  bool ReadLength(uint64_t* length);
  void ReadExactly(void* to, size_t size);

  std::string path_;
  std::FILE* file_ = nullptr;
  int64_t size_ = 0;
  int64_t offset_ = 0;
};

// The same over bytes in memory (for small files and for the fuzz test).
// Returns false at the end, throws as TfRecordReader does.
bool NextTfRecord(std::string_view bytes, size_t* offset,
                  const std::string& name, std::string_view* record);

void AppendTfRecord(std::string_view record, std::string* bytes);

// Nothing is visible at path until Commit().
class TfRecordWriter {
 public:
  explicit TfRecordWriter(const std::string& path) : file_(path) {}

  void Write(std::string_view record);
  void Commit() { file_.Commit(); }
  int64_t count() const { return count_; }
  int64_t bytes() const { return file_.written(); }

 private:
  AtomicWriter file_;
  int64_t count_ = 0;
};

}  // namespace t2t

#endif  // T2T_FORMATS_TFRECORD_H_
