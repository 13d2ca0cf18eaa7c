#ifndef T2T_BASE_PLURAL_H_
#define T2T_BASE_PLURAL_H_

#include <cstdint>
#include <string>

namespace t2t {

// "step" for 1, else "steps"; "entry", "entries"; "batch", "batches".
std::string Plural(int64_t number, const std::string& noun);
// "1 step", "2 steps".
std::string Count(int64_t number, const std::string& noun);

}  // namespace t2t

#endif  // T2T_BASE_PLURAL_H_
