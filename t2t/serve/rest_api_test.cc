#include "t2t/serve/rest_api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/serve/base64.h"
#include "t2t/serve/fake_servable.h"
#include "t2t/serve/http_client.h"
#include "t2t/serve/http_server.h"
#include "t2t/serve/metrics.h"
#include "t2t/serve/model_service.h"
#include "t2t/serve/socket.h"
#include "t2t/serve/version_manager.h"

namespace t2t {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::Not;

void WaitFor(const std::function<bool()>& condition) {
  for (int i = 0; i < 5000 && !condition(); ++i) {
    std::this_thread::sleep_for(milliseconds(1));
  }
  EXPECT_TRUE(condition());
}

class RestTest : public ::testing::Test {
 protected:
  RestTest() { WriteFakeVersion(base_, 1, "."); }

  void Start() {
    VersionOptions versions;
    versions.base_path = base_;
    versions.poll_interval = milliseconds(5);
    versions.versions_to_serve = versions_to_serve_;
    service_.emplace(options_, versions, [this](const std::string& path) {
      return std::make_unique<FakeServable>(path, &control_);
    });
    api_.emplace(rest_, &*service_);
    server_.emplace(HttpServerOptions{},
                    [this](const HttpMessage& request,
                           const std::function<bool()>& is_gone) {
                      return api_->Handle(request, is_gone);
                    });
  }

  HttpMessage Ask(const std::string& method, const std::string& target,
                  const std::string& body = "",
                  const HttpHeaders& headers = {}) {
    if (!server_.has_value()) Start();
    return HttpClient("127.0.0.1", server_->port(), milliseconds(10000))
        .Ask(method, target, body, headers);
  }
  // The answer's JSON on one line, or "<status> <its error>".
  std::string Predict(const std::string& body,
                      const std::string& target = "/v1/models/m:predict") {
    const HttpMessage reply = Ask("POST", target, body);
    const Json json = Json::Parse(reply.body);
    if (reply.status == 200) return json.ToString();
    return std::to_string(reply.status) + " " + json.At("error").AsString();
  }

  static ModelServiceOptions Options() {
    ModelServiceOptions options;
    options.name = "m";
    options.batching.latency_budget = std::chrono::microseconds(100);
    return options;
  }

  const std::string base_ = MakeTempDirectory("serve");
  FakeControl control_;
  ModelServiceOptions options_ = Options();
  RestOptions rest_;
  int64_t versions_to_serve_ = 1;
  std::optional<ModelService> service_;
  std::optional<RestApi> api_;
  std::optional<HttpServer> server_;
};

TEST(Base64Test, ThereAndBack) {
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    std::string back;
    EXPECT_TRUE(DecodeBase64(EncodeBase64(bytes), &back));
    EXPECT_EQ(back, bytes);
    bytes += static_cast<char>(i * 7);
  }
  EXPECT_EQ(EncodeBase64("a"), "YQ==");
  EXPECT_EQ(EncodeBase64("abc"), "YWJj");
  EXPECT_TRUE(DecodeBase64("YQ", &bytes));
  EXPECT_EQ(bytes, "a");
  for (const char* bad : {"Y", "YQ=", "YR==", "Y===", "====", "YW Jj", "YQ==YQ",
                          "=", "YWJj=", "YW-_"}) {
    EXPECT_FALSE(DecodeBase64(bad, &bytes)) << bad;
  }
}

TEST(MetricsTest, IsPrometheusText) {
  Metrics metrics;
  metrics.Describe("a_total", "counter", "Of a.");
  metrics.AddHistogram("h", "Of h.", {1, 2.5});
  metrics.Count("a_total{x=\"1\"}");
  metrics.Count("a_total{x=\"2\"}", 2);
  metrics.Set("g", 0.5);
  for (const double value : {1.0, 2.0, 9.0}) metrics.Observe("h", value);
  EXPECT_EQ(metrics.ToText(),
            "# HELP a_total Of a.\n# TYPE a_total counter\n"
            "a_total{x=\"1\"} 1\na_total{x=\"2\"} 2\ng 0.5\n"
            "# HELP h Of h.\n# TYPE h histogram\n"
            "h_bucket{le=\"1\"} 1\nh_bucket{le=\"2.5\"} 2\n"
            "h_bucket{le=\"+Inf\"} 3\nh_sum 12\nh_count 3\n");
}

