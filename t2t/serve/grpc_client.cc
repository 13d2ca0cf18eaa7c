#include "t2t/serve/grpc_client.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <cstdlib>
#include <future>
#include <utility>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"

namespace t2t {
namespace {

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
      : stub_(MakeChannel(address, tls)),
        timeout_(timeout),
        bearer_token_(std::move(bearer_token)) {}

  std::string Ask(const std::string& method, const std::string& request) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + timeout_);
    if (!bearer_token_.empty()) {
      context.AddMetadata("authorization", "Bearer " + bearer_token_);
    }
    const grpc::Slice slice(request);
    const grpc::ByteBuffer sent(&slice, 1);
    grpc::ByteBuffer received;
    const auto promise = std::make_shared<std::promise<grpc::Status>>();
    stub_.UnaryCall(
        &context, method, grpc::StubOptions(), &sent, &received,
        [promise](grpc::Status status) { promise->set_value(status); });
    const grpc::Status status = promise->get_future().get();
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
    std::vector<grpc::Slice> slices;
    if (!received.Dump(&slices).ok()) {
      throw DataError("the server's answer can't be read");
    }
    std::string bytes;
    for (const grpc::Slice& part : slices) {
      bytes.append(reinterpret_cast<const char*>(part.begin()), part.size());
    }
    return bytes;
  }

 private:
  grpc::GenericStub stub_;
  const std::chrono::milliseconds timeout_;
  const std::string bearer_token_;
};

GrpcClient::GrpcClient(const std::string& address,
                       std::chrono::milliseconds timeout,
                       const std::string& bearer_token, const TlsFiles* tls)
    : impl_(std::make_unique<Impl>(address, timeout, bearer_token, tls)) {}

GrpcClient::~GrpcClient() = default;

PredictResponse GrpcClient::Predict(const PredictRequest& request) {
  return ParsePredictResponse(
      Ask("/tensorflow.serving.PredictionService/Predict",
          SerializePredictRequest(request)));
}

std::string GrpcClient::Ask(const std::string& method,
                            const std::string& request) {
  return impl_->Ask(method, request);
}

}  // namespace t2t
