// t2t-query-server: asks a model server, as T2T's serving/query.py does.

#include <absl/strings/escaping.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/flags.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/base/strings.h"
#include "t2t/bin/common/names.h"
#include "t2t/bin/common/t2t_flags.h"
#include "t2t/formats/example.h"
#include "t2t/problem/problem.h"
#include "t2t/serve/grpc_client.h"
#include "t2t/serve/http_client.h"
#include "t2t/serve/tensor_value.h"
#include "t2t/serve/tls.h"
#include "t2t/text/text_encoder.h"
#include "t2t/text/unicode.h"

namespace t2t {
namespace {

struct QueryFlags {
  std::string server;
  std::string servable_name;
  std::string problem;
  std::string data_dir;
  std::string inputs_once;
  std::string bearer_token_file;
  bool tls = false;
  std::string tls_ca_file;
  std::string tls_cert_file;
  std::string tls_key_file;
  int64_t timeout_secs = 10;

  void AddTo(Flags* flags);
};

void QueryFlags::AddTo(Flags* flags) {
  flags->Add("server", &server,
             "The server's address: host:port for gRPC, http://host:port or "
             "https://host:port for REST.");
  flags->Add("servable_name", &servable_name, "The model's name there.");
  flags->Add("problem", &problem,
             "Problem name: encode and decode here, as T2T does. Without it "
             "the server is sent text, which only t2t-model-server takes.");
  flags->Add("data_dir", &data_dir, "Where the problem's vocabulary is.");
  flags->Add("inputs_once", &inputs_once,
             "Ask once with this input, instead of reading lines.");
  flags->Add("timeout_secs", &timeout_secs, "How long to wait for an answer.",
             Range::Between(1, 86400));
  flags->Add("bearer_token_file", &bearer_token_file,
             "A file with the token that the server asks for.");
  flags->Add("tls", &tls,
             "gRPC with TLS; one of the files below asks for that too. For "
             "REST say https://.");
  flags->Add("tls_ca_file", &tls_ca_file,
             "Who vouches for the server (PEM); empty: the system's list.");
  flags->Add("tls_cert_file", &tls_cert_file,
             "A certificate for a server that asks for one (PEM).");
  flags->Add("tls_key_file", &tls_key_file, "Its key (PEM).");
  flags->AddAlias("problems", "problem");
  for (const char* name :
       {"cloud_mlengine_model_name", "cloud_mlengine_model_version"}) {
    flags->AddRefused(name,
                      "Cloud ML Engine is no more; --server and "
                      "--servable_name say what to ask");
  }
  AddGeneratorT2TFlags(flags);
}

struct Address {
  std::string host;
  int port = 0;
  bool is_rest = false;
  bool is_https = false;
};

Address ParseAddress(const std::string& text) {
  constexpr std::string_view kHttp = "http://";
  constexpr std::string_view kHttps = "https://";
  std::string_view rest = text;
  const bool is_https = StartsWith(rest, kHttps);
  const bool is_rest = is_https || StartsWith(rest, kHttp);
  if (is_rest) {
    rest.remove_prefix(is_https ? kHttps.size() : kHttp.size());
    if (EndsWith(rest, "/")) rest.remove_suffix(1);
  }
  const size_t colon = rest.rfind(':');
  int64_t port = 0;
  if (colon == std::string_view::npos || colon == 0 ||
      !ParseInt(rest.substr(colon + 1), &port) || port < 1 || port > 65535) {
    throw UsageError("--server=" + text,
                     "localhost:8500 (gRPC), http://localhost:8501 or "
                     "https://localhost:8501 (REST)",
                     "give the server's address");
  }
  std::string_view host = rest.substr(0, colon);
  if (StartsWith(host, "[") && EndsWith(host, "]")) {
    host = host.substr(1, host.size() - 2);
  }
  return {std::string(host), static_cast<int>(port), is_rest, is_https};
}

// What the server says to one input: hypotheses, best first.
struct Answer {
  std::vector<std::vector<int64_t>> ids;
  std::vector<std::string> texts;  // where the input was a text
  std::vector<double> scores;
  bool is_list = false;  // where there could be several
};

struct Input {
  std::string bytes;
  bool is_text = true;  // else a serialized tf.Example
};

// Why one input has no answer; the next may have one.
class Refused : public Error {
 public:
  explicit Refused(const Error& error) : Error(error.code(), error.what()) {}
};

class Server {
 public:
  virtual ~Server() = default;
  // Throws Refused, or another Error where no input would be answered.
  virtual Answer Ask(const Input& input) = 0;
};

class RestServer : public Server {
 public:
  RestServer(const QueryFlags& flags, const Address& address,
             const std::string& token, const TlsFiles& tls)
      : target_("/v1/models/" + flags.servable_name + ":predict"),
        client_(address.host, address.port,
                std::chrono::seconds(flags.timeout_secs),
                address.is_https ? TlsContext::ForClient(tls) : nullptr) {
    headers_.emplace_back("Content-Type", "application/json");
    headers_.emplace_back("X-Timeout-Ms",
                          std::to_string(flags.timeout_secs * 1000));
    if (!token.empty()) {
      headers_.emplace_back("Authorization", "Bearer " + token);
    }
  }

