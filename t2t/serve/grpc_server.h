#ifndef T2T_SERVE_GRPC_SERVER_H_
#define T2T_SERVE_GRPC_SERVER_H_

#include <chrono>
#include <memory>
#include <string>

#include "t2t/serve/model_service.h"
#include "t2t/serve/tls.h"

namespace t2t {

struct GrpcOptions {
  std::string host = "127.0.0.1";
  int port = 0;  // 0: a free one
  // A request's time where it has no deadline of its own, or a later one.
  std::chrono::milliseconds timeout{30000};
  // What "authorization: Bearer ..." must say; empty: nothing.
  std::string bearer_token;
  // TLS where it has a certificate; the CA is the clients'.
  TlsFiles tls;
};

// TF Serving's gRPC: PredictionService's Predict and GetModelMetadata,
// ModelService's GetModelStatus, and gRPC's own health service. Besides the
// "input" (serialized tf.Examples) of T2T's exports, Predict takes a "text".
class GrpcServer {
 public:
  // Throws an Error where it can't listen.
  GrpcServer(const GrpcOptions& options, ModelService* service);
  ~GrpcServer();

  int port() const;
  // The health service says so from now on.
  void StopBeingReady();
  // Takes no new calls; those that have begun are answered, at most for
  // `grace`.
  void Drain(std::chrono::milliseconds grace);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace t2t

#endif  // T2T_SERVE_GRPC_SERVER_H_
