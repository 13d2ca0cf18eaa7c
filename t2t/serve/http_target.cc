#include "t2t/serve/http_target.h"

#include <algorithm>

#include "t2t/base/strings.h"

namespace t2t {
namespace {

bool IsLetterOrDigit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
         (c >= 'A' && c <= 'Z');
}

// RFC 3986: what means the same whether it is percent-encoded or not.
bool IsUnreserved(char c) {
  return IsLetterOrDigit(c) ||
         std::string_view("-._~").find(c) != std::string_view::npos;
}

bool IsSubDelimiter(char c) {
  return std::string_view("!$&'()*+,;=").find(c) != std::string_view::npos;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The byte that "%41" at text[at] stands for, -1 where there is none.
int EncodedByte(std::string_view text, size_t at) {
  if (at + 2 >= text.size()) return -1;
  const int high = HexDigit(text[at + 1]);
  const int low = HexDigit(text[at + 2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

bool Decode(std::string_view text, bool only_unreserved, std::string* bytes) {
  bytes->clear();
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      *bytes += text[at];
      continue;
    }
    const int byte = EncodedByte(text, at);
    if (byte < 0) return false;
    const char c = static_cast<char>(byte);
    if (only_unreserved && !IsUnreserved(c)) {
      *bytes += text.substr(at, 3);
    } else {
      *bytes += c;
    }
    at += 2;
  }
  return true;
}

bool IsPort(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c >= '0' && c <= '9'; });
}

// Splits a host from its port ("" where there is none); false where it is no
// host.
bool SplitHost(std::string_view text, std::string_view* host,
               std::string_view* port) {
  const bool is_bracketed = StartsWith(text, "[");
  const size_t end = is_bracketed ? text.find(']') : text.find(':');
  if (is_bracketed && end == std::string_view::npos) return false;
  *host = text.substr(0, is_bracketed ? end + 1 : end);
  std::string_view rest = text.substr(host->size());
  if (!rest.empty()) {
    if (rest.front() != ':') return false;
    rest.remove_prefix(1);
  }
  *port = rest;
  if (is_bracketed) {
    const std::string_view address = host->substr(1, host->size() - 2);
    return !address.empty() && IsPort(rest) &&
           std::all_of(address.begin(), address.end(), [](char c) {
             return HexDigit(c) >= 0 || c == ':' || c == '.';
           });
  }
  std::string decoded;
  return IsPort(rest) && DecodePercent(*host, &decoded) &&
         std::all_of(host->begin(), host->end(), [](char c) {
           return IsUnreserved(c) || IsSubDelimiter(c) || c == '%';
         });
}

// "/path?query"
bool TakePath(std::string_view text, HttpTarget* target) {
  const size_t question = std::min(text.find('?'), text.size());
  if (question < text.size()) target->query = text.substr(question + 1);
  return Decode(text.substr(0, question), /*only_unreserved=*/true,
                &target->path);
}

// "http://host:port/path?query"
bool TakeAbsolute(std::string_view method, std::string_view text,
                  HttpTarget* target) {
  const size_t colon = text.find("://");
  if (colon == std::string_view::npos) return false;
  target->scheme = Lower(text.substr(0, colon));
  if (target->scheme != "http" && target->scheme != "https") return false;
  text.remove_prefix(colon + 3);
  const size_t end = std::min(text.find_first_of("/?"), text.size());
  std::string_view host;
  std::string_view port;
  if (!SplitHost(text.substr(0, end), &host, &port) || host.empty()) {
    return false;
  }
  text.remove_prefix(end);
  if (text.empty() && method == "OPTIONS") {
    target->path = "*";
    return true;
  }
  return TakePath(
      StartsWith(text, "/") ? std::string(text) : "/" + std::string(text),
      target);
}

}  // namespace

bool ParseTarget(std::string_view method, std::string_view text,
                 HttpTarget* target) {
  *target = {};
  const bool is_visible = std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) > 0x20 &&
           static_cast<unsigned char>(c) < 0x7F && c != '#';
  });
  if (!is_visible || text.empty()) return false;
  if (method == "CONNECT") {
    std::string_view host;
    std::string_view port;
    int64_t number = 0;
    target->path = text;
    return SplitHost(text, &host, &port) && !host.empty() &&
           ParseInt(port, &number) && number > 0 && number < 65536;
  }
  if (text == "*") {
    target->path = "*";
    return method == "OPTIONS";
  }
  if (text.front() == '/') return TakePath(text, target);
  return TakeAbsolute(method, text, target);
}

bool IsHost(std::string_view text) {
  std::string_view host;
  std::string_view port;
  return SplitHost(text, &host, &port);
}

bool DecodePercent(std::string_view text, std::string* bytes) {
  return Decode(text, /*only_unreserved=*/false, bytes);
}

}  // namespace t2t
