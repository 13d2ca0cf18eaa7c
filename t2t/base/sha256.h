#ifndef T2T_BASE_SHA256_H_
#define T2T_BASE_SHA256_H_

#include <string>
#include <string_view>

namespace t2t {

// The SHA-256 of some bytes (FIPS 180-4), as 64 hexadecimal digits.
std::string Sha256(std::string_view bytes);

}  // namespace t2t

#endif  // T2T_BASE_SHA256_H_
