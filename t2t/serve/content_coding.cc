#include "t2t/serve/content_coding.h"

#include <zlib.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace t2t {
namespace {

constexpr size_t kMostCodings = 4;
// What zlib adds to 15, the largest window: gzip's header is expected.
constexpr int kGzipWindow = 15 + 16;
constexpr int kZlibWindow = 15;
constexpr int kRawWindow = -15;

// RFC 9110's "deflate" is zlib's format, but there are clients that send the
// bare stream.
int WindowOf(ContentCoding coding, std::string_view body) {
  if (coding == ContentCoding::kGzip) return kGzipWindow;
  const auto byte = [&](size_t i) {
    return i < body.size() ? static_cast<unsigned char>(body[i]) : 0U;
  };
  const bool is_zlib =
      (byte(0) & 0x0FU) == Z_DEFLATED && (byte(0) * 256 + byte(1)) % 31 == 0;
  return is_zlib ? kZlibWindow : kRawWindow;
}

int Inflate(ContentCoding coding, size_t limit, std::string* body) {
  z_stream stream = {};
  if (::inflateInit2(&stream, WindowOf(coding, *body)) != Z_OK) return 500;
  stream.next_in = reinterpret_cast<Bytef*>(body->data());
  stream.avail_in = static_cast<uInt>(body->size());
  std::string text;
  char buffer[16384];
  int status = -1;
  while (status < 0) {
    stream.next_out = reinterpret_cast<Bytef*>(buffer);
    stream.avail_out = sizeof(buffer);
    const int code = ::inflate(&stream, Z_NO_FLUSH);
    const size_t count = sizeof(buffer) - stream.avail_out;
    if (text.size() + count > limit) {
      status = 413;
      break;
    }
    text.append(buffer, count);
    if (code == Z_STREAM_END) {
      if (stream.avail_in == 0) {
        status = 0;
      } else if (coding == ContentCoding::kGzip) {
        ::inflateReset(&stream);  // another member follows
      } else {
        status = 400;
      }
    } else if (code != Z_OK) {
      status = 400;  // damaged, or cut off (Z_BUF_ERROR)
    }
  }
  ::inflateEnd(&stream);
  if (status == 0) *body = std::move(text);
  return status;
}

}  // namespace

bool ContentCodingsOf(const HttpMessage& message,
                      std::vector<ContentCoding>* codings) {
  codings->clear();
  for (const std::string& name : message.List("content-encoding")) {
    if (name == "identity") continue;
    if (name == "gzip" || name == "x-gzip") {
      codings->push_back(ContentCoding::kGzip);
    } else if (name == "deflate") {
      codings->push_back(ContentCoding::kDeflate);
    } else {
      return false;
    }
  }
  return codings->size() <= kMostCodings;
}

int DecodeContent(const std::vector<ContentCoding>& codings, size_t limit,
                  std::string* body) {
  if (body->empty()) return 0;  // such as a GET's
  for (auto coding = codings.rbegin(); coding != codings.rend(); ++coding) {
    const int status = Inflate(*coding, limit, body);
    if (status != 0) return status;
  }
  return 0;
}

}  // namespace t2t
