#include "t2t/serve/http_server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <exception>
#include <system_error>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/json.h"
#include "t2t/base/log.h"
#include "t2t/serve/content_coding.h"
#include "t2t/text/unicode.h"

namespace t2t {
namespace {

using std::chrono::milliseconds;

SteadyTime After(milliseconds time) {
  return std::chrono::steady_clock::now() + time;
}

std::string HttpDate() {
  const std::time_t now = std::time(nullptr);
  std::tm parts = {};
  ::gmtime_r(&now, &parts);
  char text[64];
  const size_t size =
      std::strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text, size};
}

}  // namespace

HttpResponse HttpServer::ErrorResponse(int status, const std::string& message) {
  Json json = Json::Object();
  json.Set("error", ReplaceInvalidUtf8(message));
  HttpResponse response;
  response.status = status;
  response.body = json.ToString() + "\n";
  return response;
}

HttpServer::HttpServer(const HttpServerOptions& options, Handler handler)
    : options_(options), handler_(std::move(handler)) {
  listener_ = Listen(options_.host, options_.port, &port_, options_.port_flag);
  wake_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_fd_ < 0) throw IoError("can't make an eventfd for", options_.host);
  accept_thread_ = std::thread([this] { Accept(); });
}

HttpServer::~HttpServer() {
  Drain(milliseconds(0));
  ::close(wake_fd_);
}

size_t HttpServer::connections() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return open_.size();
}

bool HttpServer::draining() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return draining_;
}

void HttpServer::Drain(milliseconds grace) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    draining_ = true;
  }
  const uint64_t one = 1;
  // Never read: it wakes all threads that wait, now and later.
  if (::write(wake_fd_, &one, sizeof(one)) < 0) Warn("can't wake the server");
  if (accept_thread_.joinable()) accept_thread_.join();
  listener_.Close();
  std::unique_lock<std::mutex> lock(mutex_);
  const auto is_empty = [this] { return open_.empty(); };
  if (all_gone_.wait_for(lock, grace, is_empty)) return;
  for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
  all_gone_.wait(lock, is_empty);
}

