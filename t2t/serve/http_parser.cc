#include "t2t/serve/http_parser.h"

#include <algorithm>

#include "t2t/base/strings.h"
#include "t2t/serve/http_target.h"

namespace t2t {
namespace {

// A chunk's size, its extensions and the line's end.
constexpr size_t kChunkLineLimit = 256;

bool IsTokenChar(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
         (c >= 'A' && c <= 'Z') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool IsToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), IsTokenChar);
}

bool IsControl(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\t') || byte == 0x7F;
}

// At most 18 digits: no overflow.
bool ParseLength(std::string_view text, uint64_t* value) {
  if (text.empty() || text.size() > 18) return false;
  *value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    *value = *value * 10 + static_cast<uint64_t>(c - '0');
  }
  return true;
}

bool ParseHexLength(std::string_view text, uint64_t* value) {
  if (text.empty() || text.size() > 15) return false;
  *value = 0;
  for (const char c : text) {
    int digit = 0;
    if (c >= '0' && c <= '9') {
      digit = c - '0';
    } else if (c >= 'a' && c <= 'f') {
      digit = c - 'a' + 10;
    } else if (c >= 'A' && c <= 'F') {
      digit = c - 'A' + 10;
    } else {
      return false;
    }
    *value = *value * 16 + static_cast<uint64_t>(digit);
  }
  return true;
}

// "HTTP/1.0" or "HTTP/1.1" (which later ones of HTTP/1 are understood as); -1
// for another form, -2 for another version.
int MinorVersion(std::string_view text) {
  if (text.size() != 8 || !StartsWith(text, "HTTP/") || text[6] != '.' ||
      text[5] < '0' || text[5] > '9' || text[7] < '0' || text[7] > '9') {
    return -1;
  }
  if (text[5] != '1') return -2;
  return text[7] == '0' ? 0 : 1;
}

std::string_view TrimBlanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
    text.remove_prefix(1);
  }
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
    text.remove_suffix(1);
  }
  return text;
}

}  // namespace

const std::string* HttpMessage::Header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::vector<std::string> HttpMessage::List(std::string_view name) const {
  std::vector<std::string> elements;
  for (const auto& [key, value] : headers) {
    if (key != name) continue;
    for (const std::string& element : Split(value, ',')) {
      const std::string_view trimmed = TrimBlanks(element);
      if (!trimmed.empty()) elements.push_back(Lower(trimmed));
    }
  }
  return elements;
}

void HttpParser::Fail(int status, const std::string& why) {
  state_ = State::kFailed;
  error_status_ = status;
  error_ = why;
}

size_t HttpParser::Feed(std::string_view data) {
  size_t taken = 0;
  while (taken < data.size() && state_ != State::kDone &&
         state_ != State::kFailed) {
    started_ = true;
    const std::string_view rest = data.substr(taken);
    if (state_ == State::kFixedBody || state_ == State::kChunkData) {
      const size_t count = static_cast<size_t>(
          std::min<uint64_t>(left_, static_cast<uint64_t>(rest.size())));
      message_.body.append(rest.substr(0, count));
      left_ -= count;
      taken += count;
      if (left_ == 0) {
        state_ = state_ == State::kFixedBody ? State::kDone : State::kChunkEnd;
      }
    } else if (state_ == State::kBodyToEnd) {
      const size_t room = limits_.body - message_.body.size();
      message_.body.append(rest.substr(0, room));
      if (rest.size() > room) Fail(413, "the body is too large");
      taken = data.size();
    } else {
      taken += FeedLine(rest);
    }
  }
  return taken;
}

void HttpParser::FeedEnd() {
  if (state_ == State::kBodyToEnd) {
    state_ = State::kDone;
  } else if (state_ != State::kDone && state_ != State::kFailed) {
    Fail(400, "the message is cut off");
  }
}

size_t HttpParser::LineLimit() const {
  switch (state_) {
    case State::kStartLine:
      return limits_.start_line;
    case State::kChunkSize:
      return kChunkLineLimit;
    case State::kChunkEnd:
      return 2;
    default:
      return limits_.headers - header_bytes_;
  }
}