  Answer Ask(const Input& input) override {
    Json value(input.bytes);
    if (!input.is_text) {
      value = Json::Object();
      value.Set("b64", absl::Base64Escape(input.bytes));
    }
    Json instance = Json::Object();
    instance.Set("input", std::move(value));
    Json instances = Json::Array();
    instances.Append(std::move(instance));
    Json body = Json::Object();
    body.Set("instances", std::move(instances));
    const HttpMessage reply =
        client_.Ask("POST", target_, body.ToString(), headers_);
    if (reply.status != 200) {
      // Refusals of the moment may be asked again, the others not.
      const bool passing = reply.status == 429 || reply.status >= 500;
      const Error error(passing ? ExitCode::kRetry : ExitCode::kUsage,
                        "the server answers " + std::to_string(reply.status) +
                            ": " + std::string(Trim(reply.body)));
      if (IsAboutInput(reply.status)) throw Refused(error);
      throw error;
    }
    const Json json = Json::Parse(reply.body);
    const std::vector<Json>& predictions = json.At("predictions").items();
    if (predictions.size() != 1) {
      throw DataError("the server gives " + std::to_string(predictions.size()) +
                          " predictions",
                      "1");
    }
    const Json& prediction = predictions[0];
    Answer answer;
    answer.is_list = prediction.At("scores").is_array();
    for (const Json* score : Values(prediction.At("scores"), answer.is_list)) {
      answer.scores.push_back(score->AsDouble());
    }
    if (input.is_text) {
      for (const Json* text : Values(prediction.At("text"), answer.is_list)) {
        answer.texts.push_back(text->AsString());
      }
      return answer;
    }
    for (const Json* ids : Values(prediction.At("outputs"), answer.is_list)) {
      std::vector<int64_t>& row = answer.ids.emplace_back();
      for (const Json& id : ids->items()) row.push_back(id.AsInt());
    }
    return answer;
  }

 private:
  static bool IsAboutInput(int status) {
    return status == 400 || status == 413 || status == 429 || status == 500 ||
           status == 504;
  }

  static std::vector<const Json*> Values(const Json& value, bool is_list) {
    if (!is_list) return {&value};
    std::vector<const Json*> values;
    for (const Json& item : value.items()) values.push_back(&item);
    return values;
  }

  const std::string target_;
  HttpClient client_;
  HttpHeaders headers_;
};

class GrpcQueryServer : public Server {
 public:
  // tls: nullptr for none.
  GrpcQueryServer(const QueryFlags& flags, const std::string& token,
                  const TlsFiles* tls)
      : name_(flags.servable_name),
        client_(flags.server, std::chrono::seconds(flags.timeout_secs), token,
                tls) {}

