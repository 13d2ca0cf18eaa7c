#include "t2t/serve/rest_api.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/json.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/serve/model_path.h"
#include "t2t/serve/page.h"
#include "t2t/serve/rest_json.h"

namespace t2t {
namespace {

constexpr char kPlainText[] = "text/plain; charset=utf-8";
constexpr char kErrorHeader[] = "X-T2T-Error";

HttpResponse Text(const std::string& body) {
  HttpResponse response;
  response.body = body;
  response.content_type = kPlainText;
  return response;
}

HttpResponse JsonResponse(const Json& json) {
  HttpResponse response;
  response.body = json.ToString() + "\n";
  return response;
}

int HttpStatus(ServeCode code) {
  switch (code) {
    case ServeCode::kOk:
      return 200;
    case ServeCode::kInvalidArgument:
      return 400;
    case ServeCode::kUnauthenticated:
      return 401;
    case ServeCode::kNotFound:
      return 404;
    case ServeCode::kResourceExhausted:
      return 429;
    case ServeCode::kCancelled:
      return 499;  // as nginx's; nobody reads it
    case ServeCode::kUnimplemented:
      return 501;
    case ServeCode::kUnavailable:
      return 503;
    case ServeCode::kDeadlineExceeded:
      return 504;
    case ServeCode::kInternal:
      break;
  }
  return 500;
}

HttpResponse Refusal(ServeCode code, const std::string& error) {
  HttpResponse response = HttpServer::ErrorResponse(HttpStatus(code), error);
  if (response.status == 429 || response.status == 503) {
    response.headers.emplace_back("Retry-After", "1");
  }
  return response;
}

HttpResponse WrongMethod(const std::string& allowed) {
  HttpResponse response =
      HttpServer::ErrorResponse(405, "only " + allowed + " works here");
  response.headers.emplace_back("Allow", allowed);
  return response;
}

constexpr char kGet[] = "GET, HEAD, OPTIONS";
constexpr char kPost[] = "POST, OPTIONS";

bool IsGet(const HttpMessage& request) {
  return request.method == "GET" || request.method == "HEAD";
}

bool Has(std::string_view methods, const std::string& method) {
  for (const std::string& one : Split(methods, ',')) {
    if (Trim(one) == method) return true;
  }
  return false;
}

HttpResponse NotFound(const std::string& error) {
  return HttpServer::ErrorResponse(404, error);
}

std::string NotServed(const ModelPath& path) {
  const std::string which =
      path.version.has_value()
          ? "Specific(" + path.name + ", " + std::to_string(*path.version) + ")"
          : "Latest(" + path.name + ")";
  return "Servable not found for request: " + which;
}

// An answer of no content that says what may be asked.
HttpResponse Allows(const std::string& methods) {
  HttpResponse response;
  response.status = 204;
  response.headers.emplace_back("Allow", methods);
  return response;
}

HttpResponse Page() {
  HttpResponse page;
  page.body = kPage;
  page.content_type = "text/html; charset=utf-8";
  page.headers.emplace_back(
      "Content-Security-Policy",
      "default-src 'none'; style-src 'unsafe-inline'; "
      "script-src 'unsafe-inline'; connect-src 'self'; "
      "base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
  return page;
}

// RFC 9110, 13.2. What is here has no validators: only "*" can match.
HttpResponse AfterPreconditions(const HttpMessage& request,
                                HttpResponse response) {
  if (!IsGet(request) || response.status != 200) return response;
  const std::string* match = request.Header("if-match");
  if (match != nullptr && *match != "*") {
    return HttpServer::ErrorResponse(412, "there is no such version of this");
  }
  const std::string* none = request.Header("if-none-match");
  if (none != nullptr && *none == "*") {
    HttpResponse unchanged;
    unchanged.status = 304;
    return unchanged;
  }
  return response;
}

// On one line, of letters that a header may have.
std::string HeaderText(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    if (c == '\n') {
      safe += ';';
    } else {
      safe += c >= 0x20 && c < 0x7F ? c : '?';
    }
  }
  return safe;
}

std::string LineError(int64_t row, const std::string& error) {
  return "line " + std::to_string(row + 1) + ": " + error;
}

// The lines that were refused, while the others are answered.
void AddLineErrors(const std::vector<std::string>& errors,
                   HttpResponse* response) {
  constexpr size_t kMost = 8;
  size_t count = 0;
  for (size_t i = 0; i < errors.size(); ++i) {
    if (errors[i].empty() || ++count > kMost) continue;
    response->headers.emplace_back(
        kErrorHeader,
        HeaderText(LineError(static_cast<int64_t>(i), errors[i])));
  }
  if (count > kMost) {
    response->headers.emplace_back(
        kErrorHeader, std::to_string(count - kMost) + " more lines");
  }
}

}  // namespace

bool SameSecret(std::string_view a, std::string_view b) {
  unsigned difference = a.size() == b.size() ? 0 : 1;
  for (size_t i = 0; i < b.size(); ++i) {
    const char other = i < a.size() ? a[i] : '\0';
    difference |= static_cast<unsigned char>(b[i] ^ other);
  }
  return difference == 0;
}

bool IsAuthorized(const std::string* authorization, const std::string& token) {
  if (token.empty()) return true;
  if (authorization == nullptr) return false;
  constexpr std::string_view kScheme = "bearer ";
  std::string_view credentials = *authorization;
  if (Lower(credentials.substr(0, kScheme.size())) != kScheme) return false;
  credentials.remove_prefix(kScheme.size());
  while (StartsWith(credentials, " ")) credentials.remove_prefix(1);
  return SameSecret(credentials, token);
}

HttpResponse RestApi::Handle(const HttpMessage& request,
                             const IsGone& is_gone) {
  const double start = NowSeconds();
  HttpResponse response = AfterPreconditions(request, Route(request, is_gone));
  service_->CountAnswer("http", std::to_string(response.status),
                        NowSeconds() - start);
  return response;
}

HttpResponse RestApi::Route(const HttpMessage& request, const IsGone& is_gone) {
  // Of RFC 9110, and RFC 5789's PATCH. This server is no proxy.
  if (!Has("GET, HEAD, POST, PUT, DELETE, OPTIONS, TRACE, PATCH",
           request.method)) {
    return HttpServer::ErrorResponse(501, "the method is unknown");
  }
  const std::string& path = request.path;
  if (path == "*") return Allows("GET, HEAD, POST, OPTIONS");
  ModelPath model;
  std::string methods;
  if (IsModelPath(path)) {
    try {
      model = ParseModelPath(request.method, path);
    } catch (const Error& error) {
      return HttpServer::ErrorResponse(400, error.what());
    }
    methods = StartsWith(model.rest, ":") ? kPost : kGet;
  } else if (path == "/translate" || path == "/attention") {
    methods = kPost;
  } else if (path == "/" || path == "/healthz" || path == "/readyz" ||
             path == "/metrics") {
    methods = kGet;
  } else {
    return HttpServer::ErrorResponse(404, "there is nothing at this path");
  }
  if (request.method == "OPTIONS") return Allows(methods);
  if (!Has(methods, request.method)) return WrongMethod(methods);
  if (path == "/") return Page();
  if (path == "/healthz") return Text("ok\n");
  if (path == "/readyz" && !ready_) {
    return HttpServer::ErrorResponse(503, "the server is stopping");
  }
  if (path == "/readyz" && service_->is_loaded()) return Text("ok\n");
  if (path != "/readyz" &&
      !IsAuthorized(request.Header("authorization"), options_.bearer_token)) {
    HttpResponse response =
        HttpServer::ErrorResponse(401, "the bearer token is missing or wrong");
    response.headers.emplace_back("WWW-Authenticate", "Bearer");
    return response;
  }
  if (path == "/metrics") {
    HttpResponse response = Text(service_->MetricsText());
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    return response;
  }
  if (!service_->is_loaded()) {
    return Refusal(ServeCode::kUnavailable, "the model is being loaded");
  }
  try {
    if (path == "/translate") return Translate(request, is_gone);
    if (path == "/attention") return Attention(request, is_gone);
    return Model(model, request, is_gone);
  } catch (const Error& error) {
    // What is wrong with the request.
    return HttpServer::ErrorResponse(400, error.what());
  }
}

ModelService::Time RestApi::Deadline(const HttpMessage& request) const {
  std::chrono::milliseconds timeout = options_.timeout;
  if (const std::string* header = request.Header("x-timeout-ms")) {
    int64_t wanted = 0;
    if (!ParseInt(*header, &wanted) || wanted < 1) {
      throw DataError("the X-Timeout-Ms header is no number of milliseconds");
    }
    timeout = std::min(timeout, std::chrono::milliseconds(wanted));
  }
  return std::chrono::steady_clock::now() + timeout;
}

HttpResponse RestApi::Attention(const HttpMessage& request,
                                const IsGone& is_gone) {
  const ModelService::Time deadline = Deadline(request);
  const std::string text(Trim(request.body));
  if (text.find('\n') != std::string::npos) {
    throw DataError("the body is more than a sentence");
  }
  const AttentionResult result = service_->Attend(text, deadline, is_gone);
  if (result.code != ServeCode::kOk) {
    return Refusal(result.code, result.error);
  }
  return JsonResponse(AttentionJson(result));
}

HttpResponse RestApi::Translate(const HttpMessage& request,
                                const IsGone& is_gone) {
  const ModelService::Time deadline = Deadline(request);
  PredictCall call;
  call.has_row_errors = true;
  call.is_text_only = true;
  std::vector<std::string> lines = Split(request.body, '\n');
  if (lines.back().empty()) lines.pop_back();
  for (std::string& line : lines) call.inputs.push_back({std::move(line)});
  const PredictResult result =
      service_->PredictAndWait(call, deadline, is_gone);
  HttpResponse response;
  if (result.code == ServeCode::kOk) {
    std::string text;
    for (const auto& row : result.texts) {
      text += ReplaceAll(row.at(0), "\n", " ") + "\n";
    }
    response = Text(text);
  } else {
    // All of them: the first one's line instead of its row.
    const auto first =
        std::find_if(result.row_errors.begin(), result.row_errors.end(),
                     [](const std::string& error) { return !error.empty(); });
    response =
        Refusal(result.code,
                first == result.row_errors.end()
                    ? result.error
                    : LineError(first - result.row_errors.begin(), *first));
  }
  AddLineErrors(result.row_errors, &response);
  return response;
}

HttpResponse RestApi::Predict(const ModelPath& path, const HttpMessage& request,
                              const IsGone& is_gone) {
  if (path.rest != ":predict") {
    throw DataError("the signature serving_default is one to predict with",
                    ":predict");
  }
  const ModelService::Time deadline = Deadline(request);
  RestCall parsed = ParseRestCall(request.body);
  parsed.call.version = path.version;
  const PredictResult result =
      service_->PredictAndWait(parsed.call, deadline, is_gone);
  if (result.code != ServeCode::kOk) {
    return Refusal(result.code, result.error);
  }
  return JsonResponse(ResultJson(result, parsed.by_rows));
}

HttpResponse RestApi::Model(const ModelPath& path, const HttpMessage& request,
                            const IsGone& is_gone) {
  const bool is_status = path.rest.empty();
  if (path.name != service_->name()) {
    return NotFound(is_status
                        ? "Could not find any versions of model " + path.name
                        : NotServed(path));
  }
  if (!path.label.empty()) {
    throw DataError("Unrecognized servable version label: " + path.label);
  }
  if (StartsWith(path.rest, ":")) return Predict(path, request, is_gone);
  if (!is_status) {
    const auto served = service_->versions().Get(path.version);
    if (served == nullptr) return NotFound(NotServed(path));
    return JsonResponse(MetadataJson(service_->name(), *served));
  }
  std::vector<VersionStatus> statuses = service_->versions().Statuses();
  if (path.version.has_value()) {
    std::erase_if(statuses, [&](const VersionStatus& status) {
      return status.version != *path.version;
    });
    if (statuses.empty()) {
      return NotFound("Could not find version " +
                      std::to_string(*path.version) + " of model " + path.name);
    }
  }
  return JsonResponse(StatusJson(statuses));
}

}  // namespace t2t
