#ifndef T2T_CHECKPOINT_IMPORTER_TABLE_H_
#define T2T_CHECKPOINT_IMPORTER_TABLE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace t2t {

// Calls visit for every key and value of a sorted table (LevelDB's format, as
// TensorFlow writes it, uncompressed), in order. Every block's CRC-32C, every
// length and the order of the keys are checked; throws a DataError where the
// table is damaged.
void ReadTable(std::string_view file,
               const std::function<void(std::string_view key,
                                        std::string_view value)>& visit);

// Takes a base-128 integer off the front of text; false where there is none.
bool TakeVarint(std::string_view* text, uint64_t* value);
// Takes a little-endian 32-bit integer off the front of text.
bool TakeFixed32(std::string_view* text, uint32_t* value);

}  // namespace t2t

#endif  // T2T_CHECKPOINT_IMPORTER_TABLE_H_