TEST_F(RestTest, PredictsRows) {
  EXPECT_EQ(Predict(R"({"instances": ["ab", {"input": "c"}]})"),
            R"({"predictions": [{"outputs": [97, 98, 46], "scores": -0.1, )"
            R"("text": "ab."}, {"outputs": [99, 46, 0], "scores": -0.1, )"
            R"("text": "c."}]})");
  // "eab."
  EXPECT_EQ(Predict(R"({"signature_name": "serving_default", )"
                    R"("instances": [{"input": {"b64": "YWI="}}]})"),
            R"({"predictions": [{"outputs": [101, 97, 98, 46], )"
            R"("scores": -0.1}]})");
  EXPECT_EQ(Predict(R"({"instances": [{"b64": "YWI="}]})",
                    "/v1/models/m/versions/1:predict"),
            R"({"predictions": [{"outputs": [101, 97, 98, 46], )"
            R"("scores": -0.1}]})");
}

TEST_F(RestTest, PredictsColumns) {
  EXPECT_EQ(Predict(R"({"inputs": {"input": ["a", "bc"]}})"),
            R"({"outputs": {"outputs": [[97, 46, 0], [98, 99, 46]], )"
            R"("scores": [-0.1, -0.1], "text": ["a.", "bc."]}})");
  EXPECT_EQ(Predict(R"({"inputs": [{"b64": "YQ=="}]})"),
            R"({"outputs": {"outputs": [[101, 97, 46]], "scores": [-0.1]}})");
}

TEST_F(RestTest, PredictsBeams) {
  control_.beams = 2;
  EXPECT_EQ(Predict(R"({"instances": ["a"]})"),
            R"({"predictions": [{"outputs": [[97, 46, 0], [97, 46, 33]], )"
            R"("scores": [-0.1, -1.1], "text": ["a.", "a.!"]}]})");
}

TEST_F(RestTest, SaysWhatIsWrongWithARequest) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "JSON"},
      {"[1]", "no JSON object"},
      {"{}", "either \"instances\" or \"inputs\""},
      {R"({"instances": ["a"], "inputs": ["a"]})", "either"},
      {R"({"instances": "a"})", "no list"},
      {R"({"instances": []})", "0 rows"},
      {R"({"instances": [1]})", "neither a text"},
      {R"({"instances": [{"x": "a"}]})", "by the name \"input\""},
      {R"({"instances": [{"input": "a", "x": "a"}]})", "by the name"},
      {R"({"instances": [{"b64": 1}]})", "wrong type"},
      {R"({"instances": [{"b64": "?"}]})", "no base64"},
      {R"({"instances": [{"b64": "YmFk"}]})", "row 0: this is no Example"},
      {R"({"instances": ["a"], "signature_name": "x"})", "signature \"x\""},
      {R"({"instances": ["a"], "x": 1})", "\"x\" is unknown"},
      {R"({"inputs": {"x": ["a"]}})", "by the name \"input\""},
  };
  for (const auto& [body, error] : cases) {
    const std::string answer = Predict(body);
    EXPECT_THAT(answer, ::testing::StartsWith("400 ")) << body;
    EXPECT_THAT(answer, HasSubstr(error)) << body;
  }
  EXPECT_THAT(Predict("{\"\xff\": 1}"), HasSubstr("\uFFFD"));
  EXPECT_THAT(Predict("{\"instances\": [\"" + std::string(513, 'a') + "\"]}"),
              HasSubstr("513 tokens; at most 512"));
  EXPECT_THAT(Predict(R"({"instances": ["fail"]})"),
              ::testing::StartsWith("500 the model failed"));
  // Many keys take no long time.
  std::string keys = "{";
  for (int i = 0; i < 60000; ++i) keys += "\"" + std::to_string(i) + "\":1,";
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THAT(Predict(keys + "\"x\":1}"), HasSubstr("is unknown"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, milliseconds(2000));
}

