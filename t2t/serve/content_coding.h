#ifndef T2T_SERVE_CONTENT_CODING_H_
#define T2T_SERVE_CONTENT_CODING_H_

#include <cstddef>
#include <string>
#include <vector>

#include "t2t/serve/http_parser.h"

namespace t2t {

// The codings that may have been put on a message's body.
inline constexpr char kContentCodings[] = "gzip, deflate";

enum class ContentCoding { kGzip, kDeflate };

// What Content-Encoding says, in the order in which the codings were put on;
// false where it names one that is not known, or too many.
bool ContentCodingsOf(const HttpMessage& message,
                      std::vector<ContentCoding>* codings);

// Takes the codings off the body. Returns the status to refuse it with: 400
// where it is damaged, 413 where it (or what is under one of its codings) is
// longer than limit; else 0.
int DecodeContent(const std::vector<ContentCoding>& codings, size_t limit,
                  std::string* body);

}  // namespace t2t

#endif  // T2T_SERVE_CONTENT_CODING_H_
