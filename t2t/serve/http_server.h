#ifndef T2T_SERVE_HTTP_SERVER_H_
#define T2T_SERVE_HTTP_SERVER_H_

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "t2t/serve/http_parser.h"
#include "t2t/serve/socket.h"
#include "t2t/serve/tls.h"

namespace t2t {

struct HttpResponse {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
  HttpHeaders headers;
};

struct HttpServerOptions {
  std::string host = "127.0.0.1";
  int port = 0;  // 0: a free one
  // For messages: what says so.
  std::string port_flag = "--rest_api_port";
  HttpLimits limits;
  size_t max_connections = 512;
  std::chrono::milliseconds header_timeout{10000};  // from the first byte on
  std::chrono::milliseconds body_timeout{30000};    // for the whole body
  std::chrono::milliseconds idle_timeout{75000};    // between requests
  std::chrono::milliseconds write_timeout{30000};
  // HTTPS; plain HTTP is then answered with 400.
  std::shared_ptr<const TlsContext> tls;
};

// HTTP/1.1 with a thread a connection. The handler is called by all of them
// at once; what it throws is answered with 500. Errors are JSON as TF
// Serving's: {"error": "..."}.
class HttpServer {
 public:
  // is_gone: whether nobody waits for the answer any more. A client that
  // closes its side of the connection has gone, as in Go's HTTP server.
  using Handler = std::function<HttpResponse(
      const HttpMessage& request, const std::function<bool()>& is_gone)>;

  // Listens when it returns; throws an Error where it can't.
  HttpServer(const HttpServerOptions& options, Handler handler);
  // Drains for no time at all.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  int port() const { return port_; }
  size_t connections() const;

  // No new connections; those at rest are closed, requests that have begun are
  // answered, at most for `grace`. Then all is closed.
  void Drain(std::chrono::milliseconds grace);

  static HttpResponse ErrorResponse(int status, const std::string& message);

 private:
  void Accept();
  void Serve(Socket socket);
  bool StartTls(Socket* socket);
  // One request; whether another may follow.
  bool ServeOne(Socket* socket, bool is_first, std::string* received);
  // False where none came, or it was refused.
  bool ReadRequest(Socket* socket, bool is_first, std::string* received,
                   HttpParser* parser);
  // What is wrong with the headers of a request, if anything.
  std::optional<HttpResponse> CheckHeaders(const HttpMessage& request) const;
  // Takes the content codings off; what is wrong with them, if anything.
  std::optional<HttpResponse> DecodeBody(HttpMessage* request) const;
  bool Respond(Socket* socket, const HttpMessage* request,
               const HttpResponse& response, bool keep_alive);
  // Answers what can't be taken, as the last thing on this connection.
  void Refuse(Socket* socket, const HttpMessage& request,
              const HttpResponse& response);
  // Reads on a little, so that the peer gets to read the answer.
  void Linger(Socket* socket);
  bool draining() const;

  const HttpServerOptions options_;
  const Handler handler_;
  int port_ = 0;
  Socket listener_;
  int wake_fd_ = -1;  // readable from Drain() on

  mutable std::mutex mutex_;
  std::condition_variable all_gone_;
  std::set<int> open_;  // the connections' descriptors
  bool draining_ = false;
  std::thread accept_thread_;
};

}  // namespace t2t

#endif  // T2T_SERVE_HTTP_SERVER_H_
