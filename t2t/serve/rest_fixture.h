#ifndef T2T_SERVE_REST_FIXTURE_H_
#define T2T_SERVE_REST_FIXTURE_H_

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/serve/fake_servable.h"
#include "t2t/serve/http_client.h"
#include "t2t/serve/http_server.h"
#include "t2t/serve/model_service.h"
#include "t2t/serve/rest_api.h"
#include "t2t/serve/version_manager.h"

namespace t2t {

inline void WaitFor(const std::function<bool()>& condition) {
  for (int i = 0; i < 5000 && !condition(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_TRUE(condition());
}

// A server of a fake model "m", asked over a socket.
class RestTest : public ::testing::Test {
 protected:
  RestTest() { WriteFakeVersion(base_, 1, "."); }

  void Start() {
    VersionOptions versions;
    versions.base_path = base_;
    versions.poll_interval = std::chrono::milliseconds(5);
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
    return HttpClient("127.0.0.1", server_->port(),
                      std::chrono::milliseconds(10000))
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

}  // namespace t2t

#endif  // T2T_SERVE_REST_FIXTURE_H_
