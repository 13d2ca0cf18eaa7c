#ifndef T2T_BASE_STAGING_H_
#define T2T_BASE_STAGING_H_

#include <string>

namespace t2t {

// From now on files that are written atomically into `directory`, or below it,
// have their temporary names in `staging`, a folder of the same file system.
// Once another process has removed staging such a file can't become visible any
// more: its rename fails, and the error is kRetry. "": as usual again.
void StageFiles(const std::string& directory, const std::string& staging);

}  // namespace t2t

#endif  // T2T_BASE_STAGING_H_
