#ifndef T2T_BASE_BUILD_ID_H_
#define T2T_BASE_BUILD_ID_H_

#include <string>

namespace t2t {

// What the linker calls a program or a library (its GNU build ID, a sum of its
// contents), as hexadecimal digits; "" where it has none or is not there.
std::string BuildId(const std::string& path);

}  // namespace t2t

#endif  // T2T_BASE_BUILD_ID_H_
