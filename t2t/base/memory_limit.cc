#include "t2t/base/memory_limit.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>

namespace t2t {

int64_t MemoryLimit() {
  int64_t limit = std::numeric_limits<int64_t>::max();
  const int64_t pages = ::sysconf(_SC_PHYS_PAGES);
  if (pages > 0) limit = pages * ::sysconf(_SC_PAGESIZE);
  for (const char* const path :
       {"/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    // ("max" where there is none.)
    std::ifstream in(path);
    int64_t bytes = 0;
    if (in >> bytes && bytes > 0) limit = std::min(limit, bytes);
  }
  struct rlimit own;
  if (::getrlimit(RLIMIT_AS, &own) == 0 && own.rlim_cur != RLIM_INFINITY &&
      own.rlim_cur < static_cast<rlim_t>(limit)) {
    limit = static_cast<int64_t>(own.rlim_cur);
  }
  return limit;
}

}  // namespace t2t
