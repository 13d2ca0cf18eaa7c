#ifndef T2T_SERVE_HTTP_TARGET_H_
#define T2T_SERVE_HTTP_TARGET_H_

#include <string>
#include <string_view>

namespace t2t {

// The second word of a request's first line (RFC 9112, section 3.2).
struct HttpTarget {
  std::string scheme;  // in lower case; "" where the target has none
  std::string path;    // "/...", "*" (OPTIONS), or "host:port" (CONNECT)
  std::string query;
};

// False where the method can't have such a target. A letter of the path that
// needs no percent-encoding is decoded: "/%61" is "/a".
bool ParseTarget(std::string_view method, std::string_view text,
                 HttpTarget* target);

// Whether it may be the value of a Host header: a name or an address and
// perhaps a port, or nothing at all.
bool IsHost(std::string_view text);

// All "%41" become their bytes; false where a "%" is followed by anything but
// two hexadecimal digits.
bool DecodePercent(std::string_view text, std::string* bytes);

}  // namespace t2t

#endif  // T2T_SERVE_HTTP_TARGET_H_
