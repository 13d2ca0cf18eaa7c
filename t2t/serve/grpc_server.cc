#include "t2t/serve/grpc_server.h"

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/serve/rest_api.h"
#include "t2t/serve/serving_proto.h"
#include "t2t/serve/socket.h"
#include "t2t/text/unicode.h"

namespace t2t {
namespace {

constexpr char kPredict[] = "/tensorflow.serving.PredictionService/Predict";
constexpr char kGetMetadata[] =
    "/tensorflow.serving.PredictionService/GetModelMetadata";
constexpr char kGetStatus[] = "/tensorflow.serving.ModelService/GetModelStatus";
constexpr char kSignature[] = "serving_default";
constexpr int kUnknown = 2;
constexpr int kMostRequestBytes = 4 << 20;

grpc::Status ToStatus(ServeCode code, const std::string& error) {
  return grpc::Status(static_cast<grpc::StatusCode>(code),
                      ReplaceInvalidUtf8(error));
}

grpc::Status Invalid(const std::string& error) {
  return ToStatus(ServeCode::kInvalidArgument, error);
}

std::string ToString(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (!buffer.Dump(&slices).ok()) return bytes;
  bytes.reserve(buffer.Length());
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

grpc::ByteBuffer ToBuffer(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

// Tensors of T2T's export: outputs [rows, (beams,) length], scores [rows
// (, beams)]; text as the scores, where it was asked for; error [rows], where
// it was asked for or there is one.
PredictResponse MakeResponse(const PredictResult& result, bool with_text,
                             bool with_errors) {
  PredictResponse response;
  const auto rows = static_cast<int64_t>(result.predictions.size());
  size_t length = 0;
  for (const Prediction& prediction : result.predictions) {
    for (const auto& hypothesis : prediction.hypotheses) {
      length = std::max(length, hypothesis.ids.size());
    }
  }
  TensorValue outputs;
  TensorValue scores;
  TensorValue text;
  outputs.type = result.gives_int32 ? DataType::kInt32 : DataType::kInt64;
  scores.type = DataType::kFloat;
  scores.shape = {rows};
  if (result.beams > 0) scores.shape.push_back(result.beams);
  text.shape = scores.shape;
  outputs.shape = scores.shape;
  outputs.shape.push_back(static_cast<int64_t>(length));
  for (const Prediction& prediction : result.predictions) {
    for (const auto& hypothesis : prediction.hypotheses) {
      outputs.ints.insert(outputs.ints.end(), hypothesis.ids.begin(),
                          hypothesis.ids.end());
      outputs.ints.resize(outputs.ints.size() + length - hypothesis.ids.size());
      scores.floats.push_back(hypothesis.score);
    }
  }
  for (const auto& texts : result.texts) {
    text.strings.insert(text.strings.end(), texts.begin(), texts.end());
  }
  response.outputs["outputs"] = std::move(outputs);
  response.outputs["scores"] = std::move(scores);
  if (with_text) response.outputs["text"] = std::move(text);
  TensorValue errors;
  errors.shape = {rows};
  for (int64_t row = 0; row < rows; ++row) {
    const std::string& error = result.row_errors.at(static_cast<size_t>(row));
    with_errors |= !error.empty();
    errors.strings.push_back(
        error.empty() ? "" : "row " + std::to_string(row) + ": " + error);
  }
  if (with_errors) response.outputs["error"] = std::move(errors);
  return response;
}

std::shared_ptr<grpc::ServerCredentials> Credentials(const TlsFiles& files) {
  if (files.cert.empty()) return grpc::InsecureServerCredentials();
  // gRPC does not say what is wrong with files.
  TlsContext::ForServer(files);
  grpc::SslServerCredentialsOptions options(
      files.ca.empty()
          ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
          : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  if (!files.ca.empty()) options.pem_root_certs = ReadFile(files.ca);
  options.pem_key_cert_pairs.push_back(
      {ReadFile(files.key), ReadFile(files.cert)});
  return grpc::SslServerCredentials(options);
}

// Keeps those of the names only; false where there is no such output.
bool Filter(const std::vector<std::string>& names, PredictResponse* response,
            std::string* unknown) {
  if (names.empty()) return true;
  std::map<std::string, TensorValue> kept;
  for (const std::string& name : names) {
    auto found = response->outputs.find(name);
    if (found == response->outputs.end()) {
      *unknown = name;
      return false;
    }
    kept[name] = found->second;
  }
  response->outputs = std::move(kept);
  return true;
}

// Answers one call, once.
using Reply = std::function<void(const grpc::Status&, const std::string&)>;

class Service : public grpc::CallbackGenericService {
 public:
  Service(const GrpcOptions& options, ModelService* service)
      : options_(options), service_(service) {}

  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override;

  // The work ends early when *cancelled becomes true.
  void Handle(const grpc::GenericCallbackServerContext& context,
              const std::string& request,
              std::shared_ptr<const std::atomic<bool>> cancelled,
              Reply reply) const {
    const double start = NowSeconds();
    ModelService* const service = service_;
    Reply counted = [service, start, reply = std::move(reply)](
                        const grpc::Status& status, const std::string& bytes) {
      service->CountAnswer(
          "grpc", ServeCodeName(static_cast<ServeCode>(status.error_code())),
          NowSeconds() - start);
      reply(status, bytes);
    };
    const auto& metadata = context.client_metadata();
    const auto found = metadata.find("authorization");
    std::optional<std::string> authorization;
    if (found != metadata.end()) {
      authorization = std::string(found->second.data(), found->second.size());
    }
    if (!IsAuthorized(authorization.has_value() ? &*authorization : nullptr,
                      options_.bearer_token)) {
      counted(ToStatus(ServeCode::kUnauthenticated,
                       "the bearer token is missing or wrong"),
              "");
      return;
    }
    if (!service_->is_loaded()) {
      counted(ToStatus(ServeCode::kUnavailable, "the model is being loaded"),
              "");
      return;
    }
    try {
      if (context.method() == kPredict) {
        PredictRequest parsed = ParsePredictRequest(request);
        Predict(context, std::move(parsed), std::move(cancelled), counted);
      } else if (context.method() == kGetMetadata) {
        GetMetadata(ParseMetadataRequest(request), counted);
      } else {
        GetStatus(ParseStatusRequest(request), counted);
      }
    } catch (const Error& error) {
      // Only the parsers throw, so nothing was answered yet.
      counted(Invalid(error.what()), "");
    }
  }

 private:
  bool HasModel(const ModelSpec& spec, const Reply& reply) const {
    if (spec.name != service_->name()) {
      reply(
          ToStatus(ServeCode::kNotFound,
                   "Servable not found for request: Latest(" + spec.name + ")"),
          "");
      return false;
    }
    if (!spec.version_label.empty()) {
      // As TF Serving says it: there is no label that it was not given.
      reply(
          Invalid("Unrecognized servable version label: " + spec.version_label),
          "");
      return false;
    }
    return true;
  }

  void Predict(const grpc::GenericCallbackServerContext& context,
               PredictRequest request,
               std::shared_ptr<const std::atomic<bool>> cancelled,
               const Reply& reply) const {
    if (!HasModel(request.model_spec, reply)) return;
    const std::string& signature = request.model_spec.signature_name;
    if (!signature.empty() && signature != kSignature) {
      reply(Invalid("there is no signature \"" + signature +
                    "\"; the one there is: " + kSignature),
            "");
      return;
    }
    if (request.inputs.size() != 1 ||
        request.inputs.count("input") + request.inputs.count("text") != 1) {
      reply(Invalid("the one input is \"input\" (serialized tf.Examples) or "
                    "\"text\""),
            "");
      return;
    }
    auto& [name, tensor] = *request.inputs.begin();
    if (tensor.type != DataType::kString || tensor.shape.size() != 1) {
      reply(Invalid("\"" + name + "\" must be a list of strings"), "");
      return;
    }
    const bool is_text = name == "text";
    std::vector<std::string>& filter = request.output_filter;
    PredictCall call;
    call.version = request.model_spec.version;
    for (std::string& bytes : tensor.strings) {
      call.inputs.push_back({std::move(bytes), is_text});
    }
    // TF Serving's clients know of no such output and would take the padding
    // for an answer.
    const bool asks_for_errors =
        std::find(filter.begin(), filter.end(), "error") != filter.end();
    call.has_row_errors = asks_for_errors || (is_text && filter.empty());
    service_->Predict(
        call, Deadline(context),
        [model = service_->name(), is_text, asks_for_errors, reply,
         filter = std::move(filter)](PredictResult result) {
          if (result.code != ServeCode::kOk) {
            reply(ToStatus(result.code, result.error), "");
            return;
          }
          PredictResponse response =
              MakeResponse(result, is_text, asks_for_errors);
          std::string unknown;
          if (!Filter(filter, &response, &unknown)) {
            reply(Invalid("there is no output \"" + unknown + "\""), "");
            return;
          }
          response.model_spec.name = model;
          response.model_spec.version = result.version;
          response.model_spec.signature_name = kSignature;
          reply(grpc::Status::OK, SerializePredictResponse(response));
        },
        std::move(cancelled));
  }

  ModelService::Time Deadline(
      const grpc::GenericCallbackServerContext& context) const {
    const auto now = std::chrono::system_clock::now();
    const auto left = std::min<std::chrono::nanoseconds>(
        context.deadline() > now ? context.deadline() - now
                                 : std::chrono::nanoseconds(0),
        options_.timeout);
    return std::chrono::steady_clock::now() + left;
  }

  void GetStatus(const ModelSpec& spec, const Reply& reply) const {
    if (!HasModel(spec, reply)) return;
    std::vector<VersionState> states;
    for (const VersionStatus& status : service_->versions().Statuses()) {
      if (spec.version.has_value() && status.version != *spec.version) continue;
      states.push_back({status.version, status.state,
                        status.error.empty() ? 0 : kUnknown,
                        ReplaceInvalidUtf8(status.error)});
    }
    if (states.empty()) {
      reply(ToStatus(ServeCode::kNotFound,
                     "Could not find version " +
                         std::to_string(spec.version.value_or(0)) +
                         " of model " + spec.name),
            "");
      return;
    }
    reply(grpc::Status::OK, SerializeStatusResponse(states));
  }

  void GetMetadata(const MetadataRequest& request, const Reply& reply) const {
    if (!HasModel(request.model_spec, reply)) return;
    if (request.fields != std::vector<std::string>{"signature_def"}) {
      reply(Invalid("the one metadata field is signature_def"), "");
      return;
    }
    const auto served = service_->versions().Get(request.model_spec.version);
    if (served == nullptr) {
      reply(ToStatus(ServeCode::kNotFound, "Servable not found for request"),
            "");
      return;
    }
    const int rank = served->servable->beams() > 0 ? 2 : 1;
    const DataType type =
        served->servable->gives_int32() ? DataType::kInt32 : DataType::kInt64;
    ModelSpec spec;
    spec.name = service_->name();
    spec.version = served->version;
    reply(grpc::Status::OK,
          SerializeMetadataResponse(spec, {{"input", {DataType::kString, 1}}},
                                    {{"outputs", {type, rank + 1}},
                                     {"scores", {DataType::kFloat, rank}}}));
  }

  const GrpcOptions options_;
  ModelService* const service_;
};

// A unary call: reads the request, answers, is gone.
class Call : public grpc::ServerGenericBidiReactor {
 public:
  Call(const Service* service, grpc::GenericCallbackServerContext* context)
      : service_(service), context_(context) {
    StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      Finish(Invalid("there is no request"));
      return;
    }
    service_->Handle(
        *context_, ToString(request_), cancelled_,
        [this](const grpc::Status& status, const std::string& bytes) {
          if (!status.ok()) {
            Finish(status);
            return;
          }
          response_ = ToBuffer(bytes);
          StartWriteAndFinish(&response_, grpc::WriteOptions(), status);
        });
  }

  // The client has gone or its deadline is over.
  void OnCancel() override { *cancelled_ = true; }
  void OnDone() override { delete this; }

 private:
  const std::shared_ptr<std::atomic<bool>> cancelled_ =
      std::make_shared<std::atomic<bool>>(false);
  const Service* const service_;
  grpc::GenericCallbackServerContext* const context_;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer response_;
};

class Refusal : public grpc::ServerGenericBidiReactor {
 public:
  Refusal() { Finish(grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "")); }
  void OnDone() override { delete this; }
};

grpc::ServerGenericBidiReactor* Service::CreateReactor(
    grpc::GenericCallbackServerContext* context) {
  const std::string& method = context->method();
  if (method != kPredict && method != kGetMetadata && method != kGetStatus) {
    return new Refusal;
  }
  return new Call(this, context);
}

}  // namespace

class GrpcServer::Impl {
 public:
  Impl(const GrpcOptions& options, ModelService* service)
      : service_(options, service) {
    grpc::EnableDefaultHealthCheckService(true);
    const bool is_v6 = options.host.find(':') != std::string::npos;
    const std::string address =
        (is_v6 ? "[" + options.host + "]" : options.host) + ":" +
        std::to_string(options.port);
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address, Credentials(options.tls), &port_);
    // Otherwise a second server would share the port.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.SetMaxReceiveMessageSize(kMostRequestBytes);
    builder.RegisterCallbackGenericService(&service_);
    // gRPC does not say why it can't.
    if (options.port != 0) {
      int port = 0;
      Listen(options.host, options.port, &port, options.port_flag);
    }
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || port_ == 0) {
      throw Error(ExitCode::kIo, "gRPC can't listen on " + address, "",
                  "give " + options.port_flag + " another port");
    }
    if (!service->is_loaded()) SetReady(false);
  }

  int port() const { return port_; }

  void SetReady(bool is_ready) {
    server_->GetHealthCheckService()->SetServingStatus(is_ready);
  }

  void Drain(std::chrono::milliseconds grace) {
    server_->Shutdown(std::chrono::system_clock::now() + grace);
  }

 private:
  Service service_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

GrpcServer::GrpcServer(const GrpcOptions& options, ModelService* service)
    : impl_(std::make_unique<Impl>(options, service)) {}

GrpcServer::~GrpcServer() { Drain(std::chrono::milliseconds(0)); }

int GrpcServer::port() const { return impl_->port(); }

void GrpcServer::SetReady(bool is_ready) { impl_->SetReady(is_ready); }

void GrpcServer::Drain(std::chrono::milliseconds grace) { impl_->Drain(grace); }

}  // namespace t2t
