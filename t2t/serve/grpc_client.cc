#include "t2t/serve/grpc_client.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <cstdlib>
#include <utility>

#include "proto/serving.grpc.pb.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"

namespace t2t {
namespace {

namespace serving = tensorflow::serving;

std::shared_ptr<grpc::ChannelCredentials> Credentials(const TlsFiles* files) {
  if (files == nullptr) return grpc::InsecureChannelCredentials();
  // gRPC does not say what is wrong with files.
  TlsContext::ForClient(*files);
  grpc::SslCredentialsOptions options;
  if (!files->ca.empty()) options.pem_root_certs = ReadFile(files->ca);
  if (!files->cert.empty()) {
    options.pem_private_key = ReadFile(files->key);
    options.pem_cert_chain = ReadFile(files->cert);
  }
  return grpc::SslCredentials(options);
}

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address,
                                           const TlsFiles* tls) {
  // The system looks names up: c-ares, which gRPC would take, loses some bytes
  // for each. It counts in a process that has not used gRPC yet.
  ::setenv("GRPC_DNS_RESOLVER", "native", /*overwrite=*/0);
  return grpc::CreateChannel(address, Credentials(tls));
}

}  // namespace

class GrpcClient::Impl {
 public:
  Impl(const std::string& address, std::chrono::milliseconds timeout,
       std::string bearer_token, const TlsFiles* tls)
      : stub_(serving::PredictionService::NewStub(MakeChannel(address, tls))),
        timeout_(timeout),
        bearer_token_(std::move(bearer_token)) {}

  serving::PredictResponse Predict(const serving::PredictRequest& request) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + timeout_);
    if (!bearer_token_.empty()) {
      context.AddMetadata("authorization", "Bearer " + bearer_token_);
    }
    serving::PredictResponse response;
    const grpc::Status status = stub_->Predict(&context, request, &response);
    if (!status.ok()) {
      const grpc::StatusCode code = status.error_code();
      const bool passing = code == grpc::StatusCode::UNAVAILABLE ||
                           code == grpc::StatusCode::RESOURCE_EXHAUSTED ||
                           code == grpc::StatusCode::DEADLINE_EXCEEDED ||
                           code == grpc::StatusCode::INTERNAL;
      throw GrpcError(passing ? ExitCode::kRetry : ExitCode::kUsage, code,
                      "the server answers with gRPC's code " +
                          std::to_string(code) + ": " + status.error_message());
    }
    return response;
  }

 private:
  const std::unique_ptr<serving::PredictionService::Stub> stub_;
  const std::chrono::milliseconds timeout_;
  const std::string bearer_token_;
};

GrpcClient::GrpcClient(const std::string& address,
                       std::chrono::milliseconds timeout,
                       const std::string& bearer_token, const TlsFiles* tls)
    : impl_(std::make_unique<Impl>(address, timeout, bearer_token, tls)) {}

GrpcClient::~GrpcClient() = default;

serving::PredictResponse GrpcClient::Predict(
    const serving::PredictRequest& request) {
  return impl_->Predict(request);
}

}  // namespace t2t
