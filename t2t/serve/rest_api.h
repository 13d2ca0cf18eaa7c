#ifndef T2T_SERVE_REST_API_H_
#define T2T_SERVE_REST_API_H_

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "t2t/serve/http_parser.h"
#include "t2t/serve/http_server.h"
#include "t2t/serve/model_path.h"
#include "t2t/serve/model_service.h"

namespace t2t {

struct RestOptions {
  // A request's time, unless its X-Timeout-Ms header asks for less.
  std::chrono::milliseconds timeout{30000};
  // What "Authorization: Bearer ..." must say; empty: nothing. The page, the
  // two probes are open to all.
  std::string bearer_token;
};

// Compares in a time that does not depend on where the two differ.
bool SameSecret(std::string_view a, std::string_view b);
// Whether an "Authorization" value (nullptr: none) has the token.
bool IsAuthorized(const std::string* authorization, const std::string& token);

// TF Serving's REST interface (see ModelPath) and the plain one:
//   POST /translate   lines of text in, lines of text out; a line that is
//                     refused is empty, and an X-T2T-Error header says why
//   POST /attention   a sentence in, where the model looked out
//   GET  /, /healthz, /readyz, /metrics
// Until the service has loaded a model, all but the page and /healthz is 503.
class RestApi {
 public:
  RestApi(const RestOptions& options, ModelService* service)
      : options_(options), service_(service) {}

  // is_gone: whether nobody waits for the answer any more; may be empty.
  HttpResponse Handle(const HttpMessage& request,
                      const std::function<bool()>& is_gone = nullptr);
  // From now on /readyz says no.
  void StopBeingReady() { ready_ = false; }

 private:
  using IsGone = std::function<bool()>;

  HttpResponse Route(const HttpMessage& request, const IsGone& is_gone);
  HttpResponse Translate(const HttpMessage& request, const IsGone& is_gone);
  HttpResponse Attention(const HttpMessage& request, const IsGone& is_gone);
  HttpResponse Model(const ModelPath& path, const HttpMessage& request,
                     const IsGone& is_gone);
  HttpResponse Predict(const ModelPath& path, const HttpMessage& request,
                       const IsGone& is_gone);
  // Throws a DataError where the request asks for no time.
  ModelService::Time Deadline(const HttpMessage& request) const;

  const RestOptions options_;
  ModelService* const service_;
  std::atomic<bool> ready_{true};
};

}  // namespace t2t

#endif  // T2T_SERVE_REST_API_H_