size_t HttpParser::FeedLine(std::string_view data) {
  const size_t newline = data.find('\n');
  const bool ends = newline != std::string_view::npos;
  const size_t count = ends ? newline + 1 : data.size();
  if (line_.size() + count > LineLimit()) {
    if (state_ == State::kStartLine) {
      const std::string start =
          line_ + std::string(data.substr(0, LineLimit() - line_.size()));
      if (start.find(' ') == std::string::npos) {
        Fail(501, "the method is too long");
      } else {
        Fail(414, "the request line is too long");
      }
    } else if (state_ == State::kChunkSize || state_ == State::kChunkEnd) {
      Fail(400, "a chunk is malformed");
    } else {
      Fail(431, "the headers are too large");
    }
    return count;
  }
  line_.append(data.substr(0, count));
  if (!ends) return count;
  if (state_ == State::kHeader || state_ == State::kTrailer) {
    header_bytes_ += line_.size();
  }
  if (!EndsWith(line_, "\r\n")) {
    Fail(400, "a line does not end with CR LF");
    return count;
  }
  line_.resize(line_.size() - 2);
  if (std::any_of(line_.begin(), line_.end(), IsControl)) {
    Fail(400, "a control character stands in a line");
    return count;
  }
  TakeLine();
  line_.clear();
  return count;
}

void HttpParser::TakeLine() {
  switch (state_) {
    case State::kStartLine:
      if (line_.empty()) {
        if (skipped_empty_line_) Fail(400, "there is no request line");
        skipped_empty_line_ = true;
      } else if (kind_ == Kind::kRequest) {
        TakeRequestLine();
      } else {
        TakeStatusLine();
      }
      break;
    case State::kHeader:
      line_.empty() ? EndHeaders() : TakeHeader();
      break;
    case State::kChunkSize:
      TakeChunkSize();
      break;
    case State::kChunkEnd:
      if (line_.empty()) {
        state_ = State::kChunkSize;
      } else {
        Fail(400, "a chunk is longer than its size says");
      }
      break;
    case State::kTrailer:
      // Trailers mean nothing here.
      if (line_.empty()) {
        state_ = State::kDone;
      } else {
        CheckField();
      }
      break;
    default:
      break;
  }
}

void HttpParser::TakeRequestLine() {
  const std::vector<std::string> parts = Split(line_, ' ');
  if (parts.size() != 3 || !IsToken(parts[0])) {
    Fail(400, "the request line is malformed");
    return;
  }
  const int version = MinorVersion(parts[2]);
  if (version < 0) {
    Fail(version == -2 ? 505 : 400, "the protocol is not HTTP/1.1 or 1.0");
    return;
  }
  HttpTarget target;
  if (!ParseTarget(parts[0], parts[1], &target)) {
    Fail(400, "the request's target is malformed");
    return;
  }
  message_.method = parts[0];
  message_.path = std::move(target.path);
  message_.query = std::move(target.query);
  message_.scheme = std::move(target.scheme);
  message_.minor_version = version;
  state_ = State::kHeader;
}

void HttpParser::TakeStatusLine() {
  const std::string_view line = line_;
  uint64_t status = 0;
  const int version = MinorVersion(line.substr(0, 8));
  if (version < 0 || line.size() < 12 || line[8] != ' ' ||
      (line.size() > 12 && line[12] != ' ') ||
      !ParseLength(line.substr(9, 3), &status) || status < 100) {
    Fail(400, "the status line is malformed");
    return;
  }
  message_.status = static_cast<int>(status);
  message_.minor_version = version;
  state_ = State::kHeader;
}

bool HttpParser::CheckField() {
  const size_t colon = std::min(line_.find(':'), line_.size());
  if (colon < line_.size() && IsToken(std::string_view(line_).substr(0, colon)))
    return true;
  Fail(400, "a header is malformed");
  return false;
}

void HttpParser::TakeHeader() {
  if (!CheckField()) return;
  const size_t colon = line_.find(':');
  const std::string_view name = std::string_view(line_).substr(0, colon);
  if (message_.headers.size() >= limits_.header_count) {
    Fail(431, "there are too many headers");
    return;
  }
  message_.headers.emplace_back(
      Lower(name), TrimBlanks(std::string_view(line_).substr(colon + 1)));
}

