#include "t2t/serve/rest_api.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/json.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/data/unicode.h"
#include "t2t/serve/base64.h"
#include "t2t/serve/page.h"

namespace t2t {
namespace {

constexpr char kPlainText[] = "text/plain; charset=utf-8";
constexpr char kSignature[] = "serving_default";
constexpr std::string_view kModels = "/v1/models/";

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

// The shortest decimal that reads back as the same float.
double ShortFloat(float value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof(text), value).ptr;
  double result = value;
  ParseDouble({text, static_cast<size_t>(end - text)}, &result);
  return result;
}

PredictInput InputOf(const Json& value) {
  if (value.is_string()) return {value.AsString(), true};
  if (value.is_object() && value.members().size() == 1 &&
      value.members()[0].first == "b64") {
    PredictInput input;
    input.is_text = false;
    if (!DecodeBase64(value.members()[0].second.AsString(), &input.bytes)) {
      throw DataError("a \"b64\" is no base64");
    }
    return input;
  }
  throw DataError("an input is neither a text nor {\"b64\": \"...\"}");
}

// The one named input of a row or of the columns.
const Json& Unnamed(const Json& value) {
  if (!value.is_object() || value.Find("b64") != nullptr) return value;
  if (value.members().size() != 1 || value.Find("input") == nullptr) {
    throw DataError("the model has one input, by the name \"input\"");
  }
  return value.At("input");
}

struct PredictCall {
  std::vector<PredictInput> inputs;
  bool by_rows = true;
};

PredictCall ParseCall(const std::string& body) {
  const Json json = Json::Parse(body);
  if (!json.is_object()) throw DataError("the body is no JSON object");
  for (const auto& [key, value] : json.members()) {
    if (key != "instances" && key != "inputs" && key != "signature_name") {
      throw DataError("the key \"" + key + "\" is unknown");
    }
  }
  if (const Json* signature = json.Find("signature_name")) {
    if (!signature->AsString().empty() && signature->AsString() != kSignature) {
      throw DataError("there is no signature \"" + signature->AsString() +
                      "\"; the one there is: " + kSignature);
    }
  }
  const Json* rows = json.Find("instances");
  const Json* columns = json.Find("inputs");
  if ((rows == nullptr) == (columns == nullptr)) {
    throw DataError("the body must have either \"instances\" or \"inputs\"");
  }
  PredictCall call;
  call.by_rows = rows != nullptr;
  const Json& list = call.by_rows ? *rows : Unnamed(*columns);
  if (!list.is_array()) throw DataError("the inputs are no list");
  for (const Json& item : list.items()) {
    call.inputs.push_back(InputOf(call.by_rows ? Unnamed(item) : item));
  }
  return call;
}

Json IdsJson(const std::vector<int64_t>& ids, size_t length) {
  Json json = Json::Array();
  for (size_t i = 0; i < length; ++i) {
    json.Append(i < ids.size() ? ids[i] : int64_t{0});
  }
  return json;
}

// A row's values; with beams each is a list of them.
struct RowJson {
  Json outputs, scores, text;
};

RowJson MakeRow(const PredictResult& result, size_t row, size_t length) {
  const auto& hypotheses = result.predictions[row].hypotheses;
  const auto& texts = result.texts[row];
  RowJson json{Json::Array(), Json::Array(), Json::Array()};
  for (size_t i = 0; i < hypotheses.size(); ++i) {
    json.outputs.Append(IdsJson(hypotheses[i].ids, length));
    json.scores.Append(ShortFloat(hypotheses[i].score));
    if (i < texts.size()) json.text.Append(ReplaceInvalidUtf8(texts[i]));
  }
  if (result.beams == 0) {
    json.outputs = Json(json.outputs.items().at(0));
    json.scores = Json(json.scores.items().at(0));
    if (!texts.empty()) json.text = Json(json.text.items().at(0));
  }
  return json;
}

Json ResultJson(const PredictResult& result, bool by_rows) {
  size_t length = 0;
  bool all_texts = true;
  for (const Prediction& prediction : result.predictions) {
    for (const auto& hypothesis : prediction.hypotheses) {
      length = std::max(length, hypothesis.ids.size());
    }
  }
  for (const auto& texts : result.texts) all_texts &= !texts.empty();
  Json predictions = Json::Array();
  Json outputs = Json::Array();
  Json scores = Json::Array();
  Json text = Json::Array();
  for (size_t i = 0; i < result.predictions.size(); ++i) {
    RowJson row = MakeRow(result, i, length);
    if (by_rows) {
      Json object = Json::Object();
      object.Set("outputs", std::move(row.outputs));
      object.Set("scores", std::move(row.scores));
      if (!result.texts[i].empty()) object.Set("text", std::move(row.text));
      predictions.Append(std::move(object));
    } else {
      outputs.Append(std::move(row.outputs));
      scores.Append(std::move(row.scores));
      text.Append(std::move(row.text));
    }
  }
  Json json = Json::Object();
  if (by_rows) {
    json.Set("predictions", std::move(predictions));
  } else {
    Json columns = Json::Object();
    columns.Set("outputs", std::move(outputs));
    columns.Set("scores", std::move(scores));
    if (all_texts) columns.Set("text", std::move(text));
    json.Set("outputs", std::move(columns));
  }
  return json;
}

Json StringsJson(const std::vector<std::string>& strings) {
  Json json = Json::Array();
  for (const std::string& text : strings) json.Append(ReplaceInvalidUtf8(text));
  return json;
}

// Nested lists: layers, heads, outputs, inputs. Four digits are more than
// anybody sees.
Json AttentionJson(const AttentionResult& result) {
  const AttentionWeights& attention = result.attention;
  auto weight = attention.weights.begin();
  Json layers = Json::Array();
  for (int64_t layer = 0; layer < attention.layers; ++layer) {
    Json heads = Json::Array();
    for (int64_t head = 0; head < attention.heads; ++head) {
      Json rows = Json::Array();
      for (size_t i = 0; i < attention.outputs.size(); ++i) {
        Json row = Json::Array();
        for (size_t j = 0; j < attention.inputs.size(); ++j) {
          row.Append(std::round(double{*weight++} * 1e4) / 1e4);
        }
        rows.Append(std::move(row));
      }
      heads.Append(std::move(rows));
    }
    layers.Append(std::move(heads));
  }
  Json json = Json::Object();
  json.Set("version", std::to_string(result.version));
  json.Set("text", ReplaceInvalidUtf8(result.text));
  json.Set("inputs", StringsJson(attention.inputs));
  json.Set("outputs", StringsJson(attention.outputs));
  json.Set("attention", std::move(layers));
  return json;
}

Json StatusJson(const std::vector<VersionStatus>& statuses) {
  Json list = Json::Array();
  for (const VersionStatus& status : statuses) {
    Json error = Json::Object();
    error.Set("error_code", status.error.empty() ? "OK" : "UNKNOWN");
    error.Set("error_message", ReplaceInvalidUtf8(status.error));
    Json item = Json::Object();
    item.Set("version", std::to_string(status.version));
    item.Set("state", status.state);
    item.Set("status", std::move(error));
    list.Append(std::move(item));
  }
  Json json = Json::Object();
  json.Set("model_version_status", std::move(list));
  return json;
}

Json TensorInfo(const std::string& type, int64_t rank,
                const std::string& name) {
  Json dims = Json::Array();
  for (int64_t i = 0; i < rank; ++i) {
    Json dim = Json::Object();
    dim.Set("size", "-1");
    dim.Set("name", "");
    dims.Append(std::move(dim));
  }
  Json shape = Json::Object();
  shape.Set("dim", std::move(dims));
  shape.Set("unknown_rank", false);
  Json info = Json::Object();
  info.Set("dtype", type);
  info.Set("tensor_shape", std::move(shape));
  info.Set("name", name);
  return info;
}

Json MetadataJson(const std::string& name, const ServedVersion& served) {
  const int64_t rank = served.servable->beams() > 0 ? 2 : 1;
  Json inputs = Json::Object();
  inputs.Set("input", TensorInfo("DT_STRING", 1, "serialized_example:0"));
  Json outputs = Json::Object();
  outputs.Set("outputs", TensorInfo(served.servable->gives_int32() ? "DT_INT32"
                                                                   : "DT_INT64",
                                    rank + 1, "outputs:0"));
  outputs.Set("scores", TensorInfo("DT_FLOAT", rank, "scores:0"));
  Json signature = Json::Object();
  signature.Set("inputs", std::move(inputs));
  signature.Set("outputs", std::move(outputs));
  signature.Set("method_name", "tensorflow/serving/predict");
  Json by_name = Json::Object();
  by_name.Set(kSignature, std::move(signature));
  Json map = Json::Object();
  map.Set("signature_def", std::move(by_name));
  Json metadata = Json::Object();
  metadata.Set("signature_def", std::move(map));
  Json spec = Json::Object();
  spec.Set("name", name);
  spec.Set("signature_name", "");
  spec.Set("version", std::to_string(served.version));
  Json json = Json::Object();
  json.Set("model_spec", std::move(spec));
  json.Set("metadata", std::move(metadata));
  return json;
}

// What stands behind /v1/models/.
struct ModelPath {
  std::string name;
  std::optional<int64_t> version;
  std::string rest;  // "", "/metadata", ":predict"
};

std::optional<ModelPath> ParseModelPath(std::string_view path) {
  constexpr std::string_view kVersions = "/versions/";
  ModelPath parsed;
  const size_t name_end = std::min(path.find_first_of("/:"), path.size());
  parsed.name = path.substr(0, name_end);
  path.remove_prefix(name_end);
  if (StartsWith(path, kVersions)) {
    path.remove_prefix(kVersions.size());
    const size_t end = std::min(path.find_first_of("/:"), path.size());
    int64_t version = 0;
    if (!ParseInt(path.substr(0, end), &version) || version < 0) return {};
    parsed.version = version;
    path.remove_prefix(end);
  }
  parsed.rest = path;
  if (parsed.name.empty()) return {};
  return parsed;
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
  constexpr std::string_view kScheme = "bearer ";
  if (token.empty()) return true;
  if (authorization == nullptr || authorization->size() < kScheme.size() ||
      Lower(authorization->substr(0, kScheme.size())) != kScheme) {
    return false;
  }
  return SameSecret(std::string_view(*authorization).substr(kScheme.size()),
                    token);
}

HttpResponse RestApi::Handle(const HttpMessage& request,
                             const IsGone& is_gone) {
  const double start = NowSeconds();
  HttpResponse response = Route(request, is_gone);
  service_->CountAnswer("http", std::to_string(response.status),
                        NowSeconds() - start);
  return response;
}

HttpResponse RestApi::Route(const HttpMessage& request, const IsGone& is_gone) {
  const std::string& path = request.path;
  const bool is_get = request.method == "GET" || request.method == "HEAD";
  if (path == "/" || path == "/healthz" || path == "/readyz") {
    if (!is_get) return WrongMethod("GET, HEAD");
    if (path == "/healthz") return Text("ok\n");
    if (path == "/readyz") {
      return ready_ ? Text("ok\n")
                    : HttpServer::ErrorResponse(503, "the server is stopping");
    }
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
  if (!IsAuthorized(request.Header("authorization"), options_.bearer_token)) {
    HttpResponse response =
        HttpServer::ErrorResponse(401, "the bearer token is missing or wrong");
    response.headers.emplace_back("WWW-Authenticate", "Bearer");
    return response;
  }
  if (path == "/metrics") {
    if (!is_get) return WrongMethod("GET, HEAD");
    HttpResponse response = Text(service_->MetricsText());
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    return response;
  }
  if (path == "/translate") {
    return request.method == "POST" ? Translate(request, is_gone)
                                    : WrongMethod("POST");
  }
  if (path == "/attention") {
    return request.method == "POST" ? Attention(request, is_gone)
                                    : WrongMethod("POST");
  }
  if (StartsWith(path, kModels)) return Model(request, is_gone);
  return HttpServer::ErrorResponse(404, "there is nothing at this path");
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
  ModelService::Time deadline;
  try {
    deadline = Deadline(request);
  } catch (const Error& error) {
    return HttpServer::ErrorResponse(400, error.what());
  }
  const std::string text(Trim(request.body));
  if (text.find('\n') != std::string::npos) {
    return HttpServer::ErrorResponse(400, "the body is more than a sentence");
  }
  const AttentionResult result = service_->Attend(text, deadline, is_gone);
  if (result.code != ServeCode::kOk) {
    return Refusal(result.code, result.error);
  }
  return JsonResponse(AttentionJson(result));
}

HttpResponse RestApi::Translate(const HttpMessage& request,
                                const IsGone& is_gone) {
  std::vector<PredictInput> inputs;
  ModelService::Time deadline;
  try {
    deadline = Deadline(request);
  } catch (const Error& error) {
    return HttpServer::ErrorResponse(400, error.what());
  }
  std::vector<std::string> lines = Split(request.body, '\n');
  if (lines.back().empty()) lines.pop_back();
  for (std::string& line : lines) inputs.push_back({std::move(line), true});
  const PredictResult result =
      service_->PredictAndWait({}, std::move(inputs), deadline, is_gone);
  if (result.code != ServeCode::kOk) {
    return Refusal(result.code, result.error);
  }
  std::string text;
  for (const auto& row : result.texts) {
    text += ReplaceAll(row.at(0), "\n", " ") + "\n";
  }
  return Text(text);
}

HttpResponse RestApi::Model(const HttpMessage& request, const IsGone& is_gone) {
  const std::string malformed =
      "Malformed request: " + request.method + " " + request.path;
  const std::optional<ModelPath> path =
      ParseModelPath(std::string_view(request.path).substr(kModels.size()));
  if (!path.has_value() || (path->rest != "" && path->rest != "/metadata" &&
                            path->rest != ":predict")) {
    return HttpServer::ErrorResponse(404, malformed);
  }
  const bool predicts = path->rest == ":predict";
  if (predicts && request.method != "POST") return WrongMethod("POST");
  if (!predicts && request.method != "GET" && request.method != "HEAD") {
    return WrongMethod("GET, HEAD");
  }
  const std::string servable = path->version.has_value()
                                   ? "Specific(" + path->name + ", " +
                                         std::to_string(*path->version) + ")"
                                   : "Latest(" + path->name + ")";
  const HttpResponse not_found = HttpServer::ErrorResponse(
      404, "Servable not found for request: " + servable);
  if (path->name != service_->name()) return not_found;
  if (predicts) {
    PredictCall call;
    ModelService::Time deadline;
    try {
      deadline = Deadline(request);
      call = ParseCall(request.body);
    } catch (const Error& error) {
      return HttpServer::ErrorResponse(400, error.what());
    }
    const PredictResult result = service_->PredictAndWait(
        path->version, std::move(call.inputs), deadline, is_gone);
    if (result.code != ServeCode::kOk) {
      return Refusal(result.code, result.error);
    }
    return JsonResponse(ResultJson(result, call.by_rows));
  }
  if (path->rest == "/metadata") {
    const auto served = service_->versions().Get(path->version);
    if (served == nullptr) return not_found;
    return JsonResponse(MetadataJson(service_->name(), *served));
  }
  std::vector<VersionStatus> statuses = service_->versions().Statuses();
  if (path->version.has_value()) {
    std::erase_if(statuses, [&](const VersionStatus& status) {
      return status.version != *path->version;
    });
    if (statuses.empty()) {
      return HttpServer::ErrorResponse(404, "Could not find version " +
                                                std::to_string(*path->version) +
                                                " of model " + path->name);
    }
  }
  return JsonResponse(StatusJson(statuses));
}

}  // namespace t2t
