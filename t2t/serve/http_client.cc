#include "t2t/serve/http_client.h"

#include <utility>

#include "t2t/base/error.h"

namespace t2t {
namespace {

constexpr size_t kMostBytes = 64 << 20;

}  // namespace

HttpClient::HttpClient(std::string host, int port,
                       std::chrono::milliseconds timeout,
                       std::shared_ptr<const TlsContext> tls)
    : host_(std::move(host)),
      port_(port),
      timeout_(timeout),
      tls_(std::move(tls)) {}

void HttpClient::Open(SteadyTime until) {
  Socket socket = Connect(host_, port_, until);
  std::string error;
  if (tls_ != nullptr &&
      socket.StartTls(*tls_, host_, until, &error) != Socket::Result::kOk) {
    throw Error(
        ExitCode::kUsage,
        "no TLS with " + host_ + ":" + std::to_string(port_) + ": " + error,
        "a TLS server with a certificate for this name that the CA "
        "file vouches for");
  }
  socket_ = std::move(socket);
}

HttpMessage HttpClient::Ask(const std::string& method,
                            const std::string& target, const std::string& body,
                            const HttpHeaders& headers) {
  const SteadyTime until = std::chrono::steady_clock::now() + timeout_;
  const bool is_v6 = host_.find(':') != std::string::npos;
  std::string request = method + " " + target + " HTTP/1.1\r\nHost: " +
                        (is_v6 ? "[" + host_ + "]" : host_) + ":" +
                        std::to_string(port_) + "\r\n";
  for (const auto& [name, value] : headers) {
    request += name + ": " + value + "\r\n";
  }
  if (!body.empty() || method == "POST") {
    request += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  }
  request += "\r\n" + body;
  const bool may_be_stale = socket_.open();
  HttpMessage response;
  if (may_be_stale && TryAsk(request, method == "HEAD", until, &response)) {
    return response;
  }
  Open(until);
  if (TryAsk(request, method == "HEAD", until, &response)) return response;
  throw Error(ExitCode::kRetry,
              host_ + ":" + std::to_string(port_) +
                  " closed the connection without an answer",
              "an HTTP/1.1 response");
}

bool HttpClient::TryAsk(const std::string& request, bool is_head,
                        SteadyTime until, HttpMessage* response) {
  HttpLimits limits;
  limits.body = kMostBytes;
  limits.headers = 1 << 16;
  HttpParser parser(HttpParser::Kind::kResponse, limits);
  if (is_head) parser.ExpectNoBody();
  Socket::Result result = socket_.Write(request, until);
  // A server may refuse before it has read all: look for its answer anyway.
  std::string received;
  while (result != Socket::Result::kTimeout && !parser.done() &&
         parser.error_status() == 0) {
    result = socket_.Read(&received, until);
    if (result == Socket::Result::kOk) {
      received.erase(0, parser.Feed(received));
      if (parser.done() && parser.message().status == 100) {
        parser = HttpParser(HttpParser::Kind::kResponse, limits);
        if (is_head) parser.ExpectNoBody();
        received.erase(0, parser.Feed(received));
      }
    } else if (result == Socket::Result::kClosed) {
      if (!parser.started()) {
        socket_.Close();
        return false;
      }
      parser.FeedEnd();
    }
  }
  if (!parser.done()) {
    socket_.Close();
    throw Error(ExitCode::kRetry,
                host_ + ":" + std::to_string(port_) +
                    (result == Socket::Result::kTimeout
                         ? " has not answered in time"
                         : " answers no HTTP: " + parser.error()),
                "an HTTP/1.1 response");
  }
  *response = std::move(parser.message());
  if (!response->keep_alive) socket_.Close();
  return true;
}

}  // namespace t2t
