// t2t-model-server and t2t-query-server as their users see them, with a small
// model of random weights.

#include <absl/strings/escaping.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/base/strings.h"
#include "t2t/base/subprocess.h"
#include "t2t/bin/model_server/testing_model_server.h"
#include "t2t/checkpoint/checkpoint.h"
#include "t2t/decode/decode_hparams.h"
#include "t2t/decode/load_model.h"
#include "t2t/decode/text_decoder.h"
#include "t2t/formats/example.h"
#include "t2t/hparams/hparams.h"
#include "t2t/model/model.h"
#include "t2t/problem/datagen.h"
#include "t2t/problem/problem.h"
#include "t2t/serve/grpc_client.h"
#include "t2t/serve/http_client.h"
#include "t2t/serve/socket.h"
#include "t2t/serve/tensor_value.h"
#include "t2t/serve/test_certificate.h"
#include "t2t/serve/text_servable.h"
#include "t2t/serve/tls.h"
#include "t2t/text/text_encoder.h"

namespace t2t {
namespace {

TEST_F(ModelServerTest, ShowsWhereTheModelLooks) {
  Start(JoinPath(*dir_, "first"));
  const HttpMessage reply = Ask("POST", "/attention", Texts()[1]);
  ASSERT_EQ(reply.status, 200) << reply.body;
  const Json json = Json::Parse(reply.body);
  EXPECT_EQ(json.At("text").AsString(), (*first_)[1]);
  const size_t inputs = json.At("inputs").items().size();
  const size_t outputs = json.At("outputs").items().size();
  EXPECT_GT(inputs, 3U);
  EXPECT_GT(outputs, 0U);
  const std::vector<Json>& layers = json.At("attention").items();
  ASSERT_EQ(layers.size(), 1U);
  ASSERT_EQ(layers[0].items().size(), 2U);  // heads
  for (const Json& head : layers[0].items()) {
    ASSERT_EQ(head.items().size(), outputs);
    for (const Json& row : head.items()) {
      ASSERT_EQ(row.items().size(), inputs);
      double sum = 0;
      for (const Json& weight : row.items()) sum += weight.AsDouble();
      EXPECT_NEAR(sum, 1, 1e-3 * static_cast<double>(inputs));
    }
  }
  EXPECT_EQ(Ask("POST", "/attention", " ").status, 400);
  EXPECT_THAT(Ask("GET", "/").body, HasSubstr("fetch(\"attention\""));
}

TEST_F(ModelServerTest, ServesInt8Weights) {
  // One server with a model that has learnt nothing can't show quality: it is
  // the way through, and the same rows give the same answers.
  TextServable exact(Load(JoinPath(*dir_, "first")),
                     DecodeHParams(kDecodeHParams));
  TextServable int8(Load(JoinPath(*dir_, "first")),
                    DecodeHParams(kDecodeHParams), /*int8=*/true);
  exact.WarmUp();
  int8.WarmUp();
  EXPECT_THAT(int8.Description(), HasSubstr("int8"));
  std::vector<Servable::Ids> rows;
  for (const std::string& text : Texts()) rows.push_back(int8.Encode(text));
  const std::vector<Prediction> together = int8.Predict(rows, nullptr);
  for (size_t i = 0; i < rows.size(); ++i) {
    const Prediction alone = int8.Predict({rows[i]}, nullptr)[0];
    EXPECT_EQ(together[i].hypotheses[0].ids, alone.hypotheses[0].ids);
    // It looks where the exact model looks.
    const auto& output = alone.hypotheses[0].ids;
    const auto by_int8 = int8.Attend(rows[i], output);
    const auto by_floats = exact.Attend(rows[i], output);
    ASSERT_TRUE(by_int8.has_value() && by_floats.has_value());
    for (size_t j = 0; j < by_int8->weights.size(); ++j) {
      EXPECT_NEAR(by_int8->weights[j], by_floats->weights[j], 0.05);
    }
  }
  Start(JoinPath(*dir_, "first"), {"--int8"});
  EXPECT_THAT(server_->Output(), HasSubstr("MB of fp32 freed"));
  EXPECT_EQ(Ask("POST", "/translate", Texts()[0]).status, 200);
  EXPECT_EQ(Ask("POST", "/attention", Texts()[0]).status, 200);
}

TEST_F(ModelServerTest, SpeaksTls) {
  const TlsFiles own = MakeTestCertificate(*dir_, "own");
  const TlsFiles other = MakeTestCertificate(*dir_, "other");
  Start(JoinPath(*dir_, "first"),
        {"--ssl_cert_file=" + own.cert, "--ssl_key_file=" + own.key});
  const std::string rest =
      "--server=https://localhost:" + std::to_string(rest_port_);
  const std::string grpc = "--server=localhost:" + std::to_string(grpc_port_);
  const std::string once = "--inputs_once=" + Texts()[1];
  for (const std::string& server : {rest, grpc}) {
    const RunResult run = Query({server, once, "--tls_ca_file=" + own.ca});
    EXPECT_EQ(run.code, 0) << run.output;
    EXPECT_THAT(run.output, HasSubstr("):\n" + (*first_)[1] + "\n"));
    EXPECT_NE(Query({server, once, "--tls_ca_file=" + other.ca}).code, 0);
  }
  // Without TLS: errors, soon.
  EXPECT_EQ(Ask("GET", "/healthz").status, 400);
  EXPECT_EQ(
      Query({"--server=http://localhost:" + std::to_string(rest_port_), once})
          .code,
      static_cast<int>(ExitCode::kUsage));
  EXPECT_EQ(Query({grpc, once}).code, static_cast<int>(ExitCode::kRetry));
  EXPECT_EQ(Query({"--server=http://localhost:1", once, "--tls"}).code, 2);
}

TEST_F(ModelServerTest, ChangesVersionsWithoutALostRequest) {
  const std::string base = JoinPath(*dir_, "versions");
  MakeDirectories(base);
  Rename(JoinPath(*dir_, "first"), JoinPath(base, "1"));
  Start(base);
  std::atomic<bool> stop = false;
  std::atomic<int> from_first = 0;
  std::atomic<int> from_second = 0;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> clients;
  for (size_t i = 0; i < Texts().size(); ++i) {
    clients.emplace_back([&, i] {
      const auto client = Client();
      while (!stop) {
        const HttpMessage reply = client->Ask("POST", "/translate", Texts()[i]);
        if (reply.body == (*first_)[i] + "\n") {
          ++from_first;
        } else if (reply.body == (*second_)[i] + "\n") {
          ++from_second;
        } else {
          ++wrong;
        }
      }
    });
  }
  const auto wait_for = [&](const std::atomic<int>& count) {
    for (int i = 0; i < 3000 && count < 20; ++i) {
      std::this_thread::sleep_for(milliseconds(10));
    }
    EXPECT_GE(count, 20);
  };
  wait_for(from_first);
  Rename(JoinPath(*dir_, "second"), JoinPath(base, "2"));
  wait_for(from_second);
  stop = true;
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_THAT(Ask("GET", "/v1/models/numbers").body,
              HasSubstr("\"version\": \"2\""));
  EXPECT_THAT(Ask("GET", "/metrics").body,
              HasSubstr("t2t_version_swaps_total 1\n"));
  // Back, for the tests that follow.
  Rename(JoinPath(base, "1"), JoinPath(*dir_, "first"));
}

// A model may take minutes to load.
TEST_F(ModelServerTest, SaysThatAPortIsTakenBeforeItLoads) {
  int port = 0;
  const Socket taken = Listen("127.0.0.1", 0, &port);
  for (const char* flag : {"--port", "--rest_api_port"}) {
    const RunResult run =
        RunProgram(Command(JoinPath(*dir_, "first"),
                           {std::string(flag) + "=" + std::to_string(port)}));
    EXPECT_EQ(run.code, static_cast<int>(ExitCode::kIo));
    EXPECT_THAT(run.output, HasSubstr("127.0.0.1:" + std::to_string(port) +
                                      ": Address already in use"));
    EXPECT_THAT(run.output,
                HasSubstr("give " + std::string(flag) + " another port"));
    EXPECT_THAT(run.output, ::testing::Not(HasSubstr("is ready")));
  }
  EXPECT_EQ(
      RunProgram(Command(*dir_, {"--port=9000", "--rest_api_port=9000"})).code,
      2);
}

TEST_F(ModelServerTest, SaysWhichFileItCantLoad) {
  const std::string path = JoinPath(*dir_, "damaged");
  for (const char* name : {"model.safetensors", "hparams.json"}) {
    RemoveTree(path);
    WriteModel(path, 1);
    const std::string file = JoinPath(path, name);
    WriteFileAtomically(file, ReadFile(file).substr(0, 20));
    const RunResult run = RunProgram(Command(path));
    EXPECT_NE(run.code, 0);
    EXPECT_THAT(run.output, HasSubstr(file));
  }
}

// A model on a disk that does not answer: probes are answered, and a signal to
// stop is followed.
TEST_F(ModelServerTest, IsAliveAndStopsWhileItLoads) {
  const std::string path = JoinPath(*dir_, "slow");
  WriteModel(path, 1);
  RemoveFile(JoinPath(path, "problem.json"));
  ASSERT_EQ(::mkfifo(JoinPath(path, "problem.json").c_str(), 0600), 0);
  // A port that is free a moment later too, most likely.
  Listen("127.0.0.1", 0, &rest_port_).Close();
  Subprocess server(
      Command(path, {"--rest_api_port=" + std::to_string(rest_port_)}));
  const auto status = [&](const std::string& target) {
    try {
      return Ask("GET", target).status;
    } catch (const Error&) {
      return 0;
    }
  };
  for (int i = 0; i < 3000 && status("/healthz") != 200; ++i) {
    std::this_thread::sleep_for(milliseconds(10));
  }
  EXPECT_EQ(status("/healthz"), 200);
  EXPECT_EQ(status("/readyz"), 503);
  EXPECT_EQ(Ask("POST", "/translate", "one").status, 503);
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait(), 0);
  EXPECT_THAT(server.Output(), HasSubstr("stopped before the model was"));
}

TEST_F(ModelServerTest, SaysWhyItCantStart) {
  const auto run = [](const std::vector<std::string>& command) {
    return RunProgram(command);
  };
  EXPECT_EQ(run(Command("")).code, 2);
  EXPECT_EQ(run(Command(JoinPath(*dir_, "none"))).code, 4);
  EXPECT_EQ(run(Command(*dir_, {"--max_batch_size=0"})).code, 2);
  EXPECT_EQ(run(Command(*dir_, {"--model_name=a/b"})).code, 2);
  EXPECT_EQ(run(Command(*dir_, {"--decode_hparams=beam_sise=1"})).code, 2);
  EXPECT_EQ(run(Command(*dir_, {"--bearer_token_file=none"})).code, 4);
  EXPECT_EQ(run(Command(*dir_, {"--ssl_key_file=none"})).code, 2);
  EXPECT_EQ(run(Command(JoinPath(*dir_, "first"),
                        {"--ssl_key_file=none", "--ssl_cert_file=none"}))
                .code,
            4);
}

}  // namespace
}  // namespace t2t
