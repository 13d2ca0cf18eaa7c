// Sends mutated HTTP, TLS and gRPC over sockets to the model server's front
// (all of it but the model), in one process so that sanitizers see both ends.
//
//   serve_fuzz [SECONDS [SEED]]
//
// Wrong is: a crash, what a sanitizer says, an answer on the HTTP port that is
// none of HTTP's, a right request in between that is not answered rightly.

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <future>
#include <iterator>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/strings.h"
#include "t2t/serve/fake_servable.h"
#include "t2t/serve/grpc_client.h"
#include "t2t/serve/grpc_server.h"
#include "t2t/serve/http_client.h"
#include "t2t/serve/http_server.h"
#include "t2t/serve/model_service.h"
#include "t2t/serve/rest_api.h"
#include "t2t/serve/socket.h"
#include "t2t/serve/tensor_value.h"
#include "t2t/serve/test_certificate.h"

namespace t2t {
namespace {

using std::chrono::milliseconds;
using tensorflow::serving::PredictRequest;

constexpr char kPredict[] = "/tensorflow.serving.PredictionService/Predict";
constexpr const char* kMethods[] = {
    kPredict, "/tensorflow.serving.PredictionService/GetModelMetadata",
    "/tensorflow.serving.ModelService/GetModelStatus",
    "/grpc.health.v1.Health/Check",
    "/tensorflow.serving.PredictionService/Classify"};

SteadyTime In(int64_t ms) {
  return std::chrono::steady_clock::now() + milliseconds(ms);
}

[[noreturn]] void Fail(const std::string& what, const std::string& sent) {
  std::fprintf(stderr, "\nserve_fuzz: %s\nsent (hex): ", what.c_str());
  for (const unsigned char c : sent) std::fprintf(stderr, "%02x", c);
  std::fputc('\n', stderr);
  std::abort();
}

std::string Post(const std::string& path, const std::string& body,
                 const std::string& headers = "") {
  return "POST " + path + " HTTP/1.1\r\nHost: h\r\n" + headers +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::vector<std::string> HttpSeeds() {
  const std::string predict = "/v1/models/m:predict";
  return {
      "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
      "HEAD /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
      "GET /v1/models/m/versions/1/metadata HTTP/1.1\r\nHost: h\r\n\r\n",
      "GET /v1/models/m HTTP/1.1\r\nHost: h\r\n\r\nGET /metrics "
      "HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
      Post("/translate", "one\ntwo\n\nfail\n"),
      Post("/translate", "slow", "X-Timeout-Ms: 7\r\n"),
      Post("/translate", "\xff\xfe\x80", "Expect: 100-continue\r\n"),
      Post("/attention", "a sentence"),
      // "ab\n" in gzip's format.
      Post("/translate",
           std::string("\x1f\x8b\x08\0\0\0\0\0\x02\xffKL\xe2\x02\0>\x98J\x01"
                       "\x03\0\0\0",
                       23),
           "Content-Encoding: gzip\r\n"),
      "OPTIONS * HTTP/1.1\r\nHost: h\r\nIf-None-Match: *\r\n\r\n",
      "GET http://h:80/v1/models/%6D/labels/a HTTP/1.1\r\nHost: h\r\n\r\n",
      Post(predict, R"({"instances": ["ab", {"input": {"b64": "YWI="}}]})"),
      Post(predict, R"({"inputs": {"input": ["a\u00e4\ud83d\ude00"]}})"),
      Post("/v1/models/m/versions/1:predict",
           R"({"signature_name": "serving_default", "instances": []})"),
      "POST /translate HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
      "chunked\r\n\r\n3;x=y\r\nabc\r\n0A\r\n0123456789\r\n0\r\nT: t\r\n\r\n",
  };
}

class Mutator {
 public:
  explicit Mutator(uint64_t seed) : random_(seed) {}

  uint64_t Below(uint64_t limit) { return random_() % limit; }
  bool OneIn(uint64_t count) { return Below(count) == 0; }

  std::string Mutate(const std::vector<std::string>& seeds) {
    std::string text = seeds[Below(seeds.size())];
    if (OneIn(10)) return text;
    for (uint64_t i = 0, count = 1 + Below(6); i < count; ++i) {
      const uint64_t at = Below(text.size() + 1);
      const uint64_t size = std::min<uint64_t>(Below(12), text.size() - at);
      switch (Below(9)) {
        case 0:
          if (at < text.size()) text[at] ^= static_cast<char>(1 << Below(8));
          break;
        case 1:
          text.erase(at, size);
          break;
        case 2:
          text.insert(at, text.substr(at, size));
          break;
        case 3: {
          static const char* const kBits[] = {"\r\n",
                                              "\n",
                                              ":",
                                              " ",
                                              "%00",
                                              "\"",
                                              "{",
                                              "[",
                                              "\\u00",
                                              "\t",
                                              ";",
                                              "1e9",
                                              "-1",
                                              "0",
                                              "\\",
                                              "}}]]",
                                              "chunked",
                                              ",",
                                              "99999999999999999999",
                                              "\r\n\r\n"};
          text.insert(at, kBits[Below(std::size(kBits))]);
          break;
        }
        case 4: {
          const std::string& other = seeds[Below(seeds.size())];
          text = text.substr(0, at) + other.substr(Below(other.size() + 1));
          break;
        }
        case 5:
          text.insert(at, 1 + Below(4), static_cast<char>(Below(256)));
          break;
        case 6:
          if (OneIn(4)) text.insert(at, Below(70000), 'a' + Below(26));
          break;
        case 7:
          text.resize(at);
          break;
        default:
          if (at < text.size()) text[at] = static_cast<char>(Below(256));
      }
    }
    return text;
  }

 private:
  std::mt19937_64 random_;
};

// The server's front before a fake model.
class Front {
 public:
  Front() : own_(MakeTestCertificate(folder_, "own")) {
    const std::string base = JoinPath(folder_, "models");
    MakeDirectories(base);
    WriteFakeVersion(base, 1, ".");
    ModelServiceOptions options;
    options.name = "m";
    options.batching.max_queue_tokens = 2000;
    options.batching.lanes = 2;
    VersionOptions versions;
    versions.base_path = base;
    service_.emplace(options, versions, [this](const std::string& path) {
      return std::make_unique<FakeServable>(path, &control_);
    });
    RestOptions rest;
    rest.timeout = milliseconds(2000);
    api_.emplace(rest, &*service_);
    HttpServerOptions http;
    http.header_timeout = milliseconds(100);
    http.body_timeout = milliseconds(100);
    http.idle_timeout = milliseconds(100);
    http.limits.body = 60000;
    const auto handle = [this](const HttpMessage& request,
                               const std::function<bool()>& is_gone) {
      return api_->Handle(request, is_gone);
    };
    http_.emplace(http, handle);
    http.tls = TlsContext::ForServer({own_.cert, own_.key, ""});
    https_.emplace(http, handle);
    GrpcOptions grpc;
    grpc_.emplace(grpc, &*service_);
  }

  int http_port() const { return http_->port(); }
  int https_port() const { return https_->port(); }
  int grpc_port() const { return grpc_->port(); }
  const TlsFiles& own() const { return own_; }

 private:
  const std::string folder_ = MakeTempDirectory("serve_fuzz");
  const TlsFiles own_;
  FakeControl control_;
  std::optional<ModelService> service_;
  std::optional<RestApi> api_;
  std::optional<HttpServer> http_;
  std::optional<HttpServer> https_;
  std::optional<GrpcServer> grpc_;
};

// Sends the text in pieces and leaves in one of several ways; what came back.
std::string Send(Mutator* mutator, Socket* socket, const std::string& text) {
  std::string_view rest = text;
  while (!rest.empty()) {
    const size_t piece =
        mutator->OneIn(2) ? rest.size() : 1 + mutator->Below(rest.size());
    if (socket->Write(rest.substr(0, piece), In(1000)) != Socket::Result::kOk) {
      break;
    }
    rest.remove_prefix(piece);
  }
  std::string received;
  if (mutator->OneIn(8)) {
    const linger hard = {1, 0};  // a reset
    ::setsockopt(socket->fd(), SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    return received;
  }
  if (mutator->OneIn(3)) socket->EndWriting();
  const SteadyTime until = In(mutator->OneIn(4) ? 300 : 30);
  while (received.size() < (1 << 20) &&
         socket->Read(&received, until) == Socket::Result::kOk) {
  }
  return received;
}

void CheckHttpAnswer(const std::string& received, const std::string& sent) {
  constexpr std::string_view kStart = "HTTP/1.1 ";
  const size_t size = std::min(received.size(), kStart.size());
  if (std::string_view(received).substr(0, size) != kStart.substr(0, size)) {
    Fail("no HTTP answer: " + received.substr(0, 100), sent);
  }
}

void CheckHttpServes(const Front& front, bool tls) {
  HttpClient client(
      "127.0.0.1", tls ? front.https_port() : front.http_port(),
      milliseconds(20000),
      tls ? TlsContext::ForClient({"", "", front.own().ca}) : nullptr);
  std::string why;
  for (int i = 0; i < 200; ++i) {
    try {
      const HttpMessage reply = client.Ask("POST", "/translate", "ab");
      if (reply.status == 200 && reply.body == "ab.\n") return;
      why = std::to_string(reply.status) + " " + reply.body;
      // The other threads may have filled the queue or all connections; on a
      // busy machine even this may come too late.
      if (reply.status != 429 && reply.status != 503 && reply.status != 504) {
        Fail("a right request is answered by " + why, "");
      }
    } catch (const Error& error) {
      // The limits above are short for this end too.
      why = error.what();
    }
    std::this_thread::sleep_for(milliseconds(20));
  }
  Fail("a right request is not answered: " + why, "");
}

void FuzzHttp(const Front& front, Mutator* mutator) {
  const std::string text = mutator->Mutate(HttpSeeds());
  Socket socket = Connect("127.0.0.1", front.http_port(), In(5000));
  CheckHttpAnswer(Send(mutator, &socket, text), text);
}

void FuzzHttps(const Front& front, Mutator* mutator) {
  Socket socket = Connect("127.0.0.1", front.https_port(), In(5000));
  const auto context = TlsContext::ForClient({"", "", front.own().ca});
  if (mutator->OneIn(2)) {
    // A broken handshake: a mutated ClientHello.
    const auto session = context->NewSession("127.0.0.1");
    ::SSL_do_handshake(session.get());
    char* data = nullptr;
    const long size = ::BIO_get_mem_data(::SSL_get_wbio(session.get()), &data);
    const std::string hello(data, static_cast<size_t>(size));
    Send(mutator, &socket, mutator->Mutate({hello, HttpSeeds()[4]}));
    return;
  }
  std::string error;
  if (socket.StartTls(*context, "127.0.0.1", In(5000), &error) !=
      Socket::Result::kOk) {
    return;  // all connections are taken
  }
  const std::string text = mutator->Mutate(HttpSeeds());
  CheckHttpAnswer(Send(mutator, &socket, text), text);
}

std::string Frame(int type, int flags, int stream, const std::string& payload) {
  std::string frame;
  for (const int shift : {16, 8, 0}) {
    frame += static_cast<char>(payload.size() >> shift & 0xFF);
  }
  frame += static_cast<char>(type);
  frame += static_cast<char>(flags);
  frame += std::string(3, '\0');
  frame += static_cast<char>(stream);
  return frame + payload;
}

// HPACK: a literal header that is not indexed.
std::string Header(const std::string& name, const std::string& value) {
  return std::string(1, '\0') + static_cast<char>(name.size()) + name +
         static_cast<char>(value.size()) + value;
}

std::string GrpcCall(const std::string& method, const std::string& message) {
  std::string body(1, '\0');
  for (const int shift : {24, 16, 8, 0}) {
    body += static_cast<char>(message.size() >> shift & 0xFF);
  }
  body += message;
  return "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + Frame(4, 0, 0, "") +
         Frame(1, 4, 1,
               Header(":method", "POST") + Header(":scheme", "http") +
                   Header(":path", method) + Header(":authority", "h") +
                   Header("te", "trailers") +
                   Header("content-type", "application/grpc")) +
         Frame(0, 1, 1, body);
}

PredictRequest Request(const std::string& name,
                       std::vector<std::string> values) {
  PredictRequest request;
  request.mutable_model_spec()->set_name("m");
  (*request.mutable_inputs())[name] = ToProto(StringList(std::move(values)));
  return request;
}

std::vector<std::string> MessageSeeds() {
  std::vector<std::string> seeds = {"", "\n\x03\n\x01m"};
  for (const char* input : {"input", "text"}) {
    PredictRequest request = Request(input, {"ab", "bad"});
    seeds.push_back(request.SerializeAsString());
    request.mutable_model_spec()->mutable_version()->set_value(1);
    request.add_output_filter("scores");
    seeds.push_back(request.SerializeAsString());
  }
  return seeds;
}

void CheckGrpcServes(const Front& front) {
  GrpcClient client("127.0.0.1:" + std::to_string(front.grpc_port()),
                    milliseconds(20000), "");
  const PredictRequest request = Request("text", {"ab"});
  for (int i = 0; i < 200; ++i) {
    try {
      const auto response = client.Predict(request);
      if (response.outputs().at("text").string_val(0) != "ab.") {
        Fail("a wrong answer over gRPC", "");
      }
      return;
    } catch (const Error& error) {
      const std::string what = error.what();
      if (what.find("code 8: ") == std::string::npos &&
          what.find("code 4: ") == std::string::npos) {
        Fail(what, "");
      }
    }
    std::this_thread::sleep_for(milliseconds(20));
  }
  Fail("the server stays full", "");
}

void FuzzGrpcFrames(const Front& front, Mutator* mutator) {
  std::vector<std::string> seeds;
  for (const std::string& message : MessageSeeds()) {
    seeds.push_back(
        GrpcCall(kMethods[mutator->Below(std::size(kMethods))], message));
  }
  seeds.push_back(seeds[2] + Frame(3, 0, 1, std::string(4, '\0')));  // reset
  const std::string text =
      mutator->OneIn(2) ? mutator->Mutate(seeds)
                        : GrpcCall(kPredict, mutator->Mutate(MessageSeeds()));
  Socket socket = Connect("127.0.0.1", front.grpc_port(), In(5000));
  Send(mutator, &socket, text);
}

// Right HTTP/2 with a mutated message, an odd deadline, a cancellation.
void FuzzGrpcCall(grpc::GenericStub* stub, Mutator* mutator) {
  grpc::ClientContext context;
  context.set_deadline(
      std::chrono::system_clock::now() +
      milliseconds(mutator->OneIn(4) ? mutator->Below(5) : 2000));
  const grpc::Slice slice(mutator->Mutate(MessageSeeds()));
  const grpc::ByteBuffer request(&slice, 1);
  grpc::ByteBuffer response;
  std::promise<void> done;
  stub->UnaryCall(&context, kMethods[mutator->Below(std::size(kMethods))],
                  grpc::StubOptions(), &request, &response,
                  [&](grpc::Status) { done.set_value(); });
  if (mutator->OneIn(4)) context.TryCancel();
  done.get_future().get();
}

int Main(int argc, char** argv) {
  double seconds = 5;
  int64_t seed = 1;
  if ((argc > 1 && !ParseDouble(argv[1], &seconds)) ||
      (argc > 2 && !ParseInt(argv[2], &seed))) {
    throw UsageError("the arguments are no numbers", "[SECONDS [SEED]]");
  }
  int64_t http_count = 0;
  int64_t https_count = 0;
  int64_t grpc_count = 0;
  {
    const Front front;
    const SteadyTime end = In(static_cast<int64_t>(seconds * 1000));
    const auto loop = [&](int which, int64_t* count,
                          const std::function<void(Mutator*)>& fuzz,
                          const std::function<void()>& check) {
      Mutator mutator(static_cast<uint64_t>(seed * 3 + which));
      while (std::chrono::steady_clock::now() < end) {
        fuzz(&mutator);
        if (++*count % 50 == 0) check();
      }
      check();
    };
    std::thread http([&] {
      loop(
          0, &http_count, [&](Mutator* m) { FuzzHttp(front, m); },
          [&] { CheckHttpServes(front, false); });
    });
    std::thread https([&] {
      loop(
          1, &https_count, [&](Mutator* m) { FuzzHttps(front, m); },
          [&] { CheckHttpServes(front, true); });
    });
    grpc::GenericStub stub(
        grpc::CreateChannel("127.0.0.1:" + std::to_string(front.grpc_port()),
                            grpc::InsecureChannelCredentials()));
    loop(
        2, &grpc_count,
        [&](Mutator* m) {
          if (m->OneIn(2)) {
            FuzzGrpcFrames(front, m);
          } else {
            FuzzGrpcCall(&stub, m);
          }
        },
        [&] { CheckGrpcServes(front); });
    http.join();
    https.join();
  }
  std::printf("serve_fuzz: %lld HTTP, %lld HTTPS, %lld gRPC, seed %lld\n",
              static_cast<long long>(http_count),
              static_cast<long long>(https_count),
              static_cast<long long>(grpc_count), static_cast<long long>(seed));
  return 0;
}

}  // namespace
}  // namespace t2t

int main(int argc, char** argv) { return t2t::RunMain(argc, argv, t2t::Main); }
