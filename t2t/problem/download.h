#ifndef T2T_PROBLEM_DOWNLOAD_H_
#define T2T_PROBLEM_DOWNLOAD_H_

#include <string>

namespace t2t {

// Fetches url into path with the program curl; path is whole or not there.
// False, and why, where it can't.
bool Download(const std::string& url, const std::string& path,
              std::string* why);

}  // namespace t2t

#endif  // T2T_PROBLEM_DOWNLOAD_H_
