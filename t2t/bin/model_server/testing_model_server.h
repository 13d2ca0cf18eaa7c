#ifndef T2T_BIN_MODEL_SERVER_TESTING_MODEL_SERVER_H_
#define T2T_BIN_MODEL_SERVER_TESTING_MODEL_SERVER_H_

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

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::StartsWith;

inline constexpr char kProblem[] = "translate_numbers_ende";
inline constexpr char kDecodeHParams[] = "beam_size=2,extra_length=3";

inline const std::vector<std::string>& Texts() {
  static const auto* const texts = new std::vector<std::string>{
      "seven", "one hundred, forty-two", "three million",
      "nine thousand six hundred eleven, twelve"};
  return *texts;
}

// A folder as t2t-exporter writes it.
inline void WriteModel(const std::string& path, uint64_t seed) {
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

inline LoadedModel Load(const std::string& path) {
  LoadModelOptions options;
  options.export_dir = path;
  return LoadModel(options);
}

// What the decoder says to the texts, one by one.
inline std::vector<std::string> Decode(const std::string& path) {
  const LoadedModel loaded = Load(path);
  TextDecoder decoder(loaded.model.get(), DecodeHParams(kDecodeHParams), 0);
  std::vector<std::string> lines;
  for (const std::string& text : Texts()) {
    const auto results = decoder.Decode({{decoder.Encode(text), 0}});
    lines.push_back(ReplaceAll(decoder.OutputLine(results[0]), "\n", " "));
  }
  return lines;
}

inline bool HasCode8(const Error& error) {
  return std::string(error.what()).find("code 8: ") != std::string::npos;
}

// Clients drop the padding before they decode (T2T: strip_extraneous).
inline std::vector<int64_t> WithoutPadding(std::vector<int64_t> ids) {
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

  inline static std::string* dir_ = nullptr;
  inline static std::vector<std::string>* first_ = nullptr;
  inline static std::vector<std::string>* second_ = nullptr;
  std::unique_ptr<Subprocess> server_;
  int rest_port_ = 0;
  int grpc_port_ = 0;
};

}  // namespace t2t

#endif  // T2T_BIN_MODEL_SERVER_TESTING_MODEL_SERVER_H_
