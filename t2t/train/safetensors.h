#ifndef T2T_TRAIN_SAFETENSORS_H_
#define T2T_TRAIN_SAFETENSORS_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

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

}  // namespace t2t

#endif  // T2T_TRAIN_SAFETENSORS_H_
