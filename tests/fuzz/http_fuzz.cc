#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "t2t/serve/content_coding.h"
#include "t2t/serve/http_parser.h"
#include "tests/fuzz/fuzz_target.h"

namespace {

using t2t::HttpParser;

// The body without its content codings.
std::string Decoded(const t2t::HttpMessage& message) {
  constexpr size_t kLimit = 256;
  std::vector<t2t::ContentCoding> codings;
  if (!t2t::ContentCodingsOf(message, &codings)) return "415";
  std::string body = message.body;
  const int status = t2t::DecodeContent(codings, kLimit, &body);
  t2t::Require(status != 0 || body.size() <= kLimit,
               "what is decompressed has a limit");
  return std::to_string(status) + body;
}

// All messages of a connection, in pieces of a size; what came of them.
std::string Parse(HttpParser::Kind kind, std::string_view text, size_t piece) {
  t2t::HttpLimits limits;
  limits.start_line = 100;
  limits.headers = 200;
  limits.header_count = 8;
  limits.body = 64;
  std::string result;
  while (!text.empty()) {
    HttpParser parser(kind, limits);
    while (!text.empty() && !parser.done() && parser.error_status() == 0) {
      const size_t taken = parser.Feed(text.substr(0, piece));
      t2t::Require(taken > 0, "every byte brings the parser on");
      text.remove_prefix(taken);
    }
    const t2t::HttpMessage& message = parser.message();
    t2t::Require(message.body.size() <= limits.body, "bodies have a limit");
    t2t::Require(message.headers.size() <= limits.header_count,
                 "headers have a limit");
    result += message.method + " " + message.path + "?" + message.query + " " +
              std::to_string(message.status) + " " +
              std::to_string(message.keep_alive) + message.body + "\n";
    for (const auto& [name, value] : message.headers) {
      t2t::Require(value.find_first_of("\r\n\0", 0, 3) == std::string::npos,
                   "a header is one line");
      result += name + ":" + value + "\n";
    }
    if (parser.error_status() != 0) {
      t2t::Require(parser.error_status() >= 400, "errors are HTTP's");
      // What follows is not read.
      return result + std::to_string(parser.error_status()) + parser.error();
    }
    if (!parser.done()) parser.FeedEnd();
    result += Decoded(message);
  }
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = t2t::AsText(data, size);
  for (const auto kind :
       {HttpParser::Kind::kRequest, HttpParser::Kind::kResponse}) {
    const std::string whole = Parse(kind, text, text.size());
    for (const size_t piece : {1, 7}) {
      t2t::Require(Parse(kind, text, piece) == whole,
                   "how the bytes are cut changes nothing");
    }
  }
  return 0;
}