TEST_F(RestTest, KnowsItsPaths) {
  const std::pair<const char*, int> gets[] = {
      {"/healthz", 200},
      {"/readyz", 200},
      {"/metrics", 200},
      {"/v1/models/m", 200},
      {"/v1/models/m/versions/1", 200},
      {"/v1/models/m/versions/2", 404},
      {"/v1/models/m/metadata", 200},
      {"/v1/models/m/versions/1/metadata", 200},
      {"/v1/models/m/versions/2/metadata", 404},
      {"/v1/models/m/versions/-1", 404},
      {"/v1/models/m/versions/x", 404},
      {"/v1/models/x", 404},
      {"/v1/models/", 404},
      {"/v1/models/m/other", 404},
      {"/other", 404},
      {"/v1/models/m:predict", 405},
      {"/translate", 405},
      {"/attention", 405}};
  for (const auto& [path, status] : gets) {
    EXPECT_EQ(Ask("GET", path).status, status) << path;
  }
  EXPECT_EQ(Ask("HEAD", "/healthz").status, 200);
  EXPECT_EQ(Ask("POST", "/healthz").status, 405);
  EXPECT_EQ(*Ask("DELETE", "/v1/models/m").Header("allow"), "GET, HEAD");
  EXPECT_EQ(Predict("{}", "/v1/models/x:predict"),
            "404 Servable not found for request: Latest(x)");
  EXPECT_EQ(
      Predict(R"({"instances": ["a"]})", "/v1/models/m/versions/7:predict"),
      "404 Servable not found for request: Specific(m, 7)");
}

TEST_F(RestTest, TellsStatusAndMetadata) {
  EXPECT_EQ(Json::Parse(Ask("GET", "/v1/models/m").body).ToString(),
            R"({"model_version_status": [{"version": "1", )"
            R"("state": "AVAILABLE", "status": {"error_code": "OK", )"
            R"("error_message": ""}}]})");
  const Json metadata = Json::Parse(Ask("GET", "/v1/models/m/metadata").body);
  EXPECT_EQ(metadata.At("model_spec").At("version").AsString(), "1");
  const Json& signature = metadata.At("metadata")
                              .At("signature_def")
                              .At("signature_def")
                              .At("serving_default");
  EXPECT_EQ(signature.At("inputs").At("input").At("dtype").AsString(),
            "DT_STRING");
  EXPECT_EQ(signature.At("outputs").At("outputs").At("dtype").AsString(),
            "DT_INT32");
}

TEST_F(RestTest, TranslatesLines) {
  const HttpMessage reply = Ask("POST", "/translate", "ab\n\nc");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, "ab.\n\nc.\n");
  EXPECT_EQ(*reply.Header("content-type"), "text/plain; charset=utf-8");
  EXPECT_EQ(Ask("POST", "/translate", "a\r\nb\r\n").body, "a\r.\nb\r.\n");
  EXPECT_EQ(Ask("POST", "/translate", "").status, 400);
}

TEST_F(RestTest, ShowsAttention) {
  const HttpMessage reply = Ask("POST", "/attention", "ab\n");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(Json::Parse(reply.body).ToString(),
            R"({"version": "1", "text": "ab.", "inputs": ["a", "b"], )"
            R"("outputs": ["a", "b", "."], )"
            R"("attention": [[[[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]]]})");
  const auto status = [&](const std::string& text) {
    return Ask("POST", "/attention", text).status;
  };
  EXPECT_EQ(status(""), 400);
  EXPECT_EQ(status("a\nb"), 400);
  EXPECT_EQ(status(std::string(100, 'a')), 200);
  EXPECT_EQ(status(std::string(101, 'a')), 400);
  EXPECT_EQ(status("fail"), 500);
  WriteFakeVersion(base_, 2, "blind");
  WaitFor([&] { return service_->versions().swaps() == 1; });
  EXPECT_EQ(status("a"), 501);
}

TEST_F(RestTest, ShowsAPage) {
  const HttpMessage reply = Ask("GET", "/");
  EXPECT_THAT(*reply.Header("content-type"), HasSubstr("text/html"));
  EXPECT_THAT(*reply.Header("content-security-policy"), HasSubstr("'none'"));
  EXPECT_THAT(reply.body, HasSubstr("</html>"));
}

TEST_F(RestTest, AsksForTheToken) {
  rest_.bearer_token = "sesame";
  const auto status = [&](const char* path, const HttpHeaders& headers) {
    return Ask("POST", path, "a", headers).status;
  };
  EXPECT_EQ(status("/translate", {}), 401);
  for (const char* wrong : {"Bearer sesam", "Bearer sesame2", "sesame",
                            "Basic sesame", "Bearer", ""}) {
    EXPECT_EQ(status("/translate", {{"Authorization", wrong}}), 401) << wrong;
  }
  EXPECT_EQ(status("/translate", {{"Authorization", "bearer sesame"}}), 200);
  EXPECT_EQ(Ask("GET", "/metrics").status, 401);
  EXPECT_EQ(Ask("GET", "/healthz").status, 200);
  EXPECT_EQ(Ask("GET", "/").status, 200);
}

