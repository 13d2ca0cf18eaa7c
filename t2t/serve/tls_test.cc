#include "t2t/serve/tls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/serve/fake_servable.h"
#include "t2t/serve/grpc_client.h"
#include "t2t/serve/grpc_server.h"
#include "t2t/serve/http_client.h"
#include "t2t/serve/http_server.h"
#include "t2t/serve/model_service.h"
#include "t2t/serve/socket.h"
#include "t2t/serve/tensor_value.h"
#include "t2t/serve/test_certificate.h"

namespace t2t {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::StartsWith;

SteadyTime In(int64_t ms) {
  return std::chrono::steady_clock::now() + milliseconds(ms);
}

HttpResponse Echo(const HttpMessage& request, const std::function<bool()>&) {
  HttpResponse response;
  response.body = request.body;
  return response;
}

class TlsTest : public ::testing::Test {
 protected:
  // As GrpcClient has it; here a server uses gRPC first.
  static void SetUpTestSuite() { ::setenv("GRPC_DNS_RESOLVER", "native", 0); }
  // own_.cert and key, and whom to believe.
  static TlsFiles With(const TlsFiles& own, const std::string& ca) {
    return {own.cert, own.key, ca};
  }
  HttpServerOptions Options(const TlsFiles& files) const {
    HttpServerOptions options;
    options.tls = TlsContext::ForServer(files);
    options.header_timeout = milliseconds(1500);
    return options;
  }
  static std::unique_ptr<HttpClient> Client(const HttpServer& server,
                                            const TlsFiles& files,
                                            const char* host = "127.0.0.1") {
    return std::make_unique<HttpClient>(host, server.port(), milliseconds(5000),
                                        TlsContext::ForClient(files));
  }
  static std::string ErrorOf(const std::function<void()>& what) {
    try {
      what();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  const std::string folder_ = MakeTempDirectory("tls");
  const TlsFiles own_ = MakeTestCertificate(folder_, "own");
  const TlsFiles other_ = MakeTestCertificate(folder_, "other");
};

TEST_F(TlsTest, ServesManyClients) {
  HttpServer server(Options(With(own_, "")), Echo);
  std::atomic<int> right = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&, i] {
      const auto client =
          Client(server, {"", "", own_.ca}, i % 2 ? "127.0.0.1" : "localhost");
      for (int j = 0; j < 20; ++j) {
        // Some of many TLS records, in both directions.
        const std::string body(j % 5 == 0 ? 300000 : 10, 'a' + j);
        const HttpMessage reply = client->Ask("POST", "/", body);
        right += reply.status == 200 && reply.body == body;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(right, 80);
  server.Drain(milliseconds(2000));
  EXPECT_EQ(server.connections(), 0U);
}

TEST_F(TlsTest, ClientsRefuseAWrongServer) {
  HttpServerOptions options = Options(With(own_, ""));
  options.host = "0.0.0.0";
  HttpServer server(options, Echo);
  EXPECT_THAT(ErrorOf([&] {
                Client(server, {"", "", other_.ca})->Ask("GET", "/");
              }),
              HasSubstr("self-signed certificate"));
  EXPECT_THAT(ErrorOf([&] { Client(server, {})->Ask("GET", "/"); }),
              HasSubstr("certificate"));
  // Another name of this machine that the certificate does not have.
  EXPECT_THAT(ErrorOf([&] {
                Client(server, {"", "", own_.ca}, "127.0.0.2")->Ask("GET", "/");
              }),
              HasSubstr("mismatch"));
  EXPECT_EQ(Client(server, {"", "", own_.ca})->Ask("GET", "/").status, 200);
}

TEST_F(TlsTest, AnswersPlainHttpWithAnError) {
  HttpServer server(Options(With(own_, "")), Echo);
  HttpClient plain("127.0.0.1", server.port(), milliseconds(5000));
  const HttpMessage reply = plain.Ask("GET", "/");
  EXPECT_EQ(reply.status, 400);
  EXPECT_THAT(reply.body, HasSubstr("HTTPS"));
  // Neither nonsense nor silence keeps a connection.
  for (const std::string& text :
       {std::string("\x16\x03\x01\x00\x05hello"), std::string(300, '\0'),
        std::string("\x16"), std::string("")}) {
    Socket socket = Connect("127.0.0.1", server.port(), In(1000));
    socket.Write(text, In(1000));
    if (text.empty()) socket.EndWriting();
    std::string received;
    Socket::Result result = Socket::Result::kOk;
    while (result == Socket::Result::kOk) {
      result = socket.Read(&received, In(5000));
    }
    EXPECT_EQ(result, Socket::Result::kClosed);
  }
  EXPECT_EQ(Client(server, {"", "", own_.ca})->Ask("GET", "/").status, 200);
  // The other way round.
  HttpServer old({}, Echo);
  EXPECT_THAT(ErrorOf([&] {
                Client(old, {"", "", own_.ca})->Ask("GET", "/");
              }),
              HasSubstr("no TLS with 127.0.0.1"));
}

TEST_F(TlsTest, AsksForAClientsCertificate) {
  HttpServer server(Options(With(own_, other_.ca)), Echo);
  EXPECT_EQ(Client(server, With(other_, own_.ca))->Ask("GET", "/").status, 200);
  EXPECT_NE(ErrorOf([&] {
              Client(server, {"", "", own_.ca})->Ask("GET", "/");
            }),
            "");
  EXPECT_NE(
      ErrorOf([&] { Client(server, With(own_, own_.ca))->Ask("GET", "/"); }),
      "");
}

TEST_F(TlsTest, RefusesBadFiles) {
  const std::string bad = JoinPath(folder_, "bad");
  WriteFileAtomically(bad, "no certificate");
  const std::string none = JoinPath(folder_, "none");
  for (const TlsFiles& files :
       {TlsFiles{own_.cert, other_.key, ""}, TlsFiles{bad, own_.key, ""},
        TlsFiles{own_.cert, bad, ""}, TlsFiles{own_.cert, own_.key, bad},
        TlsFiles{none, own_.key, ""}, TlsFiles{own_.cert, none, ""},
        TlsFiles{own_.cert, own_.key, none}, TlsFiles{own_.cert, "", ""},
        TlsFiles{}}) {
    EXPECT_THROW(TlsContext::ForServer(files), Error)
        << files.cert << " " << files.key << " " << files.ca;
  }
  EXPECT_THROW(TlsContext::ForClient({"", "", bad}), Error);
  EXPECT_THROW(TlsContext::ForClient({"", "", none}), Error);
}

TEST_F(TlsTest, SpeaksGrpc) {
  const std::string base = JoinPath(folder_, "models");
  MakeDirectories(base);
  WriteFakeVersion(base, 1, ".");
  FakeControl control;
  ModelServiceOptions service_options;
  service_options.name = "m";
  VersionOptions versions;
  versions.base_path = base;
  ModelService service(service_options, versions, [&](const std::string& path) {
    return std::make_unique<FakeServable>(path, &control);
  });
  GrpcOptions options;
  options.tls = With(own_, other_.ca);
  GrpcServer server(options, &service);
  tensorflow::serving::PredictRequest request;
  request.mutable_model_spec()->set_name("m");
  (*request.mutable_inputs())["text"] = ToProto(StringList({"a"}));
  const auto error = [&](const TlsFiles* files) {
    return ErrorOf([&] {
      GrpcClient client("localhost:" + std::to_string(server.port()),
                        milliseconds(5000), "", files);
      EXPECT_EQ(client.Predict(request).outputs().at("text").string_val(0),
                "a.");
    });
  };
  const TlsFiles right = With(other_, own_.ca);
  const TlsFiles no_certificate = {"", "", own_.ca};
  const TlsFiles wrong_ca = With(other_, other_.ca);
  EXPECT_EQ(error(&right), "");
  EXPECT_THAT(error(&no_certificate), HasSubstr("code 14"));
  EXPECT_THAT(error(&wrong_ca), HasSubstr("code 14"));
  EXPECT_THAT(error(nullptr), HasSubstr("code 14"));
  EXPECT_EQ(error(&right), "");
  options.tls.key = other_.key;
  EXPECT_THROW(GrpcServer(options, &service), Error);
}

}  // namespace
}  // namespace t2t
