#ifndef T2T_CHECKPOINT_SAFETENSORS_H_
#define T2T_CHECKPOINT_SAFETENSORS_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "t2t/base/fs.h"

namespace t2t {

// The safetensors format without torch: eight bytes of header length, a JSON
// header, the tensors' bytes without holes.
struct SafetensorsEntry {
  std::string name;
  std::string dtype;  // "F32", "I64", ...
  std::vector<int64_t> shape;
  int64_t begin = 0;  // within the data
  int64_t end = 0;
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;  // in the order of their bytes
  std::map<std::string, std::string> metadata;
  int64_t data_start = 0;  // within the file
};

// Bytes of one element; 0 for a dtype that is none.
int64_t SafetensorsDtypeSize(const std::string& dtype);

// Reads and checks everything the header says against itself and against the
// file's size. Throws a DataError. Where the file was written by us (metadata
// "crc32c" or "header_crc32c") the header's own checksum is checked too.
SafetensorsHeader ParseSafetensorsHeader(std::string_view file_bytes);
// The same from the first bytes of a file (data_start of them) of that size.
SafetensorsHeader ParseSafetensorsHeader(std::string_view head,
                                         uint64_t file_size);

// Checks every tensor's CRC-32C. A file without any (not ours) passes, unless
// `required`.
void VerifySafetensorsData(std::string_view file_bytes,
                           const SafetensorsHeader& header, bool required);

// The first bytes of a file: length, header with checksums, padded to eight
// bytes. entries must be in the order of their bytes; crcs has one CRC-32C an
// entry.
std::string MakeSafetensorsHeader(
    const std::vector<SafetensorsEntry>& entries,
    const std::vector<uint32_t>& crcs,
    const std::map<std::string, std::string>& metadata);

// A tensor to be written.
struct SafetensorsItem {
  std::string name;
  std::string dtype;
  std::vector<int64_t> shape;
  std::string_view data;
};

// Complete or not there at all, with checksums; wide types first, so that each
// tensor is aligned.
void WriteSafetensorsFile(const std::string& path,
                          std::vector<SafetensorsItem> items,
                          const std::map<std::string, std::string>& metadata);

// A file read tensor by tensor. All that is wrong with the file's contents is
// a DataError that names it.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::string& path);

  const SafetensorsHeader& header() const { return header_; }
  // Files of others have none.
  bool has_checksums() const { return has_checksums_; }
  // Reads a tensor's bytes and checks them.
  void Read(const SafetensorsEntry& entry, void* to) const;

 private:
  const std::string path_;
  const RandomAccessFile file_;
  SafetensorsHeader header_;
  bool has_checksums_ = false;
  std::unordered_map<std::string, std::string> checksums_;  // by name
};

// Reads all of it back from the disk and checks it.
void VerifySafetensorsFile(const std::string& path);

}  // namespace t2t

#endif  // T2T_CHECKPOINT_SAFETENSORS_H_