  Answer Ask(const Input& input) override {
    tensorflow::serving::PredictRequest request;
    request.mutable_model_spec()->set_name(name_);
    (*request.mutable_inputs())[input.is_text ? "text" : "input"] =
        ToProto(StringList({input.bytes}));
    tensorflow::serving::PredictResponse response;
    try {
      response = client_.Predict(request);
    } catch (const GrpcError& error) {
      if (IsTooLong(error)) {
        throw Refused(Error(ExitCode::kBadData, error.what()));
      }
      if (IsAboutInput(error.grpc_code())) throw Refused(error);
      throw;
    }
    Answer answer;
    const TensorValue scores = Output(response, "scores");
    answer.scores.assign(scores.floats.begin(), scores.floats.end());
    answer.is_list = scores.shape.size() > 1;
    if (input.is_text) {
      answer.texts = Output(response, "text").strings;
      return answer;
    }
    const std::vector<int64_t> ids = Output(response, "outputs").ints;
    const size_t count = answer.scores.size();
    if (count == 0 || ids.size() % count != 0) {
      throw DataError("the server's outputs and scores do not fit together");
    }
    const size_t length = ids.size() / count;
    for (size_t i = 0; i < count; ++i) {
      answer.ids.emplace_back(ids.begin() + i * length,
                              ids.begin() + (i + 1) * length);
    }
    return answer;
  }

 private:
  // gRPC's own limit has the code of a server that is busy, but it will never
  // take such a line.
  static bool IsTooLong(const GrpcError& error) {
    return std::string_view(error.what()).find("message larger than max") !=
           std::string_view::npos;
  }

  static bool IsAboutInput(int code) {
    const int codes[] = {3, 4, 8, 13};  // as 400, 504, 429 and 500
    return std::find(std::begin(codes), std::end(codes), code) !=
           std::end(codes);
  }

  static TensorValue Output(
      const tensorflow::serving::PredictResponse& response,
      const std::string& name) {
    const auto found = response.outputs().find(name);
    if (found == response.outputs().end()) {
      throw DataError("the server's answer has no \"" + name + "\"",
                      "a model exported from T2T or from here");
    }
    return FromProto(found->second);
  }

  const std::string name_;
  GrpcClient client_;
};

// The problem's encoders: T2T's way, which all servers understand.
class Coder {
 public:
  explicit Coder(const QueryFlags& flags) {
    if (flags.problem.empty()) return;
    if (flags.data_dir.empty()) {
      throw UsageError("--data_dir is missing", "where the vocabulary is",
                       "give it, or leave --problem out");
    }
    problem_ = MakeProblem(flags.problem);
    info_ = problem_->Info(ExpandUser(flags.data_dir));
    for (const std::string& name : {InputName(), std::string("targets")}) {
      if (info_.features.at(name).encoder == nullptr) {
        throw UsageError(
            "the " + name + " of " + flags.problem + " are no text",
            "a problem with text inputs and targets");
      }
    }
  }

  Input Encode(const std::string& text) const {
    if (problem_ == nullptr) return {text, true};
    std::vector<int64_t> ids =
        info_.features.at(InputName()).encoder->Encode(text);
    if (info_.has_inputs()) ids.push_back(kEosId);
    Example example;
    example.features[InputName()] = std::move(ids);
    return {SerializeExample(example), false};
  }

  std::vector<std::string> Decode(const Answer& answer) const {
    if (problem_ == nullptr) return answer.texts;
    std::vector<std::string> texts;
    for (const std::vector<int64_t>& ids : answer.ids) {
      texts.push_back(info_.features.at("targets").encoder->Decode(
          ids, /*strip_extraneous=*/true));
    }
    return texts;
  }

 private:
  std::string InputName() const {
    return info_.has_inputs() ? "inputs" : "targets";
  }

