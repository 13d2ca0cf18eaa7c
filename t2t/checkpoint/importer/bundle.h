#ifndef T2T_CHECKPOINT_IMPORTER_BUNDLE_H_
#define T2T_CHECKPOINT_IMPORTER_BUNDLE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "t2t/base/fs.h"

namespace t2t {

// TensorFlow's numbers of the types a checkpoint may hold.
enum class BundleType : int {
  kFloat = 1,
  kDouble = 2,
  kInt32 = 3,
  kUint8 = 4,
  kInt16 = 5,
  kInt8 = 6,
  kString = 7,
  kInt64 = 9,
  kBool = 10,
  kBfloat16 = 14,
  kUint16 = 17,
  kHalf = 19,
  kUint32 = 22,
  kUint64 = 23,
};

// Bytes of one value; 0 for strings and types not listed above.
int64_t BundleTypeSize(BundleType type);
std::string BundleTypeName(BundleType type);

// A part of a partitioned variable. length -1: the whole dimension.
struct BundleSlice {
  std::vector<int64_t> start;
  std::vector<int64_t> length;
};

struct BundleEntry {
  BundleType type = BundleType::kFloat;
  std::vector<int64_t> shape;
  int64_t shard = 0;
  int64_t offset = 0;
  int64_t size = 0;
  uint32_t masked_crc = 0;
  std::vector<BundleSlice> slices;  // empty: the data stands here
};

// Reads a checkpoint of TensorFlow's V2 format ("tensor bundle"): the table
// <prefix>.index and the values in <prefix>.data-0000i-of-0000n. Every length
// and every checksum is checked; a DataError names what is damaged.
class BundleReader {
 public:
  // Reads the whole index.
  explicit BundleReader(const std::string& prefix);

  // The variables by name, partitioned ones once.
  const std::map<std::string, BundleEntry>& entries() const { return entries_; }
  bool Has(const std::string& name) const { return entries_.count(name) > 0; }
  // Throws a MissingError where there is none.
  const BundleEntry& Get(const std::string& name) const;

  // The values, row by row, little-endian, checked against their CRC-32C;
  // partitioned variables are put together.
  std::string ReadBytes(const std::string& name);
  // A string variable's values.
  std::vector<std::string> ReadStrings(const std::string& name);
  // Reads everything: throws where anything is damaged.
  void Verify();

  const std::string& prefix() const { return prefix_; }

 private:
  void ReadIndex(std::string_view file);
  std::string_view Data(const std::string& name, const BundleEntry& entry);
  std::string_view Values(const std::string& name, const BundleEntry& entry);
  std::string Assemble(const std::string& name, const BundleEntry& entry);

  std::string prefix_;
  int64_t shards_ = 0;
  std::map<std::string, BundleEntry> entries_;
  // Parts of partitioned variables, by TensorFlow's encoded key.
  std::map<std::string, BundleEntry> parts_;
  std::map<int64_t, std::unique_ptr<MappedFile>> files_;
};

// The key under which a part of a variable stands in the index (TensorFlow's
// ordered code). Public for tests.
std::string EncodeSliceKey(const std::string& name, const BundleSlice& slice);

// The prefix that model_dir/checkpoint names as the latest; a path that has
// moved is looked for in model_dir. Throws a MissingError where there is none.
std::string LatestBundlePrefix(const std::string& model_dir);

}  // namespace t2t

#endif  // T2T_CHECKPOINT_IMPORTER_BUNDLE_H_
