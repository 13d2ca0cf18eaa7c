#ifndef T2T_SERVE_HTTP_CLIENT_H_
#define T2T_SERVE_HTTP_CLIENT_H_

#include <chrono>
#include <memory>
#include <string>

#include "t2t/serve/http_parser.h"
#include "t2t/serve/socket.h"
#include "t2t/serve/tls.h"

namespace t2t {

// Asks one HTTP/1.1 server, over one connection for as long as that lasts.
class HttpClient {
 public:
  // tls: HTTPS.
  HttpClient(std::string host, int port, std::chrono::milliseconds timeout,
             std::shared_ptr<const TlsContext> tls = nullptr);

  // The response; throws an Error (kRetry) where there is none in time. Asks
  // again, once, where the server has closed the connection meanwhile.
  HttpMessage Ask(const std::string& method, const std::string& target,
                  const std::string& body = "",
                  const HttpHeaders& headers = {});

 private:
  void Open(SteadyTime until);
  bool TryAsk(const std::string& request, bool is_head, SteadyTime until,
              HttpMessage* response);

  const std::string host_;
  const int port_;
  const std::chrono::milliseconds timeout_;
  const std::shared_ptr<const TlsContext> tls_;
  Socket socket_;
};

}  // namespace t2t

#endif  // T2T_SERVE_HTTP_CLIENT_H_
