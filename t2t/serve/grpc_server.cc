#include "t2t/serve/grpc_server.h"

#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "proto/serving.grpc.pb.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/serve/rest_api.h"
#include "t2t/serve/socket.h"
#include "t2t/serve/tensor_value.h"
#include "t2t/text/unicode.h"

namespace t2t {
namespace {

namespace serving = tensorflow::serving;

constexpr char kSignature[] = "serving_default";
constexpr char kMethod[] = "tensorflow/serving/predict";
constexpr char kSignatureMapType[] =
    "type.googleapis.com/tensorflow.serving.SignatureDefMap";
constexpr int kUnknown = 2;
constexpr int kMostRequestBytes = 4 << 20;

using Outputs = std::map<std::string, TensorValue>;

grpc::Status ToStatus(ServeCode code, const std::string& error) {
  return grpc::Status(static_cast<grpc::StatusCode>(code),
                      ReplaceInvalidUtf8(error));
}

grpc::Status Invalid(const std::string& error) {
  return ToStatus(ServeCode::kInvalidArgument, error);
}

// Tensors of T2T's export: outputs [rows, (beams,) length], scores [rows
// (, beams)]; text as the scores, where it was asked for; error [rows], where
// it was asked for or there is one.
Outputs MakeOutputs(const PredictResult& result, bool with_text,
                    bool with_errors) {
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
  std::vector<std::string> errors;
  for (int64_t row = 0; row < rows; ++row) {
    const std::string& error = result.row_errors.at(static_cast<size_t>(row));
    with_errors |= !error.empty();
    errors.push_back(
        error.empty() ? "" : "row " + std::to_string(row) + ": " + error);
  }
  Outputs all;
  all["outputs"] = std::move(outputs);
  all["scores"] = std::move(scores);
  if (with_text) all["text"] = std::move(text);
  if (with_errors) all["error"] = StringList(std::move(errors));
  return all;
}

// Those of the names; all where there are none.
template <typename Names>
grpc::Status FillOutputs(const Outputs& outputs, const Names& names,
                         serving::PredictResponse* response) {
  for (const std::string& name : names) {
    if (outputs.count(name) == 0) {
      return Invalid("there is no output \"" + name + "\"");
    }
  }
  for (const auto& [name, tensor] : outputs) {
    if (names.empty() ||
        std::find(names.begin(), names.end(), name) != names.end()) {
      (*response->mutable_outputs())[name] = ToProto(tensor);
    }
  }
  return grpc::Status::OK;
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

// The version that is asked for; none: the newest.
std::optional<int64_t> Version(const serving::ModelSpec& spec) {
  if (!spec.has_version()) return std::nullopt;
  return spec.version().value();
}

serving::ModelSpec MakeSpec(const ModelService& service, int64_t version) {
  serving::ModelSpec spec;
  spec.set_name(service.name());
  spec.mutable_version()->set_value(version);
  return spec;
}

// Whether the service takes a call that says this about its model.
grpc::Status CheckModel(const ModelService& service,
                        const serving::ModelSpec& spec) {
  if (spec.name() != service.name()) {
    return ToStatus(
        ServeCode::kNotFound,
        "Servable not found for request: Latest(" + spec.name() + ")");
  }
  if (!spec.version_label().empty()) {
    // As TF Serving says it: there is no label that it was not given.
    return Invalid("Unrecognized servable version label: " +
                   spec.version_label());
  }
  return grpc::Status::OK;
}

// Whether it takes the call at all.
grpc::Status CheckCall(const GrpcOptions& options, const ModelService& service,
                       const grpc::CallbackServerContext& context) {
  const auto& metadata = context.client_metadata();
  const auto found = metadata.find("authorization");
  std::optional<std::string> authorization;
  if (found != metadata.end()) {
    authorization = std::string(found->second.data(), found->second.size());
  }
  if (!IsAuthorized(authorization.has_value() ? &*authorization : nullptr,
                    options.bearer_token)) {
    return ToStatus(ServeCode::kUnauthenticated,
                    "the bearer token is missing or wrong");
  }
  if (!service.is_loaded()) {
    return ToStatus(ServeCode::kUnavailable, "the model is being loaded");
  }
  return grpc::Status::OK;
}

// A call that waits for its answer, is counted by it, and is gone.
class Call : public grpc::ServerUnaryReactor {
 public:
  explicit Call(ModelService* service) : service_(service) {}

  // Once; it may be gone when this returns.
  void Answer(const grpc::Status& status) {
    service_->CountAnswer(
        "grpc", ServeCodeName(static_cast<ServeCode>(status.error_code())),
        NowSeconds() - start_);
    Finish(status);
  }

  // Becomes true where the client has gone or its deadline is over.
  std::shared_ptr<const std::atomic<bool>> cancelled() const {
    return cancelled_;
  }

  void OnCancel() override { *cancelled_ = true; }
  void OnDone() override { delete this; }

 private:
  const std::shared_ptr<std::atomic<bool>> cancelled_ =
      std::make_shared<std::atomic<bool>>(false);
  ModelService* const service_;
  const double start_ = NowSeconds();
};

class PredictionService : public serving::PredictionService::CallbackService {
 public:
  PredictionService(const GrpcOptions& options, ModelService* service)
      : options_(options), service_(service) {}

  grpc::ServerUnaryReactor* Predict(
      grpc::CallbackServerContext* context,
      const serving::PredictRequest* request,
      serving::PredictResponse* response) override {
    Call* const call = new Call(service_);
    PredictCall asked;
    const grpc::Status taken = TakeRequest(*context, *request, &asked);
    if (!taken.ok()) {
      call->Answer(taken);
      return call;
    }
    const auto& filter = request->output_filter();
    const bool is_text = asked.inputs.empty() || asked.inputs[0].is_text;
    // TF Serving's clients know of no such output and would take the padding
    // for an answer.
    const bool asks_for_errors =
        std::find(filter.begin(), filter.end(), "error") != filter.end();
    asked.has_row_errors = asks_for_errors || (is_text && filter.empty());
    service_->Predict(
        asked, Deadline(*context),
        [service = service_, call, request, response, is_text,
         asks_for_errors](const PredictResult& result) {
          if (result.code != ServeCode::kOk) {
            call->Answer(ToStatus(result.code, result.error));
            return;
          }
          *response->mutable_model_spec() = MakeSpec(*service, result.version);
          response->mutable_model_spec()->set_signature_name(kSignature);
          call->Answer(
              FillOutputs(MakeOutputs(result, is_text, asks_for_errors),
                          request->output_filter(), response));
        },
        call->cancelled());
    return call;
  }

  grpc::ServerUnaryReactor* GetModelMetadata(
      grpc::CallbackServerContext* context,
      const serving::GetModelMetadataRequest* request,
      serving::GetModelMetadataResponse* response) override {
    Call* const call = new Call(service_);
    call->Answer(GetMetadata(*context, *request, response));
    return call;
  }

 private:
  grpc::Status TakeRequest(const grpc::CallbackServerContext& context,
                           const serving::PredictRequest& request,
                           PredictCall* call) const {
    grpc::Status taken = CheckCall(options_, *service_, context);
    if (taken.ok()) taken = CheckModel(*service_, request.model_spec());
    if (!taken.ok()) return taken;
    const std::string& signature = request.model_spec().signature_name();
    if (!signature.empty() && signature != kSignature) {
      return Invalid("there is no signature \"" + signature +
                     "\"; the one there is: " + kSignature);
    }
    if (request.inputs().size() != 1 ||
        request.inputs().count("input") + request.inputs().count("text") != 1) {
      return Invalid(
          "the one input is \"input\" (serialized tf.Examples) or \"text\"");
    }
    const auto& [name, proto] = *request.inputs().begin();
    try {
      TensorValue tensor = FromProto(proto);
      if (tensor.type != DataType::kString || tensor.shape.size() != 1) {
        return Invalid("\"" + name + "\" must be a list of strings");
      }
      for (std::string& bytes : tensor.strings) {
        call->inputs.push_back({std::move(bytes), name == "text"});
      }
    } catch (const Error& error) {
      return Invalid(error.what());
    }
    call->version = Version(request.model_spec());
    return grpc::Status::OK;
  }

  ModelService::Time Deadline(
      const grpc::CallbackServerContext& context) const {
    const auto now = std::chrono::system_clock::now();
    const auto left = std::min<std::chrono::nanoseconds>(
        context.deadline() > now ? context.deadline() - now
                                 : std::chrono::nanoseconds(0),
        options_.timeout);
    return std::chrono::steady_clock::now() + left;
  }

  grpc::Status GetMetadata(const grpc::CallbackServerContext& context,
                           const serving::GetModelMetadataRequest& request,
                           serving::GetModelMetadataResponse* response) const {
    grpc::Status taken = CheckCall(options_, *service_, context);
    if (taken.ok()) taken = CheckModel(*service_, request.model_spec());
    if (!taken.ok()) return taken;
    if (request.metadata_field_size() != 1 ||
        request.metadata_field(0) != "signature_def") {
      return Invalid("the one metadata field is signature_def");
    }
    const auto served = service_->versions().Get(Version(request.model_spec()));
    if (served == nullptr) {
      return ToStatus(ServeCode::kNotFound, "Servable not found for request");
    }
    *response->mutable_model_spec() = MakeSpec(*service_, served->version);
    serving::Any* const any = &(*response->mutable_metadata())["signature_def"];
    any->set_type_url(kSignatureMapType);
    any->set_value(Signatures(*served->servable).SerializeAsString());
    return grpc::Status::OK;
  }

  // The one signature. Sizes are unknown.
  static serving::SignatureDefMap Signatures(const Servable& servable) {
    const auto info = [](const std::string& name, DataType type, int rank) {
      serving::TensorInfo tensor;
      tensor.set_name(name + ":0");
      tensor.set_dtype(static_cast<int32_t>(type));
      *tensor.mutable_tensor_shape() =
          ShapeToProto(std::vector<int64_t>(static_cast<size_t>(rank), -1));
      return tensor;
    };
    const int rank = servable.beams() > 0 ? 2 : 1;
    serving::SignatureDefMap map;
    auto& signature = (*map.mutable_signature_def())[kSignature];
    (*signature.mutable_inputs())["input"] =
        info("input", DataType::kString, 1);
    auto& outputs = *signature.mutable_outputs();
    outputs["outputs"] = info(
        "outputs", servable.gives_int32() ? DataType::kInt32 : DataType::kInt64,
        rank + 1);
    outputs["scores"] = info("scores", DataType::kFloat, rank);
    signature.set_method_name(kMethod);
    return map;
  }

  const GrpcOptions options_;
  ModelService* const service_;
};

class StatusService : public serving::ModelService::CallbackService {
 public:
  StatusService(const GrpcOptions& options, ModelService* service)
      : options_(options), service_(service) {}

  grpc::ServerUnaryReactor* GetModelStatus(
      grpc::CallbackServerContext* context,
      const serving::GetModelStatusRequest* request,
      serving::GetModelStatusResponse* response) override {
    Call* const call = new Call(service_);
    call->Answer(GetStatus(*context, request->model_spec(), response));
    return call;
  }

 private:
  grpc::Status GetStatus(const grpc::CallbackServerContext& context,
                         const serving::ModelSpec& spec,
                         serving::GetModelStatusResponse* response) const {
    grpc::Status taken = CheckCall(options_, *service_, context);
    if (taken.ok()) taken = CheckModel(*service_, spec);
    if (!taken.ok()) return taken;
    const std::optional<int64_t> version = Version(spec);
    for (const VersionStatus& status : service_->versions().Statuses()) {
      if (version.has_value() && status.version != *version) continue;
      auto* const state = response->add_model_version_status();
      state->set_version(status.version);
      serving::ModelVersionStatus::State number =
          serving::ModelVersionStatus::UNKNOWN;
      serving::ModelVersionStatus::State_Parse(status.state, &number);
      state->set_state(number);
      state->mutable_status()->set_error_code(status.error.empty() ? 0
                                                                   : kUnknown);
      state->mutable_status()->set_error_message(
          ReplaceInvalidUtf8(status.error));
    }
    if (response->model_version_status().empty()) {
      return ToStatus(ServeCode::kNotFound,
                      "Could not find version " +
                          std::to_string(version.value_or(0)) + " of model " +
                          spec.name());
    }
    return grpc::Status::OK;
  }

  const GrpcOptions options_;
  ModelService* const service_;
};

}  // namespace

class GrpcServer::Impl {
 public:
  Impl(const GrpcOptions& options, ModelService* service)
      : predictions_(options, service), status_(options, service) {
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
    builder.RegisterService(&predictions_);
    builder.RegisterService(&status_);
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
  PredictionService predictions_;
  StatusService status_;
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