void HttpServer::Accept() {
  while (true) {
    pollfd waits[2] = {{listener_.fd(), POLLIN, 0}, {wake_fd_, POLLIN, 0}};
    if (::poll(waits, 2, -1) < 0) continue;
    // What was queued before Drain() is still served.
    Socket socket(waits[0].revents == 0
                      ? -1
                      : ::accept4(listener_.fd(), nullptr, nullptr,
                                  SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket.open()) {
      if (draining()) return;
      if (waits[0].revents != 0 && errno != EAGAIN && errno != ECONNABORTED) {
        // No descriptors or memory left: wait for connections to end.
        std::this_thread::sleep_for(milliseconds(20));
      }
      continue;
    }
    const int on = 1;
    ::setsockopt(socket.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    const int fd = socket.fd();
    bool taken = false;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (open_.size() < options_.max_connections) {
        taken = open_.insert(fd).second;
      }
    }
    if (taken) {
      try {
        std::thread([this, fd] { Serve(Socket(fd)); }).detach();
        socket.Release();  // the thread owns it now
        continue;
      } catch (const std::system_error&) {
        const std::lock_guard<std::mutex> lock(mutex_);
        open_.erase(fd);
      }
    }
    if (options_.tls != nullptr) continue;  // no time for a handshake
    HttpResponse busy = ErrorResponse(503, "too many connections");
    busy.headers.emplace_back("Retry-After", "1");
    // The send buffer of a new connection holds it: there is no wait.
    Respond(&socket, nullptr, busy, /*keep_alive=*/false);
  }
}

void HttpServer::Serve(Socket socket) {
  std::string received;
  bool is_first = true;
  if (options_.tls == nullptr || StartTls(&socket)) {
    while (ServeOne(&socket, is_first, &received)) is_first = false;
  }
  // The lock keeps Drain() from a descriptor that is another's by then, and
  // the server alive until nothing of it is touched any more.
  const std::lock_guard<std::mutex> lock(mutex_);
  open_.erase(socket.fd());
  socket.Close();
  if (open_.empty()) all_gone_.notify_all();
}

bool HttpServer::StartTls(Socket* socket) {
  char first = 0;
  if (socket->Peek(&first, After(options_.idle_timeout), wake_fd_) !=
      Socket::Result::kOk) {
    return false;
  }
  // TLS begins with a byte that is no letter, all of HTTP's methods are
  // letters.
  if (first >= 'A' && first <= 'Z') {
    Respond(socket, nullptr,
            ErrorResponse(400, "this port speaks HTTPS, not plain HTTP"),
            /*keep_alive=*/false);
    Linger(socket);
    return false;
  }
  std::string error;
  try {
    if (socket->StartTls(*options_.tls, "", After(options_.header_timeout),
                         &error) == Socket::Result::kOk) {
      return true;
    }
  } catch (const std::exception& exception) {
    Warn("TLS: " + std::string(exception.what()));
    return false;
  }
  Linger(socket);
  return false;
}

bool HttpServer::ServeOne(Socket* socket, bool is_first,
                          std::string* received) {
  HttpParser parser(HttpParser::Kind::kRequest, options_.limits);
  if (!ReadRequest(socket, is_first, received, &parser)) return false;
  HttpMessage& request = parser.message();
  std::optional<HttpResponse> refusal = CheckHeaders(request);
  if (!refusal.has_value()) refusal = DecodeBody(&request);
  if (refusal.has_value()) {
    Refuse(socket, request, *std::move(refusal));
    return false;
  }
  HttpResponse response;
  try {
    response = handler_(request, [&] { return socket->IsClosedByPeer(); });
  } catch (const std::exception& error) {
    Warn(request.method + " " + request.path + ": " + error.what());
    response = ErrorResponse(500, "internal error");
  }
  const bool keep_alive = request.keep_alive && !draining();
  return Respond(socket, &request, response, keep_alive) && keep_alive;
}

bool HttpServer::ReadRequest(Socket* socket, bool is_first,
                             std::string* received, HttpParser* parser) {
  SteadyTime until = After(options_.idle_timeout);
  bool in_body = false;
  int wake_fd = wake_fd_;
  while (true) {
    received->erase(0, parser->Feed(*received));
    const HttpMessage& request = parser->message();
    if (parser->error_status() != 0) {
      Refuse(socket, request,
             ErrorResponse(parser->error_status(), parser->error()));
      return false;
    }
    if (parser->done()) return true;
    if (parser->has_headers() && !in_body) {
      in_body = true;
      until = After(options_.body_timeout);
      if (const auto refusal = CheckHeaders(request)) {
        Refuse(socket, request, *refusal);
        return false;
      }
      if (request.expects_continue && received->empty() &&
          request.body.empty() &&
          socket->Write("HTTP/1.1 100 Continue\r\n\r\n", until) !=
              Socket::Result::kOk) {
        return false;
      }
    }
    const bool had_started = parser->started();
    switch (socket->Read(received, until, had_started ? -1 : wake_fd)) {
      case Socket::Result::kOk:
        break;
      case Socket::Result::kWoken:
        // Who has just connected is about to ask.
        if (!is_first || wake_fd < 0) return false;
        wake_fd = -1;
        until = After(milliseconds(500));
        continue;
      case Socket::Result::kTimeout:
        if (had_started) {
          Refuse(socket, request,
                 ErrorResponse(408, "the request did not come in time"));
        }
        return false;
      default:
        return false;
    }
    if (!had_started) until = After(options_.header_timeout);
  }
}

std::optional<HttpResponse> HttpServer::CheckHeaders(
    const HttpMessage& request) const {
  if (request.scheme == "https" && options_.tls == nullptr) {
    return ErrorResponse(421, "this port does not speak HTTPS");
  }
  std::vector<ContentCoding> codings;
  if (ContentCodingsOf(request, &codings)) return {};
  HttpResponse response =
      ErrorResponse(415, "the Content-Encoding is unknown; known are " +
                             std::string(kContentCodings));
  response.headers.emplace_back("Accept-Encoding", kContentCodings);
  return response;
}

std::optional<HttpResponse> HttpServer::DecodeBody(HttpMessage* request) const {
  std::vector<ContentCoding> codings;
  ContentCodingsOf(*request, &codings);
  const int status =
      DecodeContent(codings, options_.limits.body, &request->body);
  if (status == 0) return {};
  return ErrorResponse(
      status, status == 413 ? "the decompressed body is too large"
                            : "the body is not what its Content-Encoding says");
}

void HttpServer::Refuse(Socket* socket, const HttpMessage& request,
                        const HttpResponse& response) {
  Respond(socket, &request, response, /*keep_alive=*/false);
  Linger(socket);
}

bool HttpServer::Respond(Socket* socket, const HttpMessage* request,
                         const HttpResponse& response, bool keep_alive) {
  // RFC 9110, 8.6 and 15.4.5: these have no body, nor its length.
  const bool has_content = response.status != 204 && response.status != 304;
  std::string text = "HTTP/1.1 " + std::to_string(response.status) + " " +
                     HttpReason(response.status) + "\r\nDate: " + HttpDate() +
                     "\r\n";
  if (has_content) {
    text += "Content-Type: " + response.content_type +
            "\r\nContent-Length: " + std::to_string(response.body.size()) +
            "\r\nX-Content-Type-Options: nosniff\r\n";
  }
  for (const auto& [name, value] : response.headers) {
    text += name + ": " + value + "\r\n";
  }
  if (!keep_alive) {
    text += "Connection: close\r\n";
  } else if (request != nullptr && request->minor_version == 0) {
    text += "Connection: keep-alive\r\n";
  }
  text += "\r\n";
  if (has_content && (request == nullptr || request->method != "HEAD")) {
    text += response.body;
  }
  return socket->Write(text, After(options_.write_timeout)) ==
         Socket::Result::kOk;
}

void HttpServer::Linger(Socket* socket) {
  constexpr size_t kMost = 1 << 20;
  socket->EndWriting();
  const SteadyTime until = After(milliseconds(500));
  size_t count = 0;
  std::string dropped;
  while (count < kMost &&
         socket->Read(&dropped, until) == Socket::Result::kOk) {
    count += dropped.size();
    dropped.clear();
  }
}

}  // namespace t2t
