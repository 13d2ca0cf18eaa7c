#ifndef T2T_FORMATS_RAW_FILES_H_
#define T2T_FORMATS_RAW_FILES_H_

#include <string>

namespace t2t {

// In hexadecimal digits: of a file's bytes, and of its text, compressed or not.
std::string FileSha256(const std::string& path);
std::string TextSha256(const std::string& path);

// A folder that any user may write into (/tmp), or that another one made there,
// may hold files that were put there for this program to take. Throws where the
// file is in such a folder and is a link, or another user's (root's is good);
// unless `has_its_sum`, the SHA-256 that is known of it is its own, which tells
// more.
void CheckRawFile(const std::string& path, bool has_its_sum);

// Makes the folder; throws where it is another user's who could change what is
// downloaded into it.
void MakeRawFolder(const std::string& folder);

}  // namespace t2t

#endif  // T2T_FORMATS_RAW_FILES_H_
