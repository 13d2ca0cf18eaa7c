// t2t-model-server: serves what t2t-exporter wrote, as TensorFlow Serving
// serves what T2T exported.

#include <malloc.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/flags.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/process_end.h"
#include "t2t/base/settings.h"
#include "t2t/base/simd_target.h"
#include "t2t/base/strings.h"
#include "t2t/bin/common/names.h"
#include "t2t/bin/common/torch_half.h"
#include "t2t/decode/decode_hparams.h"
#include "t2t/decode/load_options.h"
#include "t2t/serve/grpc_server.h"
#include "t2t/serve/http_server.h"
#include "t2t/serve/model_service.h"
#include "t2t/serve/rest_api.h"
#include "t2t/serve/servable.h"
#include "t2t/serve/tls.h"

namespace t2t {
namespace {

struct ServerFlags {
  std::string host = "127.0.0.1";
  int64_t port = 8500;
  int64_t rest_api_port = 8501;
  std::string model_name = "default";
  std::string model_base_path;
  std::string decode_hparams;
  int64_t versions_to_serve = 1;
  double file_system_poll_wait_seconds = 1;
  int64_t rest_api_timeout_in_ms = 30000;
  std::string bearer_token_file;
  std::string ssl_cert_file;
  std::string ssl_key_file;
  std::string ssl_client_ca_file;
  int64_t batch_timeout_micros = 5000;
  int64_t max_batch_size = 64;
  int64_t max_batch_tokens = 2048;
  int64_t max_queue_tokens = 16384;
  int64_t max_input_tokens = 512;
  int64_t max_connections = 512;
  double drain_seconds = 25;
  int64_t threads = 0;
  int64_t batch_lanes = 0;
  bool int8 = false;

  void AddTo(Flags* flags);
  void Check() const;
};

// A table: as long as it has rows.
void ServerFlags::AddTo(Flags* flags) {
  constexpr double kMost = 1e9;
  flags->Add("model_base_path", &model_base_path,
             "A folder t2t-exporter wrote, or one with such folders by the "
             "names 1, 2, ...: its versions.");
  flags->Add("model_name", &model_name, "The name clients ask for.");
  flags->Add("host", &host,
             "The address to listen on; 0.0.0.0 for all of this machine's.");
  flags->Add("port", &port, "The port of gRPC; 0: a free one, which is logged.",
             Range::Between(0, 65535));
  flags->Add("rest_api_port", &rest_api_port,
             "The port of HTTP/REST; 0: a free one, which is logged.",
             Range::Between(0, 65535));
  flags->Add("bearer_token_file", &bearer_token_file,
             "A file with the token that requests must carry "
             "(\"Authorization: Bearer ...\").");
  flags->Add("ssl_cert_file", &ssl_cert_file,
             "The server's certificate (chain) in PEM: HTTP and gRPC then "
             "speak TLS.");
  flags->Add("ssl_key_file", &ssl_key_file, "The certificate's key in PEM.");
  flags->Add("ssl_client_ca_file", &ssl_client_ca_file,
             "Only clients with a certificate that one of these (PEM) signed "
             "are let in.");
  flags->Add("decode_hparams", &decode_hparams,
             "Changes of the decode hyperparameters, such as "
             "beam_size=4,alpha=0.6.",
             Flags::Kind::kSettings);
  flags->Add("versions_to_serve", &versions_to_serve,
             "How many of the newest versions are served.",
             Range::Between(1, 100));
  flags->Add("file_system_poll_wait_seconds", &file_system_poll_wait_seconds,
             "How often to look for new versions.",
             Range::Between(0.01, 86400));
  flags->Add("rest_api_timeout_in_ms", &rest_api_timeout_in_ms,
             "A request's time; its X-Timeout-Ms header may ask for less.",
             Range::Between(1, kMost));
  flags->Add("batch_timeout_micros", &batch_timeout_micros,
             "How long a request waits for others to share its batch.",
             Range::Between(0, 1e7));
  flags->Add("max_batch_size", &max_batch_size, "Rows of a batch at most.",
             Range::Between(1, 65536));
  flags->Add("max_batch_tokens", &max_batch_tokens,
             "A batch's rows times its longest row, at most.",
             Range::Between(1, kMost));
  flags->Add("max_queue_tokens", &max_queue_tokens,
             "Input tokens that may wait; requests beyond are refused (429).",
             Range::Between(1, kMost));
  flags->Add("max_input_tokens", &max_input_tokens,
             "Tokens of one input at most.", Range::Between(1, kMost));
  flags->Add("max_connections", &max_connections, "HTTP connections at most.",
             Range::Between(1, 100000));
  flags->Add("drain_seconds", &drain_seconds,
             "After SIGTERM: how long requests that have begun may take.",
             Range::Between(0, 86400));
  flags->Add("threads", &threads, "CPU threads of the model; 0: one a core.",
             Range::Threads());
  flags->Add("batch_lanes", &batch_lanes,
             "Batches that run at the same time and share the threads; 0: two "
             "where there are two threads.",
             Range::Between(0, 256));
  flags->Add("int8", &int8,
             "Keep the weights of matrix products as int8: faster and smaller, "
             "a little less exact.");
  flags->AddIgnored("enable_batching", "requests are always batched");
}

void ServerFlags::Check() const {
  if (model_base_path.empty()) {
    throw UsageError("--model_base_path is missing",
                     "a folder t2t-exporter wrote", "give --model_base_path");
  }
  const bool plain =
      std::all_of(model_name.begin(), model_name.end(), [](unsigned char c) {
        return std::isalnum(c) || c == '_' || c == '-' || c == '.';
      });
  if (model_name.empty() || !plain) {
    throw UsageError("--model_name=" + model_name,
                     "letters, digits, '_', '-' and '.'");
  }
  if (max_input_tokens > max_queue_tokens) {
    throw UsageError(
        "--max_input_tokens=" + std::to_string(max_input_tokens),
        std::to_string(max_queue_tokens) + " (--max_queue_tokens) at most");
  }
  if (ssl_cert_file.empty() != ssl_key_file.empty()) {
    throw UsageError("--ssl_cert_file and --ssl_key_file go together",
                     "both or none");
  }
  if (!ssl_client_ca_file.empty() && ssl_cert_file.empty()) {
    throw UsageError("--ssl_client_ca_file without --ssl_cert_file",
                     "a certificate of the server's too");
  }
  if (port != 0 && port == rest_api_port) {
    throw UsageError(
        "--port and --rest_api_port are both " + std::to_string(port),
        "a port for gRPC and another for HTTP");
  }
}

std::chrono::milliseconds Milliseconds(double seconds) {
  return std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000));
}

