#ifndef T2T_FORMATS_DOWNLOAD_H_
#define T2T_FORMATS_DOWNLOAD_H_

#include <functional>
#include <string>
#include <vector>

namespace t2t {

// Looks at a file before it gets its name; "", or what is wrong with it.
using CheckDownload = std::function<std::string(const std::string& path)>;

// Fetches a file into `path` from the first of `addresses` that gives it (http,
// https, ftp or file); path is whole, and has passed the check, or not there.
// False, and why (of each address), where none does.
//
// What is fetched so far stays in <path>.part, so that a later call goes on
// where a killed or broken one ended, if the server says that its file is still
// the same one. A broken connection is tried again a few times. Every few
// seconds a line to the log says how far it is.
//
// For one process at a time: callers hold a lock.
bool Download(const std::vector<std::string>& addresses,
              const std::string& path, std::string* why,
              const CheckDownload& check = nullptr);

}  // namespace t2t

#endif  // T2T_FORMATS_DOWNLOAD_H_