TEST_F(RestTest, RefusesWhenOverloaded) {
  options_.batching.max_queue_tokens = 10;
  Start();
  EXPECT_THAT(Predict(R"({"instances": ["12345678901"]})"),
              HasSubstr("more than the queue holds"));
  control_.closed = true;
  std::vector<std::thread> clients;
  std::atomic<int> right = 0;
  for (int i = 0; i < 2; ++i) {
    clients.emplace_back([&] {
      right += Ask("POST", "/translate", "123456").body == "123456.\n";
    });
    // The first is in the model, the second waits.
    WaitFor([&] {
      return control_.batches == 1 &&
             service_->versions().Get({})->queue->load().rows == i;
    });
  }
  const HttpMessage refused = Ask("POST", "/translate", "123456");
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(*refused.Header("retry-after"), "1");
  control_.closed = false;
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(right, 2);
  EXPECT_THAT(
      Ask("GET", "/metrics").body,
      HasSubstr("t2t_requests_total{protocol=\"http\",code=\"429\"} 1"));
}

TEST_F(RestTest, HonoursDeadlines) {
  Start();
  control_.closed = true;
  const auto start = std::chrono::steady_clock::now();
  const HttpMessage late =
      Ask("POST", "/translate", "a", {{"X-Timeout-Ms", "50"}});
  EXPECT_EQ(late.status, 504);
  EXPECT_LT(std::chrono::steady_clock::now() - start, milliseconds(3000));
  control_.closed = false;
  EXPECT_EQ(Ask("POST", "/translate", "a", {{"X-Timeout-Ms", "9999"}}).status,
            200);
  EXPECT_EQ(Ask("POST", "/translate", "a", {{"X-Timeout-Ms", "0"}}).status,
            400);
}

TEST_F(RestTest, DropsRowsThatNobodyWaitsFor) {
  options_.batching.max_queue_tokens = 10;
  Start();
  control_.closed = true;
  // Too late while it runs.
  EXPECT_EQ(Ask("POST", "/translate", "a", {{"X-Timeout-Ms", "50"}}).status,
            504);
  WaitFor([&] { return control_.dropped == 1; });
  // The client leaves: the batch goes on with the other row.
  std::string answer;
  std::thread patient([&] { answer = Ask("POST", "/translate", "ab").body; });
  WaitFor([&] { return control_.batches == 2; });
  {
    const auto until = std::chrono::steady_clock::now() + milliseconds(5000);
    Socket leaves = Connect("127.0.0.1", server_->port(), until);
    leaves.Write(
        "POST /translate HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
        until);
    WaitFor([&] {
      return service_->versions().Get({})->queue->load().tokens == 3;
    });
  }
  WaitFor([&] {
    return service_->metrics().ToText().find("code=\"499\"") !=
           std::string::npos;
  });
  // One that is gone takes no place in the queue.
  std::thread fills([&] {
    EXPECT_EQ(Ask("POST", "/translate", "12345678").body, "12345678.\n");
  });
  WaitFor(
      [&] { return service_->versions().Get({})->queue->load().tokens == 8; });
  control_.closed = false;
  patient.join();
  fills.join();
  EXPECT_EQ(answer, "ab.\n");
  const std::string metrics = Ask("GET", "/metrics").body;
  EXPECT_THAT(metrics, HasSubstr("code=\"499\"} 1\n"));
  EXPECT_THAT(metrics, HasSubstr("t2t_dropped_rows_total 1\n"));
}

TEST_F(RestTest, IsNotReadyWhileItStops) {
  Start();
  api_->StopBeingReady();
  EXPECT_EQ(Ask("GET", "/readyz").status, 503);
  EXPECT_EQ(Ask("GET", "/healthz").status, 200);
  EXPECT_EQ(Ask("POST", "/translate", "a").status, 200);
}

