#ifndef T2T_SERVE_GRPC_CLIENT_H_
#define T2T_SERVE_GRPC_CLIENT_H_

#include <chrono>
#include <memory>
#include <string>

#include "proto/serving.pb.h"
#include "t2t/base/error.h"
#include "t2t/serve/tls.h"

namespace t2t {

// What a server answers instead: gRPC's code and message.
class GrpcError : public Error {
 public:
  GrpcError(ExitCode code, int grpc_code, const std::string& what)
      : Error(code, what), grpc_code_(grpc_code) {}
  int grpc_code() const { return grpc_code_; }

 private:
  int grpc_code_;
};

// Asks a server for TF Serving's PredictionService.
class GrpcClient {
 public:
  // An empty token is none. tls: nullptr for none; throws an Error where the
  // files can't be used.
  GrpcClient(const std::string& address, std::chrono::milliseconds timeout,
             const std::string& bearer_token, const TlsFiles* tls = nullptr);
  ~GrpcClient();

  // Throws a GrpcError: kRetry where asking again may help, else kUsage.
  tensorflow::serving::PredictResponse Predict(
      const tensorflow::serving::PredictRequest& request);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace t2t

#endif  // T2T_SERVE_GRPC_CLIENT_H_