std::string ReadToken(const std::string& path) {
  if (path.empty()) return "";
  const std::string token(Trim(ReadFile(ExpandUser(path))));
  if (token.empty()) {
    throw DataError("there is no token in " + path, "a line with a secret");
  }
  return token;
}

// Loads on a thread of its own, so that a signal to stop need not wait for a
// large model. False where the signal came first: then the thread is left
// alone.
bool LoadUnlessStopped(const sigset_t& stops,
                       const std::function<void()>& load) {
  std::exception_ptr failure;
  std::atomic<bool> is_done = false;
  std::thread loader([&] {
    try {
      load();
    } catch (...) {
      failure = std::current_exception();
    }
    is_done = true;
  });
  const timespec pause = {0, 5000000};
  while (!is_done) {
    if (::sigtimedwait(&stops, nullptr, &pause) < 0) continue;
    loader.detach();
    return false;
  }
  loader.join();
  if (failure != nullptr) std::rethrow_exception(failure);
  return true;
}

ServerFlags ParseFlags(int argc, char** argv) {
  ServerFlags flags;
  NameFlags names;
  Flags parser(
      "Serves a trained model over HTTP and gRPC, as TensorFlow Serving does.",
      "t2t-model-server --model_name=ende --model_base_path=models");
  flags.AddTo(&parser);
  names.AddTo(&parser);
  const std::vector<std::string> rest = parser.Parse(argc, argv);
  if (!rest.empty()) {
    throw UsageError("the argument '" + rest.front() + "' is no flag",
                     "--name=value", "--help lists the flags");
  }
  flags.Check();
  names.Register();
  for (const std::string& note :
       NotesOnDecodeHParams(DecodeHParams(flags.decode_hparams))) {
    Log(note);
  }
  return flags;
}

TlsFiles TlsFilesOf(const ServerFlags& flags) {
  TlsFiles tls;
  if (flags.ssl_cert_file.empty()) return tls;
  tls.cert = ExpandUser(flags.ssl_cert_file);
  tls.key = ExpandUser(flags.ssl_key_file);
  tls.ca = ExpandUser(flags.ssl_client_ca_file);
  return tls;
}

// Shares the model's threads out among the lanes; returns how many lanes.
int64_t SetThreads(const ServerFlags& flags, const TorchHalf& torch) {
  const int64_t threads = torch.set_threads(flags.threads);
  const int64_t lanes =
      flags.batch_lanes > 0 ? flags.batch_lanes : std::min<int64_t>(threads, 2);
  torch.set_threads(std::max<int64_t>(threads / lanes, 1));
  CurrentSimdTarget();  // an error in its variable shows before the work
  return lanes;
}

// What stops the server. Blocked, so that only sigwait() sees it: called before
// any thread is made.
sigset_t BlockStops() {
  sigset_t stops;
  sigemptyset(&stops);
  sigaddset(&stops, SIGTERM);
  sigaddset(&stops, SIGINT);
  // What is blocked comes even where it is ignored (nohup).
  if (!IsIgnored(SIGHUP)) sigaddset(&stops, SIGHUP);
  ::pthread_sigmask(SIG_BLOCK, &stops, nullptr);
  return stops;
}

