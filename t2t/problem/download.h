#ifndef T2T_PROBLEM_DOWNLOAD_H_
#define T2T_PROBLEM_DOWNLOAD_H_

#include <string>
#include <vector>

namespace t2t {

// Fetches url into path with the program curl; path is whole or not there.
// False, and why, where it can't.
bool Download(const std::string& url, const std::string& path,
              std::string* why);

// Takes the files of these names out of a tar archive, compressed or not, into
// folder, with the program tar; each is whole or not there. False, and why,
// where it can't.
bool Unpack(const std::string& archive, const std::vector<std::string>& names,
            const std::string& folder, std::string* why);

}  // namespace t2t

#endif  // T2T_PROBLEM_DOWNLOAD_H_
