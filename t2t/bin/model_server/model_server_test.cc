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

TEST_F(ModelServerTest, ServableGivesTheSameInABatch) {
  TextServable servable(Load(JoinPath(*dir_, "first")),
                        DecodeHParams(kDecodeHParams));
  servable.WarmUp();
  std::vector<Servable::Ids> rows;
  for (const std::string& text : Texts()) rows.push_back(servable.Encode(text));
  const std::vector<Prediction> together = servable.Predict(rows, nullptr);
  ASSERT_EQ(together.size(), rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    const Prediction alone = servable.Predict({rows[i]}, nullptr)[0];
    EXPECT_EQ(together[i].hypotheses[0].ids, alone.hypotheses[0].ids);
    EXPECT_NEAR(together[i].hypotheses[0].score, alone.hypotheses[0].score,
                1e-4);
  }
  EXPECT_TRUE(servable.Encode(" \t").empty());
  EXPECT_TRUE(servable.gives_int32());
  EXPECT_EQ(servable.beams(), 0);
}

TEST_F(ModelServerTest, ServableChecksExamples) {
  const TextServable servable(Load(JoinPath(*dir_, "first")),
                              DecodeHParams("beam_size=1"));
  EXPECT_FALSE(servable.gives_int32());
  const Servable::Ids ids = servable.Encode("forty-two");
  Example example;
  example.features["inputs"] = ids;
  EXPECT_EQ(servable.EncodeExample(SerializeExample(example)), ids);
  for (const Servable::Ids& bad :
       {Servable::Ids{}, Servable::Ids{5, -1}, Servable::Ids{1 << 20}}) {
    example.features["inputs"] = bad;
    EXPECT_THROW(servable.EncodeExample(SerializeExample(example)), Error);
  }
  // What T2T's client makes of an empty line.
  example.features["inputs"] = Servable::Ids{kEosId};
  EXPECT_TRUE(servable.EncodeExample(SerializeExample(example)).empty());
  example.features["inputs"] = Servable::Ids{kPadId, kEosId, kPadId};
  EXPECT_TRUE(servable.EncodeExample(SerializeExample(example)).empty());
  example.features["inputs"] = std::vector<std::string>{"forty-two"};
  EXPECT_THROW(servable.EncodeExample(SerializeExample(example)), Error);
  EXPECT_THROW(servable.EncodeExample(""), Error);
  EXPECT_THROW(servable.EncodeExample("forty-two"), Error);
}

TEST_F(ModelServerTest, AnswersAsTheDecoderDoes) {
  Start(JoinPath(*dir_, "first"));
  EXPECT_EQ(Ask("GET", "/readyz").status, 200);
  EXPECT_EQ(Ask("POST", "/translate", Join(Texts(), "\n")).body,
            Join(*first_, "\n") + "\n");

  // Text and ids over REST.
  const LoadedModel loaded = Load(JoinPath(*dir_, "first"));
  const TextDecoder decoder(loaded.model.get(), DecodeHParams(kDecodeHParams),
                            0);
  Json instances = Json::Array();
  std::vector<std::string> examples;
  for (const std::string& text : Texts()) {
    Example example;
    example.features["inputs"] = decoder.Encode(text);
    const std::string bytes = SerializeExample(example);
    Json instance = Json::Object();
    instance.Set("b64", absl::Base64Escape(bytes));
    instances.Append(std::move(instance));
    examples.push_back(bytes);
  }
  instances.Append(Texts()[0]);
  Json body = Json::Object();
  body.Set("instances", std::move(instances));
  const HttpMessage reply =
      Ask("POST", "/v1/models/numbers:predict", body.ToString());
  ASSERT_EQ(reply.status, 200) << reply.body;
  const Json json = Json::Parse(reply.body);
  const std::vector<Json>& predictions = json.At("predictions").items();
  ASSERT_EQ(predictions.size(), 5U);
  EXPECT_EQ(predictions[4].At("text").AsString(), (*first_)[0]);

  // The same over gRPC.
  tensorflow::serving::PredictRequest grpc;
  grpc.mutable_model_spec()->set_name("numbers");
  (*grpc.mutable_inputs())["input"] = ToProto(StringList(examples));
  const tensorflow::serving::PredictResponse response =
      GrpcClient("127.0.0.1:" + std::to_string(grpc_port_), milliseconds(20000),
                 "")
          .Predict(grpc);
  const TensorValue outputs = FromProto(response.outputs().at("outputs"));
  const TensorValue scores = FromProto(response.outputs().at("scores"));
  ASSERT_EQ(outputs.shape.size(), 2U);
  for (size_t i = 0; i < Texts().size(); ++i) {
    std::vector<int64_t> rest_ids;
    for (const Json& id : predictions[i].At("outputs").items()) {
      rest_ids.push_back(id.AsInt());
    }
    EXPECT_EQ(decoder.OutputText(WithoutPadding(rest_ids)), (*first_)[i]);
    const auto row = outputs.ints.begin() + i * outputs.shape[1];
    EXPECT_EQ(decoder.OutputText(WithoutPadding({row, row + outputs.shape[1]})),
              (*first_)[i]);
    EXPECT_NEAR(scores.floats[i], predictions[i].At("scores").AsDouble(), 1e-4);
  }
}

