#ifndef T2T_SERVE_BASE64_H_
#define T2T_SERVE_BASE64_H_

#include <string>
#include <string_view>

namespace t2t {

std::string EncodeBase64(std::string_view bytes);
// The standard alphabet with or without padding, as TF Serving takes it; false
// where it is anything else.
bool DecodeBase64(std::string_view text, std::string* bytes);

}  // namespace t2t

#endif  // T2T_SERVE_BASE64_H_
