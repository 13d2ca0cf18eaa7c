#include "t2t/serve/rest_api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/serve/http_server.h"
#include "t2t/serve/metrics.h"
#include "t2t/serve/model_service.h"
#include "t2t/serve/rest_fixture.h"
#include "t2t/serve/socket.h"
#include "t2t/serve/version_manager.h"

namespace t2t {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::Not;

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
      {"/v1/models/m/versions/-1", 400},
      {"/v1/models/m/versions/x", 400},
      {"/v1/models/m/versions/99999999999999999999", 400},
      {"/v1/models/m/labels/stable", 400},
      {"/v1/models/x", 404},
      {"/v1/models", 400},
      {"/v1/models/", 400},
      {"/v1/models/m/other", 400},
      {"/v1/models/m/versions/1/labels/x", 400},
      {"/v1/other", 400},
      {"/V1/Models/m/Versions/1/MetaData", 200},
      {"/v1/models/%6D", 200},
      {"/v1/models/M", 404},
      {"/other", 404},
      {"/v1/models/m:predict", 405},
      {"/translate", 405},
      {"/attention", 405}};
  for (const auto& [path, status] : gets) {
    EXPECT_EQ(Ask("GET", path).status, status) << path;
  }
  EXPECT_EQ(Ask("HEAD", "/healthz").status, 200);
  EXPECT_EQ(Ask("POST", "/healthz").status, 405);
  EXPECT_EQ(*Ask("DELETE", "/v1/models/m").Header("allow"),
            "GET, HEAD, OPTIONS");
  EXPECT_EQ(Predict("{}", "/v1/models/x:predict"),
            "404 Servable not found for request: Latest(x)");
  EXPECT_EQ(
      Predict(R"({"instances": ["a"]})", "/v1/models/m/versions/7:predict"),
      "404 Servable not found for request: Specific(m, 7)");
}

TEST_F(RestTest, IsAliveButNotReadyWhileItLoads) {
  ModelService loading(options_);
  RestApi api(rest_, &loading);
  const auto ask = [&](const std::string& method, const std::string& path) {
    HttpMessage request;
    request.method = method;
    request.path = path;
    return api.Handle(request);
  };
  EXPECT_EQ(ask("GET", "/healthz").status, 200);
  EXPECT_EQ(ask("GET", "/").status, 200);
  EXPECT_EQ(ask("GET", "/metrics").status, 200);
  for (const auto& [method, path] :
       std::vector<std::pair<std::string, std::string>>{
           {"GET", "/readyz"},
           {"POST", "/translate"},
           {"POST", "/attention"},
           {"GET", "/v1/models/m"},
           {"POST", "/v1/models/m:predict"}}) {
    const HttpResponse response = ask(method, path);
    EXPECT_EQ(response.status, 503) << path;
    EXPECT_THAT(response.body, HasSubstr("is being loaded")) << path;
  }
  VersionOptions versions;
  versions.base_path = base_;
  loading.Load(versions, [this](const std::string& path) {
    return std::make_unique<FakeServable>(path, &control_);
  });
  EXPECT_EQ(ask("GET", "/readyz").status, 200);
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
