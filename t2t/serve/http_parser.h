#ifndef T2T_SERVE_HTTP_PARSER_H_
#define T2T_SERVE_HTTP_PARSER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace t2t {

struct HttpLimits {
  size_t start_line = 8192;
  size_t headers = 16384;  // all lines of them, trailers included
  size_t header_count = 100;
  size_t body = 1 << 20;
};

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

// A request or a response; which fields are filled depends on that.
struct HttpMessage {
  std::string method;
  // A request's target, see HttpTarget.
  std::string path;
  std::string query;
  std::string scheme;
  int status = 0;
  int minor_version = 1;  // HTTP/1.x
  HttpHeaders headers;    // names in lower case
  std::string body;
  bool keep_alive = true;
  bool expects_continue = false;

  // nullptr where absent; the name in lower case.
  const std::string* Header(std::string_view name) const;
  // The elements, in lower case, of all headers of that name; empty ones are
  // none.
  std::vector<std::string> List(std::string_view name) const;
};

// Reads one HTTP/1.x message from bytes as they come, strictly: what RFC 9112
// lets a server refuse is refused. Nothing is allocated by a length that the
// peer claims; only bytes that came are kept, up to the limits.
class HttpParser {
 public:
  enum class Kind { kRequest, kResponse };
  explicit HttpParser(Kind kind, const HttpLimits& limits = {})
      : kind_(kind), limits_(limits) {}

  // Takes bytes up to the message's end or the first error; returns how many.
  size_t Feed(std::string_view data);
  // The peer has closed: ends a response that has no length.
  void FeedEnd();

  bool started() const { return started_; }
  // The start line and all headers are read (and allowed).
  bool has_headers() const { return state_ >= State::kFixedBody; }
  bool done() const { return state_ == State::kDone; }
  // The status to answer with where the message is refused, else 0.
  int error_status() const { return error_status_; }
  const std::string& error() const { return error_; }

  HttpMessage& message() { return message_; }
  const HttpMessage& message() const { return message_; }
  // A response to HEAD has no body, whatever its headers say.
  void ExpectNoBody() { no_body_ = true; }

 private:
  enum class State {
    kStartLine,
    kHeader,
    kFixedBody,
    kChunkSize,
    kChunkData,
    kChunkEnd,
    kTrailer,
    kBodyToEnd,
    kDone,
    kFailed,
  };

  void Fail(int status, const std::string& why);
  size_t FeedLine(std::string_view data);
  size_t LineLimit() const;
  void TakeLine();
  void TakeRequestLine();
  void TakeStatusLine();
  // Of the header's or the trailer's fields.
  bool CheckField();
  void TakeHeader();
  void EndHeaders();
  // Both return whether the message is still good.
  bool CheckRequest();
  bool TakeTransferEncoding(bool* is_chunked);
  void TakeChunkSize();
  bool TakeConnection();

  Kind kind_;
  HttpLimits limits_;
  State state_ = State::kStartLine;
  HttpMessage message_;
  std::string line_;
  size_t header_bytes_ = 0;
  uint64_t left_ = 0;  // of the body or chunk
  bool started_ = false;
  bool skipped_empty_line_ = false;
  bool no_body_ = false;
  int error_status_ = 0;
  std::string error_;
};

// "Not Found"
const char* HttpReason(int status);

}  // namespace t2t

#endif  // T2T_SERVE_HTTP_PARSER_H_