TEST_F(ModelServerTest, TheClientAsksInEveryWay) {
  Start(JoinPath(*dir_, "first"));
  const std::string rest = "http://127.0.0.1:" + std::to_string(rest_port_);
  const std::string grpc = "127.0.0.1:" + std::to_string(grpc_port_);
  for (const std::string& address : {rest, grpc}) {
    for (const bool encodes : {true, false}) {
      std::vector<std::string> flags = {"--server=" + address,
                                        "--inputs_once=" + Texts()[1]};
      if (encodes) {
        flags.push_back("--problem=" + std::string(kProblem));
        flags.push_back("--data_dir=" + JoinPath(*dir_, "first"));
      }
      const RunResult run = Query(flags);
      EXPECT_EQ(run.code, 0) << run.output;
      EXPECT_THAT(run.output, StartsWith("\nInput:\n" + Texts()[1] +
                                         "\n\nOutput (Score -"));
      EXPECT_THAT(run.output, HasSubstr("):\n" + (*first_)[1] + "\n"));
    }
    EXPECT_EQ(Query({"--server=" + address, "--inputs_once=one",
                     "--servable_name=other"})
                  .code,
              static_cast<int>(ExitCode::kUsage));
  }
  EXPECT_EQ(Query({"--server=nonsense", "--inputs_once=a"}).code, 2);
  EXPECT_EQ(Query({"--inputs_once=a"}).code, 2);
  EXPECT_EQ(Query({"--server=http://127.0.0.1:1", "--inputs_once=a"}).code,
            static_cast<int>(ExitCode::kRetry));
}

TEST_F(ModelServerTest, RefusesWhatIsMalformed) {
  Start(JoinPath(*dir_, "first"),
        {"--max_queue_tokens=100", "--max_input_tokens=50"});
  const auto status = [&](const std::string& body) {
    return Ask("POST", "/v1/models/numbers:predict", body).status;
  };
  for (const char* bad : {"", "{", "[]", R"({"instances": [{"b64": "AAAA"}]})",
                          R"({"instances": [{"b64": "????"}]})",
                          R"({"instances": [null]})", R"({"inputs": 3})"}) {
    EXPECT_EQ(status(bad), 400) << bad;
  }
  EXPECT_EQ(Ask("POST", "/translate", std::string(200, '7')).status, 400);
  EXPECT_EQ(Ask("POST", "/translate", std::string(2 << 20, ' ')).status, 413);
  EXPECT_EQ(Ask("POST", "/translate", "\xff\xfe\x80").status, 200);
  EXPECT_EQ(Ask("POST", "/translate", "one").status, 200);
}

TEST_F(ModelServerTest, RefusesExplicitlyWhatItCannotHold) {
  // A queue of about four of these rows; far more come at once.
  Start(
      JoinPath(*dir_, "first"),
      {"--max_queue_tokens=64", "--max_input_tokens=50", "--max_batch_size=2"});
  std::atomic<int> right = 0;
  std::atomic<int> refused = 0;
  std::atomic<int> other = 0;
  std::vector<std::thread> clients;
  for (size_t i = 0; i < 24; ++i) {
    clients.emplace_back([&, i] {
      const size_t text = i % Texts().size();
      const auto rest = Client();
      GrpcClient grpc("127.0.0.1:" + std::to_string(grpc_port_),
                      milliseconds(20000), "");
      tensorflow::serving::PredictRequest request;
      request.mutable_model_spec()->set_name("numbers");
      (*request.mutable_inputs())["text"] =
          ToProto(StringList({Texts()[text]}));
      for (int j = 0; j < 15; ++j) {
        if (i % 2 == 0) {
          const HttpMessage reply =
              rest->Ask("POST", "/translate", Texts()[text]);
          if (reply.status == 429 && reply.Header("retry-after") != nullptr) {
            ++refused;
          } else {
            ++(reply.body == (*first_)[text] + "\n" ? right : other);
          }
          continue;
        }
        try {
          const std::string said =
              grpc.Predict(request).outputs().at("text").string_val(0);
          ++(ReplaceAll(said, "\n", " ") == (*first_)[text] ? right : other);
        } catch (const Error& error) {
          // RESOURCE_EXHAUSTED
          ++(HasCode8(error) ? refused : other);
        }
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(other, 0);
  EXPECT_GT(right, 0);
  EXPECT_GT(refused, 0);
  EXPECT_EQ(right + refused, 24 * 15);
  // It is none the worse for it.
  EXPECT_EQ(Ask("POST", "/translate", Texts()[0]).body, (*first_)[0] + "\n");
}

}  // namespace
}  // namespace t2t
