#ifndef T2T_CHECKPOINT_IMPORTER_TABLE_H_
#define T2T_CHECKPOINT_IMPORTER_TABLE_H_

#include <functional>
#include <string_view>

namespace t2t {

// Calls visit for every key and value of a sorted table (LevelDB's format, as
// TensorFlow writes it, uncompressed), in order. Every block's CRC-32C, every
// length and the order of the keys are checked; throws a DataError where the
// table is damaged.
void ReadTable(std::string_view file,
               const std::function<void(std::string_view key,
                                        std::string_view value)>& visit);

}  // namespace t2t

#endif  // T2T_CHECKPOINT_IMPORTER_TABLE_H_
