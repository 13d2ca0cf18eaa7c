#ifndef T2T_FORMATS_DOWNLOAD_H_
#define T2T_FORMATS_DOWNLOAD_H_

#include <functional>
#include <string>
#include <vector>

namespace t2t {

// Looks at a file before it gets its name; "", or what is wrong with it.
using CheckDownload = std::function<std::string(const std::string& path)>;

// Fetches url into path with the program curl; path is whole, and has passed
// the check, or not there. False, and why, where it can't.
bool Download(const std::string& url, const std::string& path, std::string* why,
              const CheckDownload& check = nullptr);

// Takes the files of these names out of a tar archive, compressed or not, into
// folder, with the program tar; each is whole, and a plain file, or not there.
// False, and why, where it can't.
bool Unpack(const std::string& archive, const std::vector<std::string>& names,
            const std::string& folder, std::string* why);

}  // namespace t2t

#endif  // T2T_FORMATS_DOWNLOAD_H_
