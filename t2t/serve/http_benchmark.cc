// The model server's front, without a model, asked over loopback by clients
// that keep their connections and never pause: what HTTP, the REST interface
// and the queue cost a request, and how they bear many clients.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "t2t/base/fs.h"
#include "t2t/serve/fake_servable.h"
#include "t2t/serve/http_client.h"
#include "t2t/serve/http_parser.h"
#include "t2t/serve/http_server.h"
#include "t2t/serve/model_service.h"
#include "t2t/serve/rest_api.h"
#include "t2t/serve/version_manager.h"

namespace t2t {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr char kSentence[] =
    "two young men on bicycles wait for the light at a busy crossing\n";

// Takes as long for a batch as a small model does.
class SlowServable : public FakeServable {
 public:
  SlowServable(const std::string& path, FakeControl* control, milliseconds time)
      : FakeServable(path, control), time_(time) {}
  std::vector<Prediction> Predict(const std::vector<Ids>& rows,
                                  const IsGone& is_gone) override {
    std::this_thread::sleep_for(time_);
    return FakeServable::Predict(rows, is_gone);
  }

 private:
  const milliseconds time_;
};

class Front {
 public:
  Front(int64_t max_queue_tokens, milliseconds batch_time)
      : service_(ServiceOptions(max_queue_tokens), Versions(base_),
                 [this, batch_time](const std::string& path) {
                   return std::make_unique<SlowServable>(path, &control_,
                                                         batch_time);
                 }),
        api_({}, &service_),
        server_({}, [this](const HttpMessage& request,
                           const std::function<bool()>& is_gone) {
          return api_.Handle(request, is_gone);
        }) {}
  ~Front() {
    server_.Drain(milliseconds(1000));
    RemoveTree(base_);
  }

  int port() const { return server_.port(); }

 private:
  static ModelServiceOptions ServiceOptions(int64_t max_queue_tokens) {
    ModelServiceOptions options;
    options.name = "m";
    options.batching.max_queue_tokens = max_queue_tokens;
    return options;
  }
  static VersionOptions Versions(const std::string& base) {
    WriteFakeVersion(base, 1, ".");
    VersionOptions versions;
    versions.base_path = base;
    return versions;
  }

  const std::string base_ = MakeTempDirectory("http_benchmark");
  FakeControl control_;
  ModelService service_;
  RestApi api_;
  HttpServer server_;
};

struct Answers {
  std::vector<double> latencies_us;
  int64_t refused = 0;  // 429
  int64_t wrong = 0;
};

// What a client that asks `count` times hears.
Answers AskOften(int port, const std::string& target, int64_t count) {
  Answers answers;
  HttpClient client("127.0.0.1", port, milliseconds(30000));
  const std::string body = target == "/translate" ? kSentence : "";
  for (int64_t i = 0; i < count; ++i) {
    const auto start = Clock::now();
    const int status =
        client.Ask(body.empty() ? "GET" : "POST", target, body).status;
    const std::chrono::duration<double, std::micro> time = Clock::now() - start;
    answers.latencies_us.push_back(time.count());
    answers.refused += status == 429;
    answers.wrong += status != 200 && status != 429;
  }
  return answers;
}

void AskFromMany(benchmark::State& state, const std::string& target,
                 int64_t max_queue_tokens, milliseconds batch_time) {
  const Front front(max_queue_tokens, batch_time);
  const int64_t clients = state.range(0);
  const int64_t asks = std::max<int64_t>(10, 1000 / clients);
  Answers all;
  for (auto _ : state) {
    std::vector<Answers> heard(clients);
    std::vector<std::thread> threads;
    for (Answers& answers : heard) {
      threads.emplace_back(
          [&] { answers = AskOften(front.port(), target, asks); });
    }
    for (std::thread& thread : threads) thread.join();
    for (const Answers& answers : heard) {
      all.latencies_us.insert(all.latencies_us.end(),
                              answers.latencies_us.begin(),
                              answers.latencies_us.end());
      all.refused += answers.refused;
      all.wrong += answers.wrong;
    }
  }
  if (all.wrong > 0) state.SkipWithError("an answer is neither 200 nor 429");
  std::vector<double>& times = all.latencies_us;
  std::sort(times.begin(), times.end());
  const auto count = static_cast<int64_t>(times.size());
  state.SetItemsProcessed(count);
  state.counters["p50_us"] = times[times.size() / 2];
  state.counters["p99_us"] = times[times.size() * 99 / 100];
  state.counters["refused"] =
      static_cast<double>(all.refused) / static_cast<double>(count);
}

void BM_ParseRequest(benchmark::State& state) {
  const std::string body = kSentence;
  const std::string text =
      "POST /translate HTTP/1.1\r\nHost: localhost:8501\r\n"
      "User-Agent: curl/7.88.1\r\nAccept: */*\r\n"
      "Content-Type: text/plain; charset=utf-8\r\nContent-Length: " +
      std::to_string(body.size()) + "\r\n\r\n" + body;
  for (auto _ : state) {
    HttpParser parser(HttpParser::Kind::kRequest);
    parser.Feed(text);
    if (!parser.done()) state.SkipWithError("the request is refused");
  }
  state.SetBytesProcessed(state.iterations() *
                          static_cast<int64_t>(text.size()));
}
BENCHMARK(BM_ParseRequest);

void BM_Health(benchmark::State& state) {
  AskFromMany(state, "/healthz", 100000, milliseconds(0));
}

void BM_Translate(benchmark::State& state) {
  AskFromMany(state, "/translate", 100000, milliseconds(0));
}

// A batch takes 4 ms.
void BM_TranslateSlowly(benchmark::State& state) {
  AskFromMany(state, "/translate", 100000, milliseconds(4));
}

// The same, where the queue holds 20 of these sentences: the rest is refused.
void BM_TranslateOverloaded(benchmark::State& state) {
  AskFromMany(state, "/translate", 20 * (sizeof(kSentence) - 2),
              milliseconds(4));
}

// The time of all the asking; the CPU's is both ends'.
void Clients(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgName("clients")->Unit(benchmark::kMillisecond);
  benchmark->UseRealTime()->MeasureProcessCPUTime();
}
BENCHMARK(BM_Health)->Apply(Clients)->Arg(1)->Arg(8)->Arg(128);
BENCHMARK(BM_Translate)->Apply(Clients)->Arg(1)->Arg(8)->Arg(128);
BENCHMARK(BM_TranslateSlowly)->Apply(Clients)->Arg(1)->Arg(16)->Arg(128);
BENCHMARK(BM_TranslateOverloaded)->Apply(Clients)->Arg(128)->Arg(400);

}  // namespace
}  // namespace t2t