  std::unique_ptr<Problem> problem_;
  ProblemInfo info_;
};

std::unique_ptr<Server> MakeServer(const QueryFlags& flags) {
  const std::string token =
      flags.bearer_token_file.empty()
          ? ""
          : std::string(Trim(ReadFile(ExpandUser(flags.bearer_token_file))));
  const Address address = ParseAddress(flags.server);
  TlsFiles tls;
  tls.ca = ExpandUser(flags.tls_ca_file);
  tls.cert = ExpandUser(flags.tls_cert_file);
  tls.key = ExpandUser(flags.tls_key_file);
  const bool wants_tls = flags.tls || tls.is_set();
  if (address.is_rest) {
    if (wants_tls && !address.is_https) {
      throw UsageError("--server=" + flags.server + " speaks no TLS",
                       "an address that begins with https://");
    }
    return std::make_unique<RestServer>(flags, address, token, tls);
  }
  return std::make_unique<GrpcQueryServer>(flags, token,
                                           wants_tls ? &tls : nullptr);
}

void Print(const std::string& input, const Answer& answer,
           const std::vector<std::string>& texts) {
  std::vector<std::string> scores;
  for (const double score : answer.scores) {
    scores.push_back(Format("%.3f", score));
  }
  const std::string all = Join(scores, ",");
  std::printf("\nInput:\n%s\n\nOutput (%s):\n%s\n", input.c_str(),
              answer.is_list ? ("Scores [" + all + "]").c_str()
                             : ("Score " + all).c_str(),
              Join(texts, "\n").c_str());
  std::fflush(stdout);
}

// Asks for one input and prints the answer. Nothing has the answer "", as when
// a file is decoded: a model would make something up.
void Ask(const std::string& text, const Coder& coder, Server* server) {
  Answer answer;
  if (StripPythonSpace(text).empty()) {
    answer.scores = {0};
    Print(text, answer, {""});
    return;
  }
  answer = server->Ask(coder.Encode(text));
  Print(text, answer, coder.Decode(answer));
}

// Asks line by line. A line that has no answer costs the others nothing. At a
// terminal no error ends the session; else one that is not about a line does,
// and the exit code says that lines were refused.
int AskLines(const Coder& coder, Server* server) {
  const bool at_terminal = ::isatty(STDIN_FILENO) == 1;
  int64_t lines = 0;
  int64_t refused = 0;
  ExitCode code = ExitCode::kRetry;  // where each may be asked again
  std::string line;
  while (std::fputs(">> ", stdout), std::fflush(stdout),
         std::getline(std::cin, line)) {
    ++lines;
    try {
      Ask(line, coder, server);
    } catch (const Error& error) {
      const bool is_about_line =
          error.code() == ExitCode::kBadData ||
          dynamic_cast<const Refused*>(&error) != nullptr;
      if (!at_terminal && !is_about_line) throw;
      ++refused;
      if (error.code() != ExitCode::kRetry) code = ExitCode::kBadData;
      std::fprintf(stderr, "line %lld: %s\n", static_cast<long long>(lines),
                   error.what());
    }
  }
  std::puts("");
  if (refused == 0 || at_terminal) return 0;
  throw Error(code,
              std::to_string(refused) + " of " + std::to_string(lines) +
                  " lines have no answer",
              "", "see the messages above; the other lines are answered");
}

int Main(int argc, char** argv) {
  QueryFlags flags;
  NameFlags names;
  Flags parser("Asks a model server.",
               "t2t-query-server --server=localhost:8500 "
               "--servable_name=ende --inputs_once='A man walks.'");
  flags.AddTo(&parser);
  names.AddTo(&parser);
  const std::vector<std::string> rest = parser.Parse(argc, argv);
  if (!rest.empty()) {
    throw UsageError("the argument '" + rest.front() + "' is no flag",
                     "--name=value", "--help lists the flags");
  }
  if (flags.server.empty()) {
    throw UsageError("--server is missing", "host:port", "give --server");
  }
  if (flags.servable_name.empty()) {
    throw UsageError("--servable_name is missing", "the served model's name",
                     "give --servable_name");
  }
  names.Register();
  const Coder coder(flags);
  const std::unique_ptr<Server> server = MakeServer(flags);
  if (!parser.WasGiven("inputs_once")) return AskLines(coder, server.get());
  Ask(flags.inputs_once, coder, server.get());
  return 0;
}

}  // namespace
}  // namespace t2t

int main(int argc, char** argv) { return t2t::RunMain(argc, argv, t2t::Main); }
