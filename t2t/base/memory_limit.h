#ifndef T2T_BASE_MEMORY_LIMIT_H_
#define T2T_BASE_MEMORY_LIMIT_H_

#include <cstdint>

namespace t2t {

// The bytes that this process can have at most: the machine's memory, its
// container's limit (cgroups 1 and 2), or its own (ulimit -v), the least.
int64_t MemoryLimit();

}  // namespace t2t

#endif  // T2T_BASE_MEMORY_LIMIT_H_