TEST_F(RestTest, SwapsVersionsUnderLoadWithoutALostRequest) {
  Start();
  std::atomic<bool> stop = false;
  std::atomic<int64_t> lost = 0;
  std::atomic<int64_t> old_answers = 0;
  std::atomic<int64_t> new_answers = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&] {
      HttpClient client("127.0.0.1", server_->port(), milliseconds(10000));
      while (!stop) {
        const std::string body = client.Ask("POST", "/translate", "a").body;
        if (body == "a.\n") {
          ++old_answers;
        } else if (body == "a:\n") {
          ++new_answers;
        } else {
          ++lost;
        }
      }
    });
  }
  WaitFor([&] { return old_answers > 20; });
  // There and back, several times.
  for (int64_t version = 2; version <= 6; ++version) {
    WriteFakeVersion(base_, version, version % 2 == 0 ? ":" : ".");
    WaitFor([&] { return service_->versions().swaps() == version - 1; });
    const int64_t before = new_answers + old_answers;
    WaitFor([&] { return new_answers + old_answers > before + 20; });
  }
  stop = true;
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(lost, 0);
  EXPECT_GT(new_answers, 0);
  WaitFor([&] { return service_->versions().Statuses().size() == 1; });
  EXPECT_EQ(service_->versions().Statuses()[0].version, 6);
}

TEST_F(RestTest, ARequestKeepsItsVersionAlive) {
  Start();
  control_.closed = true;
  std::string answer;
  std::thread client([&] { answer = Ask("POST", "/translate", "a").body; });
  WaitFor([&] { return server_->connections() == 1; });
  WaitFor([&] { return service_->versions().Get({}).use_count() > 2; });
  WriteFakeVersion(base_, 2, ":");
  WaitFor([&] {
    const auto statuses = service_->versions().Statuses();
    return statuses.size() == 2 && statuses[1].state == "UNLOADING";
  });
  control_.closed = false;
  client.join();
  EXPECT_EQ(answer, "a.\n");
  WaitFor([&] { return service_->versions().Statuses().size() == 1; });
}

TEST_F(RestTest, ServesSeveralVersions) {
  versions_to_serve_ = 2;
  WriteFakeVersion(base_, 2, ":");
  WriteFakeVersion(base_, 10, "?");
  const std::string body = R"({"instances": ["a"]})";
  EXPECT_THAT(Predict(body), HasSubstr("a?"));
  EXPECT_THAT(Predict(body, "/v1/models/m/versions/2:predict"),
              HasSubstr("a:"));
  EXPECT_THAT(Predict(body, "/v1/models/m/versions/1:predict"),
              HasSubstr("404"));
}

TEST_F(RestTest, ABrokenVersionDoesNotTakeOver) {
  Start();
  WriteFakeVersion(base_, 2, "broken");
  WaitFor([&] { return control_.loads == 2; });
  WaitFor([&] { return service_->versions().Statuses()[0].state == "END"; });
  EXPECT_THAT(Ask("GET", "/v1/models/m").body,
              HasSubstr("the weights are broken"));
  EXPECT_EQ(Ask("POST", "/translate", "a").body, "a.\n");
  // Not tried again as long as it is the same, but when it is mended.
  std::this_thread::sleep_for(milliseconds(50));
  EXPECT_EQ(control_.loads, 2);
  WriteFakeVersion(base_, 2, ":");
  WaitFor([&] { return Ask("POST", "/translate", "a").body == "a:\n"; });
  // Gone again: back to the older one.
  RemoveTree(JoinPath(base_, "2"));
  WaitFor([&] { return Ask("POST", "/translate", "a").body == "a.\n"; });
  // Better the last version than none.
  RemoveTree(JoinPath(base_, "1"));
  std::this_thread::sleep_for(milliseconds(30));
  EXPECT_EQ(Ask("POST", "/translate", "a").body, "a.\n");
}

TEST_F(RestTest, SaysWhyItCantStart) {
  const auto code = [&] {
    try {
      service_.reset();
      Start();
    } catch (const Error& error) {
      return error.code();
    }
    return ExitCode::kOk;
  };
  WriteFakeVersion(base_, 1, "broken");
  EXPECT_EQ(code(), ExitCode::kMismatch);
  WriteFakeVersion(base_, 3, ":");
  EXPECT_EQ(code(), ExitCode::kOk);
  server_.reset();
  RemoveTree(base_);
  EXPECT_EQ(code(), ExitCode::kMissing);
}

}  // namespace
}  // namespace t2t
