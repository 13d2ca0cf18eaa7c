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

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kProblem[] = "translate_numbers_ende";
constexpr char kDecodeHParams[] = "beam_size=2,extra_length=3";

const std::vector<std::string>& Texts() {
  static const auto* const texts = new std::vector<std::string>{
      "seven", "one hundred, forty-two", "three million",
      "nine thousand six hundred eleven, twelve"};
  return *texts;
}

// A folder as t2t-exporter writes it.
void WriteModel(const std::string& path, uint64_t seed) {
  const auto problem = MakeProblem(kProblem);
  GenerateOptions generate;
  generate.data_dir = path + ".tmp";
  generate.tmp_dir = path + ".tmp";
  generate.max_cases = 2;
  GenerateData(*problem, generate);
  const HParams hparams = MakeHParams(
      "transformer_tiny",
      "hidden_size=16,filter_size=32,num_heads=2,num_hidden_layers=1");
  const auto model =
      Models().Get("transformer")(hparams, problem->Info(path + ".tmp"), seed);
  std::map<std::string, at::Tensor> tensors;
  for (const ParamStore::Entry& entry : model->params().entries()) {
    tensors[entry.name] = entry.tensor.detach();
  }
  WriteSafetensors(JoinPath(path + ".tmp", "model.safetensors"), tensors,
                   {{"step", "1"}});
  WriteFileAtomically(JoinPath(path + ".tmp", "hparams.json"),
                      model->hparams().ToJson());
  WriteFileAtomically(JoinPath(path + ".tmp", "problem.json"),
                      R"({"problem": "translate_numbers_ende", "model": )"
                      R"("transformer", "hparams_set": "transformer_tiny", )"
                      R"("step": 1})");
  Rename(path + ".tmp", path);
}

LoadedModel Load(const std::string& path) {
  LoadModelOptions options;
  options.export_dir = path;
  return LoadModel(options);
}

// What the decoder says to the texts, one by one.
std::vector<std::string> Decode(const std::string& path) {
  const LoadedModel loaded = Load(path);
  TextDecoder decoder(loaded.model.get(), DecodeHParams(kDecodeHParams), 0);
  std::vector<std::string> lines;
  for (const std::string& text : Texts()) {
    const auto results = decoder.Decode({{decoder.Encode(text), 0}});
    lines.push_back(ReplaceAll(decoder.OutputLine(results[0]), "\n", " "));
  }
  return lines;
}

bool HasCode8(const Error& error) {
  return std::string(error.what()).find("code 8: ") != std::string::npos;
}

// Clients drop the padding before they decode (T2T: strip_extraneous).
std::vector<int64_t> WithoutPadding(std::vector<int64_t> ids) {
  while (!ids.empty() && ids.back() == kPadId) ids.pop_back();
  return ids;
}

class ModelServerTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    dir_ = new std::string(MakeTempDirectory("model_server"));
    WriteModel(JoinPath(*dir_, "first"), 1);
    WriteModel(JoinPath(*dir_, "second"), 2);
    first_ = new std::vector<std::string>(Decode(JoinPath(*dir_, "first")));
    second_ = new std::vector<std::string>(Decode(JoinPath(*dir_, "second")));
  }

  ~ModelServerTest() override {
    if (server_ == nullptr) return;
    server_->Signal(SIGTERM);
    EXPECT_EQ(server_->Wait(), 0) << server_->Output();
    EXPECT_THAT(server_->Output(), HasSubstr("] stopped\n"));
  }

  static std::vector<std::string> Command(
      const std::string& base_path, const std::vector<std::string>& more = {}) {
    std::vector<std::string> command = {
        "t2t/bin/model_server/t2t-model-server",
        "--model_name=numbers",
        "--model_base_path=" + base_path,
        "--decode_hparams=" + std::string(kDecodeHParams),
        "--file_system_poll_wait_seconds=0.05",
        "--port=0",
        "--rest_api_port=0"};
    command.insert(command.end(), more.begin(), more.end());
    return command;
  }

  void Start(const std::string& base_path,
             const std::vector<std::string>& more = {}) {
    server_ = std::make_unique<Subprocess>(Command(base_path, more));
    for (int i = 0; i < 3000 && (rest_port_ = PortAfter("://127.0.0.1:")) == 0;
         ++i) {
      std::this_thread::sleep_for(milliseconds(10));
    }
    grpc_port_ = PortAfter("gRPC at 127.0.0.1:");
    ASSERT_GT(rest_port_, 0) << server_->Output();
    ASSERT_GT(grpc_port_, 0) << server_->Output();
  }

  // 0 where the server has not said it yet.
  int PortAfter(const std::string& text) const {
    const std::string output = server_->Output();
    const size_t at = output.find(text);
    if (at == std::string::npos) return 0;
    const size_t end = output.find('\n', at);
    if (end == std::string::npos) return 0;
    return std::stoi(output.substr(at + text.size()));
  }

  std::unique_ptr<HttpClient> Client() const {
    return std::make_unique<HttpClient>("127.0.0.1", rest_port_,
                                        milliseconds(20000));
  }
  HttpMessage Ask(const std::string& method, const std::string& target,
                  const std::string& body = "") const {
    return Client()->Ask(method, target, body);
  }
  RunResult Query(const std::vector<std::string>& more) const {
    std::vector<std::string> command = {"t2t/bin/query_server/t2t-query-server",
                                        "--servable_name=numbers"};
    command.insert(command.end(), more.begin(), more.end());
    return RunProgram(command);
  }

  static std::string* dir_;
  static std::vector<std::string>*first_, *second_;
  std::unique_ptr<Subprocess> server_;
  int rest_port_ = 0;
  int grpc_port_ = 0;
};

std::string* ModelServerTest::dir_;
std::vector<std::string>*ModelServerTest::first_, *ModelServerTest::second_;

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
