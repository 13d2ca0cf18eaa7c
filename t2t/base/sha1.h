#ifndef T2T_BASE_SHA1_H_
#define T2T_BASE_SHA1_H_

#include <string>
#include <string_view>

namespace t2t {

// In hexadecimal digits. For names that others made by it; it keeps no one from
// making another text of the same sum.
std::string Sha1(std::string_view text);

}  // namespace t2t

#endif  // T2T_BASE_SHA1_H_
