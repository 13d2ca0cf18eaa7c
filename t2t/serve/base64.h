#ifndef T2T_SERVE_BASE64_H_
#define T2T_SERVE_BASE64_H_

#include <string>
#include <string_view>

namespace t2t {

std::string EncodeBase64(std::string_view bytes);
// The standard alphabet as TF Serving's decoder takes it: white space anywhere
// is ignored, the padding is whole (of '=' or '.') or absent, and bits that are
// left over may be anything. False where it is anything else, such as the
// URL-safe alphabet.
bool DecodeBase64(std::string_view text, std::string* bytes);

}  // namespace t2t

#endif  // T2T_SERVE_BASE64_H_