ModelServiceOptions ServiceOptions(const ServerFlags& flags, int64_t lanes) {
  ModelServiceOptions options;
  options.name = flags.model_name;
  options.max_input_tokens = flags.max_input_tokens;
  options.batching.latency_budget =
      std::chrono::microseconds(flags.batch_timeout_micros);
  options.batching.max_batch_rows = flags.max_batch_size;
  options.batching.max_batch_tokens = flags.max_batch_tokens;
  options.batching.max_queue_tokens = flags.max_queue_tokens;
  options.batching.lanes = lanes;
  return options;
}

VersionOptions VersionsOf(const ServerFlags& flags) {
  VersionOptions versions;
  versions.base_path = ExpandUser(flags.model_base_path);
  versions.versions_to_serve = flags.versions_to_serve;
  versions.poll_interval = Milliseconds(flags.file_system_poll_wait_seconds);
  return versions;
}

// Returns at the first signal.
void WaitForStop(sigset_t stops) {
  int signal = 0;
  ::sigwait(&stops, &signal);
  Log("stopping: requests that have begun are answered");
  // A second signal ends the program at once; a terminal that is closed may
  // send SIGHUP several times.
  sigdelset(&stops, SIGHUP);
  ::pthread_sigmask(SIG_UNBLOCK, &stops, nullptr);
}

void LogAddresses(const ServerFlags& flags, int grpc_port, int http_port) {
  Log("gRPC at " + flags.host + ":" + std::to_string(grpc_port));
  Log("serving " + flags.model_name + " at " +
      (flags.ssl_cert_file.empty() ? "http" : "https") + "://" + flags.host +
      ":" + std::to_string(http_port));
  if (flags.host != "127.0.0.1" && flags.host != "localhost" &&
      flags.host != "::1" && flags.bearer_token_file.empty()) {
    Warn("anybody who can reach " + flags.host +
         " can ask: there is no --bearer_token_file");
  }
}

RestOptions RestOf(const ServerFlags& flags) {
  RestOptions options;
  options.timeout = std::chrono::milliseconds(flags.rest_api_timeout_in_ms);
  options.bearer_token = ReadToken(flags.bearer_token_file);
  return options;
}

int Main(int argc, char** argv) {
  const ServerFlags flags = ParseFlags(argc, argv);
  const RestOptions rest_options = RestOf(flags);
  const TlsFiles tls = TlsFilesOf(flags);
  const std::shared_ptr<const TlsContext> tls_context =
      tls.cert.empty() ? nullptr : TlsContext::ForServer(tls);
  OutliveReaders("");
  // Otherwise glibc's heaps, of which every thread may have its own, keep what
  // many batches have freed.
  ::mallopt(M_ARENA_MAX, 4);
  const TorchHalf& torch = LoadTorchHalf();
  const int64_t lanes = SetThreads(flags, torch);
  const sigset_t stops = BlockStops();
  const auto load_version = [&](const std::string& path) {
    // The export's, where the flag does not say otherwise.
    HParams decode_hparams = DecodeHParams(
        JoinSettings(ExportedDecodeHParams(path), flags.decode_hparams));
    decode_hparams.Set("log_results", false);
    return torch.load_servable(path, decode_hparams, flags.int8);
  };

  ModelService service(ServiceOptions(flags, lanes));
  RestApi api(rest_options, &service);
  HttpServerOptions http;
  http.host = flags.host;
  http.port = static_cast<int>(flags.rest_api_port);
  http.max_connections = static_cast<size_t>(flags.max_connections);
  http.tls = tls_context;
  HttpServer server(http, [&](const HttpMessage& request,
                              const std::function<bool()>& is_gone) {
    return api.Handle(request, is_gone);
  });
  GrpcOptions grpc;
  grpc.host = flags.host;
  grpc.port = static_cast<int>(flags.port);
  grpc.timeout = rest_options.timeout;
  grpc.bearer_token = rest_options.bearer_token;
  grpc.tls = tls;
  GrpcServer grpc_server(grpc, &service);

  // Whoever asks meanwhile is told to come again, a probe that it is alive.
  if (!LoadUnlessStopped(
          stops, [&] { service.Load(VersionsOf(flags), load_version); })) {
    Log("stopped before the model was loaded");
    std::_Exit(0);  // the thread that loads uses all that is here
  }
  grpc_server.SetReady(true);
  LogAddresses(flags, grpc_server.port(), server.port());
  WaitForStop(stops);
  api.StopBeingReady();
  grpc_server.SetReady(false);
  const std::chrono::milliseconds grace = Milliseconds(flags.drain_seconds);
  std::thread drain_grpc([&] { grpc_server.Drain(grace); });
  server.Drain(grace);
  drain_grpc.join();
  Log("stopped");
  return 0;
}

}  // namespace
}  // namespace t2t

int main(int argc, char** argv) { return t2t::RunMain(argc, argv, t2t::Main); }
