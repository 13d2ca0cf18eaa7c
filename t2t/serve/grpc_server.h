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
  // For messages: what says so.
  std::string port_flag = "--port";
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
// Then a bad row does not refuse the others: there is an output "error" too.
// Until the service has loaded a model, all calls are UNAVAILABLE.
class GrpcServer {
 public:
  // Throws an Error where it can't listen.
  GrpcServer(const GrpcOptions& options, ModelService* service);
  ~GrpcServer();

  int port() const;
  // What the health service says; at first, whether the service is loaded.
  void SetReady(bool is_ready);
  // Takes no new calls; those that have begun are answered, at most for
  // `grace`.
  void Drain(std::chrono::milliseconds grace);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace t2t

#endif  // T2T_SERVE_GRPC_SERVER_H_
