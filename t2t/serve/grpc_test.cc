#include <gmock/gmock.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "proto/serving.grpc.pb.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/serve/fake_servable.h"
#include "t2t/serve/grpc_client.h"
#include "t2t/serve/grpc_server.h"
#include "t2t/serve/model_service.h"
#include "t2t/serve/tensor_value.h"
#include "t2t/serve/version_manager.h"

namespace t2t {
namespace {

using std::chrono::milliseconds;
using tensorflow::serving::PredictRequest;
using tensorflow::serving::PredictResponse;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kStatus[] = "/tensorflow.serving.ModelService/GetModelStatus";
constexpr char kMetadata[] =
    "/tensorflow.serving.PredictionService/GetModelMetadata";

constexpr char kPredictHex[] =
    "0a180a016d120208031a0f73657276696e675f64656661756c7412180a05696e7075741"
    "20f0807120412020802420261624201631a076f757470757473";
constexpr char kResponseHex[] =
    "0a390a076f757470757473122e08091208120208021202080222200700000000000000010"
    "0000000000000090000000000000000000000000000000a1c0a0673636f7265731212080"
    "112041202080222080000003f0000803f12070a016d12020801";

std::string FromHex(const std::string& hex) {
  std::string bytes;
  for (size_t i = 0; i < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

PredictRequest Request(const std::string& name,
                       std::vector<std::string> values) {
  PredictRequest request;
  request.mutable_model_spec()->set_name("m");
  (*request.mutable_inputs())[name] = ToProto(StringList(std::move(values)));
  return request;
}

TensorValue Output(const PredictResponse& response, const std::string& name) {
  return FromProto(response.outputs().at(name));
}

std::string Field(int field, const std::string& value) {
  return static_cast<char>(field << 3 | 2) +
         std::string(1, static_cast<char>(value.size())) + value;
}

// The tensor of these bytes.
TensorValue Tensor(const std::string& bytes) {
  tensorflow::TensorProto proto;
  if (!proto.ParseFromString(bytes)) throw DataError("no tensor");
  return FromProto(proto);
}

// The hexadecimal texts are what the Python classes of tensorflow-serving-api
// 2.15.1 serialize.
TEST(ServingProtoTest, ReadsWhatTheRealClientWrites) {
  PredictRequest request;
  ASSERT_TRUE(request.ParseFromString(FromHex(kPredictHex)));
  EXPECT_EQ(request.model_spec().name(), "m");
  EXPECT_EQ(request.model_spec().version().value(), 3);
  EXPECT_EQ(request.model_spec().signature_name(), "serving_default");
  const TensorValue input = FromProto(request.inputs().at("input"));
  EXPECT_THAT(input.shape, ElementsAre(2));
  EXPECT_THAT(input.strings, ElementsAre("ab", "c"));
  EXPECT_THAT(request.output_filter(), ElementsAre("outputs"));

  PredictResponse response;
  ASSERT_TRUE(response.ParseFromString(FromHex(kResponseHex)));
  EXPECT_THAT(Output(response, "outputs").shape, ElementsAre(2, 2));
  EXPECT_THAT(Output(response, "outputs").ints, ElementsAre(7, 1, 9, 0));
  EXPECT_THAT(Output(response, "scores").floats, ElementsAre(0.5F, 1.0F));
  EXPECT_EQ(response.model_spec().version().value(), 1);
}

TEST(ServingProtoTest, ThereAndBack) {
  const TensorValue strings = StringList({"a", "", std::string(300, 'x')});
  EXPECT_EQ(FromProto(ToProto(strings)).strings, strings.strings);
  TensorValue ints;
  ints.type = DataType::kInt32;
  ints.shape = {2, 2};
  ints.ints = {1, -1, 1 << 30, 0};
  EXPECT_EQ(FromProto(ToProto(ints)).ints, ints.ints);
  EXPECT_EQ(FromProto(ToProto(ints)).type, DataType::kInt32);
}

TEST(ServingProtoTest, BelievesNoLengths) {
  const std::string strings("\x08\x07", 2);
  const auto shape = [](const std::string& size) {
    return Field(2, Field(2, "\x08" + size));
  };
  // The last string is repeated, as TensorFlow does it.
  EXPECT_THAT(Tensor(strings + shape("\x03") + Field(8, "a")).strings,
              ElementsAre("a", "a", "a"));
  for (const std::string& tensor :
       {strings + shape("\xff\xff\xff\xff\xff\xff\x7f") + Field(8, "a"),
        strings + shape("\x03"),  // nothing to repeat
        strings + shape("\x01") + Field(8, "a") + Field(8, "b"),
        strings + shape("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),  // -1
        strings + Field(2, std::string("\x18\x01", 2)),  // unknown rank
        std::string("\x08\x03", 2) + shape("\x02") + Field(7, "\x05"),
        std::string("\x08\x01", 2) + shape("\x01") + Field(5, "abc"),
        std::string("\x08\x01", 2) + shape("\x01") + Field(4, "abc"),
        std::string("\x08\x0b", 2),  // another type
        std::string("\x08\x07\x2a\x7f", 4), std::string("\x08", 1)}) {
    EXPECT_THROW(Tensor(tensor), Error);
  }
}

class GrpcTest : public ::testing::Test {
 protected:
  GrpcTest() { WriteFakeVersion(base_, 1, "."); }

  GrpcClient& Client() {
    if (client_.has_value()) return *client_;
    VersionOptions versions;
    versions.base_path = base_;
    versions.poll_interval = milliseconds(5);
    service_.emplace(model_, versions, [this](const std::string& path) {
      return std::make_unique<FakeServable>(path, &control_);
    });
    server_.emplace(grpc_, &*service_);
    client_.emplace("127.0.0.1:" + std::to_string(server_->port()),
                    milliseconds(10000), "sesame");
    return *client_;
  }
  // The answer to serialized bytes, or gRPC's code.
  std::string AskRaw(int port, const std::string& method,
                     const std::string& bytes) {
    grpc::GenericStub stub(
        grpc::CreateChannel("127.0.0.1:" + std::to_string(port),
                            grpc::InsecureChannelCredentials()));
    const grpc::Slice slice(bytes);
    const grpc::ByteBuffer request(&slice, 1);
    grpc::ByteBuffer response;
    grpc::ClientContext context;
    std::promise<grpc::Status> promise;
    stub.UnaryCall(&context, method, grpc::StubOptions(), &request, &response,
                   [&](grpc::Status status) { promise.set_value(status); });
    const grpc::Status status = promise.get_future().get();
    if (!status.ok()) return "code " + std::to_string(status.error_code());
    grpc::Slice all;
    EXPECT_TRUE(response.DumpToSingleSlice(&all).ok());
    return {reinterpret_cast<const char*>(all.begin()), all.size()};
  }
  std::string AskRaw(const std::string& method, const std::string& bytes) {
    Client();
    return AskRaw(server_->port(), method, bytes);
  }
  // gRPC's message, or "" where there was no error.
  std::string ErrorOf(const PredictRequest& request,
                      ExitCode code = ExitCode::kUsage) {
    try {
      Client().Predict(request);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code) << error.what();
      return error.what();
    }
    return "";
  }

  static ModelServiceOptions Options() {
    ModelServiceOptions options;
    options.name = "m";
    options.batching.max_queue_tokens = 10;
    return options;
  }

  const std::string base_ = MakeTempDirectory("grpc");
  ModelServiceOptions model_ = Options();
  FakeControl control_;
  GrpcOptions grpc_;
  std::optional<ModelService> service_;
  std::optional<GrpcServer> server_;
  std::optional<GrpcClient> client_;
};

TEST_F(GrpcTest, Predicts) {
  const PredictResponse response =
      Client().Predict(Request("input", {"ab", "c"}));
  EXPECT_EQ(response.model_spec().name(), "m");
  EXPECT_EQ(response.model_spec().version().value(), 1);
  ASSERT_EQ(response.outputs().size(), 2U);
  const TensorValue outputs = Output(response, "outputs");
  EXPECT_EQ(outputs.type, DataType::kInt32);
  EXPECT_THAT(outputs.shape, ElementsAre(2, 4));
  EXPECT_THAT(outputs.ints, ElementsAre('e', 'a', 'b', '.', 'e', 'c', '.', 0));
  EXPECT_THAT(Output(response, "scores").shape, ElementsAre(2));
  EXPECT_THAT(Output(response, "scores").floats, ElementsAre(-0.1F, -0.1F));

  PredictRequest filtered = Request("text", {"ab", ""});
  filtered.add_output_filter("text");
  const PredictResponse text = Client().Predict(filtered);
  ASSERT_EQ(text.outputs().size(), 1U);
  EXPECT_THAT(Output(text, "text").strings, ElementsAre("ab.", ""));
}

TEST_F(GrpcTest, PredictsBeams) {
  control_.beams = 2;
  const PredictResponse response = Client().Predict(Request("text", {"a"}));
  EXPECT_THAT(Output(response, "outputs").shape, ElementsAre(1, 2, 3));
  EXPECT_THAT(Output(response, "scores").shape, ElementsAre(1, 2));
  EXPECT_THAT(Output(response, "text").strings, ElementsAre("a.", "a.!"));
}

TEST_F(GrpcTest, SaysWhatIsWrong) {
  PredictRequest request = Request("input", {"a"});
  request.mutable_model_spec()->set_name("x");
  EXPECT_THAT(ErrorOf(request), HasSubstr("code 5: Servable not found"));
  request.mutable_model_spec()->set_name("m");
  request.mutable_model_spec()->mutable_version()->set_value(9);
  EXPECT_THAT(ErrorOf(request), HasSubstr("Specific(m, 9)"));
  request = Request("input", {"a"});
  request.mutable_model_spec()->set_signature_name("x");
  EXPECT_THAT(ErrorOf(request), HasSubstr("code 3: there is no signature"));
  EXPECT_THAT(ErrorOf(Request("x", {"a"})), HasSubstr("the one input"));
  EXPECT_THAT(ErrorOf(Request("input", {})), HasSubstr("0 rows"));
  EXPECT_THAT(ErrorOf(Request("input", {"bad"})), HasSubstr("no Example"));
  request = Request("input", {"a"});
  (*request.mutable_inputs())["input"]
      .mutable_tensor_shape()
      ->add_dim()
      ->set_size(1);
  EXPECT_THAT(ErrorOf(request), HasSubstr("list of strings"));
  request = Request("input", {"a"});
  request.add_output_filter("x");
  EXPECT_THAT(ErrorOf(request), HasSubstr("no output \"x\""));
  EXPECT_THAT(ErrorOf(Request("text", {"fail"}), ExitCode::kRetry),
              HasSubstr("code 13: the model failed"));
  request = Request("input", {"a"});
  request.mutable_model_spec()->set_version_label("stable");
  EXPECT_THAT(ErrorOf(request),
              HasSubstr("code 3: Unrecognized servable version label: stable"));
  // gRPC's own answers.
  EXPECT_EQ(AskRaw(kStatus, "\xff"), "code 12");
  EXPECT_EQ(AskRaw("/tensorflow.serving.PredictionService/Classify", ""),
            "code 12");
}

// tensorflow/tensor2tensor#1219: the client ended at its first empty line.
TEST_F(GrpcTest, NothingInNothingOut) {
  for (const char* name : {"text", "input"}) {
    const PredictResponse response = Client().Predict(Request(name, {""}));
    EXPECT_THAT(Output(response, "outputs").shape, ElementsAre(1, 0));
    EXPECT_THAT(Output(response, "scores").floats, ElementsAre(0.0F));
  }
  EXPECT_THAT(
      Output(Client().Predict(Request("text", {"", "a"})), "text").strings,
      ElementsAre("", "a."));
  control_.gives_class = true;
  EXPECT_THAT(ErrorOf(Request("input", {"a", ""})),
              HasSubstr("row 1: the input is empty"));
}

TEST_F(GrpcTest, ABadRowOfTextRefusesNoOther) {
  model_.max_input_tokens = 3;
  const PredictResponse response =
      Client().Predict(Request("text", {"a", "abcd", "b"}));
  EXPECT_THAT(Output(response, "text").strings, ElementsAre("a.", "", "b."));
  EXPECT_THAT(Output(response, "error").strings,
              ElementsAre("", "row 1: 4 tokens; at most 3 are taken", ""));
  EXPECT_FALSE(
      Client().Predict(Request("text", {"a"})).outputs().contains("error"));
  // Whoever does not look at errors does not get padding for an answer.
  PredictRequest filtered = Request("text", {"a", "abcd"});
  filtered.add_output_filter("text");
  EXPECT_THAT(ErrorOf(filtered), HasSubstr("row 1: 4 tokens"));
  filtered.add_output_filter("error");
  EXPECT_EQ(ErrorOf(filtered), "");
  EXPECT_THAT(ErrorOf(Request("input", {"a", "bad"})), HasSubstr("row 1: "));
}

TEST_F(GrpcTest, IsUnavailableWhileItLoads) {
  ModelService loading(model_);
  GrpcServer server({}, &loading);
  GrpcClient client("127.0.0.1:" + std::to_string(server.port()),
                    milliseconds(10000), "");
  const auto error = [&] {
    try {
      client.Predict(Request("text", {"a"}));
    } catch (const GrpcError& error) {
      EXPECT_EQ(error.code(), ExitCode::kRetry);
      return std::to_string(error.grpc_code()) + " " + error.what();
    }
    return std::string();
  };
  // Field 1 of the answer is 2, NOT_SERVING; then 1, SERVING.
  constexpr char kCheck[] = "/grpc.health.v1.Health/Check";
  EXPECT_THAT(error(), ::testing::StartsWith("14 "));
  EXPECT_EQ(AskRaw(server.port(), kCheck, ""), "\x08\x02");
  VersionOptions versions;
  versions.base_path = base_;
  loading.Load(versions, [this](const std::string& path) {
    return std::make_unique<FakeServable>(path, &control_);
  });
  server.SetReady(true);
  EXPECT_EQ(error(), "");
  EXPECT_EQ(AskRaw(server.port(), kCheck, ""), "\x08\x01");
}

TEST_F(GrpcTest, TellsStatusAndMetadata) {
  // [{version 1, AVAILABLE (30), OK}]
  EXPECT_EQ(AskRaw(kStatus, FromHex("0a030a016d")),
            FromHex("0a0a0801101e1a0408001200"));
  EXPECT_EQ(AskRaw(kStatus, FromHex("0a030a0178")), "code 5");
  const std::string metadata =
      AskRaw(kMetadata, FromHex("0a030a016d120d7369676e61747572655f646566"));
  EXPECT_THAT(metadata, HasSubstr("tensorflow.serving.SignatureDefMap"));
  EXPECT_THAT(metadata, HasSubstr("serving_default"));
  EXPECT_EQ(AskRaw(kMetadata, FromHex("0a030a016d")), "code 3");
}

TEST_F(GrpcTest, AsksForTheToken) {
  grpc_.bearer_token = "sesame";
  EXPECT_EQ(ErrorOf(Request("text", {"a"})), "");
  client_.emplace("127.0.0.1:" + std::to_string(server_->port()),
                  milliseconds(10000), "");
  EXPECT_THAT(ErrorOf(Request("text", {"a"})), HasSubstr("code 16"));
}

TEST_F(GrpcTest, RefusesWhenOverloadedAndKeepsDeadlines) {
  Client();
  control_.closed = true;
  std::thread first(
      [&] { EXPECT_EQ(ErrorOf(Request("text", {"123456"})), ""); });
  while (control_.batches == 0) std::this_thread::sleep_for(milliseconds(1));
  const std::string address = "127.0.0.1:" + std::to_string(server_->port());
  GrpcClient hurried(address, milliseconds(50), "");
  EXPECT_THROW(hurried.Predict(Request("text", {"123456"})), Error);
  const auto served = service_->versions().Get({});
  // The hurried one's place is free again.
  std::thread second(
      [&] { EXPECT_EQ(ErrorOf(Request("text", {"1234567"})), ""); });
  while (served->queue->load().tokens != 7) {
    std::this_thread::sleep_for(milliseconds(1));
  }
  EXPECT_THAT(ErrorOf(Request("text", {"123456"}), ExitCode::kRetry),
              HasSubstr("code 8: the server is at its limit"));
  control_.closed = false;
  first.join();
  second.join();
  EXPECT_EQ(ErrorOf(Request("text", {"123456"})), "");
  // The hurried one was never run.
  EXPECT_EQ(service_->metrics().Value("t2t_rows_total"), 3);
}

TEST_F(GrpcTest, ACancelledCallLeavesItsBatch) {
  Client();
  control_.closed = true;
  const auto stub = tensorflow::serving::PredictionService::NewStub(
      grpc::CreateChannel("127.0.0.1:" + std::to_string(server_->port()),
                          grpc::InsecureChannelCredentials()));
  const PredictRequest request = Request("text", {"a", "b"});
  PredictResponse response;
  grpc::ClientContext context;
  std::promise<grpc::Status> promise;
  stub->async()->Predict(
      &context, &request, &response,
      [&](grpc::Status status) { promise.set_value(status); });
  while (control_.batches == 0) std::this_thread::sleep_for(milliseconds(1));
  context.TryCancel();
  EXPECT_EQ(promise.get_future().get().error_code(),
            grpc::StatusCode::CANCELLED);
  // The batch ends though the model is closed: nobody waits for its rows.
  for (int i = 0; i < 5000 && control_.dropped < 2; ++i) {
    std::this_thread::sleep_for(milliseconds(1));
  }
  EXPECT_EQ(control_.dropped, 2);
  control_.closed = false;
  EXPECT_EQ(ErrorOf(Request("text", {"a"})), "");
  EXPECT_EQ(service_->metrics().Value("t2t_dropped_rows_total"), 2);
}

TEST_F(GrpcTest, DrainAnswersWhatHasBegun) {
  Client();
  control_.closed = true;
  std::thread first([&] { EXPECT_EQ(ErrorOf(Request("text", {"a"})), ""); });
  while (control_.batches == 0) std::this_thread::sleep_for(milliseconds(1));
  std::thread opener([&] {
    std::this_thread::sleep_for(milliseconds(50));
    control_.closed = false;
  });
  server_->SetReady(false);
  server_->Drain(milliseconds(10000));
  first.join();
  opener.join();
  EXPECT_NE(ErrorOf(Request("text", {"a"}), ExitCode::kRetry), "");
}

TEST_F(GrpcTest, SaysWhyItCantListen) {
  Client();
  GrpcOptions options;
  options.port = server_->port();
  try {
    GrpcServer second(options, &*service_);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kIo);
    EXPECT_THAT(error.what(),
                HasSubstr(std::to_string(options.port) + ": Address already"));
    EXPECT_THAT(error.what(), HasSubstr("give --port another port"));
  }
}

}  // namespace
}  // namespace t2t