// Whether "Connection" can be understood; sets keep_alive.
bool HttpParser::TakeConnection() {
  message_.keep_alive = message_.minor_version >= 1;
  for (const std::string& option : message_.List("connection")) {
    if (!IsToken(option)) {
      Fail(400, "the Connection header is malformed");
      return false;
    }
    if (option == "close") {
      message_.keep_alive = false;
      return true;
    }
    if (option == "keep-alive") message_.keep_alive = true;
  }
  return true;
}

bool HttpParser::CheckRequest() {
  size_t hosts = 0;
  for (const auto& [name, value] : message_.headers) {
    if (name != "host") continue;
    ++hosts;
    if (IsHost(value)) continue;
    Fail(400, "the Host header is malformed");
    return false;
  }
  if (hosts > 1 || (hosts == 0 && message_.minor_version > 0)) {
    Fail(400, "there must be one Host header");
    return false;
  }
  for (const std::string& expectation : message_.List("expect")) {
    if (expectation != "100-continue") {
      Fail(417, "the expectation is unknown");
      return false;
    }
    // A client of HTTP/1.0 does not know the answer to that.
    message_.expects_continue = message_.minor_version > 0;
  }
  return true;
}

bool HttpParser::TakeTransferEncoding(bool* is_chunked) {
  *is_chunked = message_.Header("transfer-encoding") != nullptr;
  if (!*is_chunked) return true;
  const std::vector<std::string> codings = message_.List("transfer-encoding");
  const int64_t times = std::count(codings.begin(), codings.end(), "chunked");
  if (message_.minor_version == 0) {
    Fail(400, "HTTP/1.0 has no Transfer-Encoding");
  } else if (times != 1 || codings.back() != "chunked") {
    Fail(400, "the last transfer encoding must be chunked, once");
  } else if (codings.size() > 1) {
    Fail(501, "only the chunked transfer encoding is known");
  }
  return state_ != State::kFailed;
}

void HttpParser::EndHeaders() {
  const bool is_request = kind_ == Kind::kRequest;
  if (!TakeConnection() || (is_request && !CheckRequest())) return;
  const bool has_encoding = message_.Header("transfer-encoding") != nullptr;
  size_t lengths = 0;
  for (const auto& [name, value] : message_.headers) {
    lengths += name == "content-length";
  }
  // Two ways to tell the body's end are how requests are smuggled.
  if (lengths + has_encoding > 1) {
    return Fail(400, "the body's length is told more than once");
  }
  if (!is_request && (no_body_ || message_.status == 204 ||
                      message_.status == 304 || message_.status < 200)) {
    state_ = State::kDone;
    return;
  }
  bool is_chunked = false;
  if (!TakeTransferEncoding(&is_chunked)) return;
  if (is_chunked) {
    state_ = State::kChunkSize;
    return;
  }
  if (lengths == 1) {
    if (!ParseLength(*message_.Header("content-length"), &left_)) {
      return Fail(400, "the Content-Length is malformed");
    }
    if (left_ > limits_.body) return Fail(413, "the body is too large");
    state_ = left_ == 0 ? State::kDone : State::kFixedBody;
    return;
  }
  state_ = is_request ? State::kDone : State::kBodyToEnd;
  if (!is_request) message_.keep_alive = false;
}

void HttpParser::TakeChunkSize() {
  std::string_view size = line_;
  // Extensions are ignored; blanks may stand in front of their semicolon.
  if (const size_t end = size.find(';'); end != std::string_view::npos) {
    size = size.substr(0, end);
    while (EndsWith(size, " ") || EndsWith(size, "\t")) size.remove_suffix(1);
  }
  if (!ParseHexLength(size, &left_)) {
    return Fail(400, "a chunk's size is malformed");
  }
  if (left_ > limits_.body - message_.body.size()) {
    return Fail(413, "the body is too large");
  }
  state_ = left_ == 0 ? State::kTrailer : State::kChunkData;
}

const char* HttpReason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 499:
      return "Client Closed Request";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Unknown";
  }
}

}  // namespace t2t
