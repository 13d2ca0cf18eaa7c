#include "t2t/distributed/launcher.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

#include "t2t/base/error.h"
#include "t2t/base/log.h"
#include "t2t/base/plural.h"
#include "t2t/base/process_end.h"
#include "t2t/base/strings.h"
#include "t2t/base/subprocess.h"

namespace t2t {
namespace {

// How lines begin that are for programs (t2t/train/evaluation.h): they look for
// it where a line begins.
constexpr std::string_view kForPrograms = "t2t-metric: ";

// One of a rank's two streams: passed on by whole lines.
struct Stream {
  int fd = -1;
  std::FILE* to = nullptr;
  std::string prefix;
  std::string open_line;

  void Write(const char* data, size_t size) {
    open_line.append(data, size);
    size_t begin = 0;
    std::string text;
    for (size_t end; (end = open_line.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
      const std::string line = open_line.substr(begin, end + 1 - begin);
      if (!StartsWith(line, kForPrograms)) text += prefix;
      text += line;
    }
    open_line.erase(0, begin);
    if (text.empty()) return;
    std::fwrite(text.data(), 1, text.size(), to);
    std::fflush(to);
  }

  // False at the end of the stream.
  bool ReadSome() {
    std::array<char, 1 << 14> buffer;
    const ssize_t size = ::read(fd, buffer.data(), buffer.size());
    if (size < 0) return errno == EAGAIN || errno == EINTR;
    if (size == 0) return false;
    Write(buffer.data(), static_cast<size_t>(size));
    return true;
  }

  void Close() {
    if (fd < 0) return;
    if (!open_line.empty()) Write("\n", 1);
    ::close(fd);
    fd = -1;
  }
};

struct Rank {
  int64_t rank = 0;
  pid_t pid = -1;
  bool running = false;
  int code = 0;  // as RunLocalRanks counts
  std::array<Stream, 2> streams;
};

struct ListeningSocket {
  int fd;
  int64_t port;
};

ListeningSocket ListenOnFreePort() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const plain = reinterpret_cast<sockaddr*>(&address);
  if (fd < 0 || ::bind(fd, plain, size) != 0 || ::listen(fd, 128) != 0 ||
      ::getsockname(fd, plain, &size) != 0) {
    throw IoError("can't listen on", "127.0.0.1");
  }
  return {fd, ntohs(address.sin_port)};
}

class Launcher {
 public:
  Launcher(const Cluster& cluster, const std::vector<std::string>& arguments,
           const LaunchOptions& options)
      : cluster_(cluster),
        grace_seconds_(options.grace_seconds),
        arguments_(arguments) {
    ranks_.resize(static_cast<size_t>(cluster.start_here));
  }

  int Run() {
    if (cluster_.port == 0) {
      const ListeningSocket socket = ListenOnFreePort();
      listen_fd_ = socket.fd;
      cluster_.port = socket.port;
    }
    sigset_t watched;
    sigemptyset(&watched);
    for (const int signal : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) {
      // What is blocked comes even where it is ignored (nohup).
      if (!IsIgnored(signal)) sigaddset(&watched, signal);
    }
    ::sigprocmask(SIG_BLOCK, &watched, &old_mask_);
    signals_ = ::signalfd(-1, &watched, SFD_NONBLOCK | SFD_CLOEXEC);
    if (signals_ < 0) throw IoError("can't watch for", "signals");
    std::fflush(nullptr);
    try {
      for (size_t i = 0; i < ranks_.size(); ++i) Start(i);
    } catch (...) {
      SignalAll(SIGKILL);
      throw;
    }
    if (listen_fd_ >= 0) ::close(listen_fd_);
    while (Running() > 0) Turn();
    for (Rank& rank : ranks_) {
      for (Stream& stream : rank.streams) {
        // A grandchild may hold it open: what is there, and no more.
        if (stream.fd >= 0) ::fcntl(stream.fd, F_SETFL, O_NONBLOCK);
        pollfd ready = {stream.fd, POLLIN, 0};
        while (stream.fd >= 0 && ::poll(&ready, 1, 0) > 0 &&
               stream.ReadSome()) {
        }
        stream.Close();
      }
    }
    ::close(signals_);
    ::sigprocmask(SIG_SETMASK, &old_mask_, nullptr);
    return Code();
  }

  // Ranks that were killed before anything else went wrong.
  int64_t killed() const { return killed_; }

 private:
  int Running() const {
    return static_cast<int>(
        std::count_if(ranks_.begin(), ranks_.end(),
                      [](const Rank& rank) { return rank.running; }));
  }

  void SignalAll(int signal) const {
    for (const Rank& rank : ranks_) {
      if (rank.running) ::kill(rank.pid, signal);
    }
  }

  void Start(size_t index) {
    Rank& rank = ranks_[index];
    rank.rank = cluster_.rank + static_cast<int64_t>(index);
    std::array<std::array<int, 2>, 2> pipes;
    for (auto& ends : pipes) {
      if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        throw IoError("can't make a pipe for",
                      "rank " + std::to_string(rank.rank));
      }
    }
    SpawnOptions options;
    options.program = "/proc/self/exe";
    options.environment = MakeEnvironment(
        Variables(rank.rank, static_cast<int64_t>(index)), IsClusterVariable);
    options.out = pipes[0][1];
    options.err = pipes[1][1];
    if (rank.rank == 0 && listen_fd_ >= 0) options.kept = {listen_fd_};
    // A terminal's Ctrl-C is for the launcher, which passes it on once.
    options.own_group = true;
    options.dies_with_parent = true;
    options.blocked = old_mask_;
    rank.pid = Spawn(arguments_, options);
    rank.running = true;
    for (size_t i = 0; i < 2; ++i) {
      ::close(pipes[i][1]);
      rank.streams[i].fd = pipes[i][0];
      rank.streams[i].to = i == 0 ? stdout : stderr;
      rank.streams[i].prefix = "[rank " + std::to_string(rank.rank) + "] ";
    }
  }

  // Of a rank, in place of a cluster's that may be set here.
  std::vector<std::pair<std::string, std::string>> Variables(
      int64_t rank, int64_t local_rank) const {
    std::vector<std::pair<std::string, std::string>> variables = {
        {kLaunchedVariable, "1"},
        {"RANK", std::to_string(rank)},
        {"WORLD_SIZE", std::to_string(cluster_.world_size)},
        {"LOCAL_RANK", std::to_string(local_rank)},
        {"LOCAL_WORLD_SIZE", std::to_string(cluster_.start_here)},
        {"MASTER_ADDR", cluster_.address},
        {"MASTER_PORT", std::to_string(cluster_.port)},
    };
    if (rank == 0 && listen_fd_ >= 0) {
      variables.emplace_back(kListenFdVariable, std::to_string(listen_fd_));
    }
    return variables;
  }

  // Waits for something to happen, and takes it in.
  void Turn() {
    std::vector<pollfd> polled = {{signals_, POLLIN, 0}};
    std::vector<Stream*> streams = {nullptr};
    for (Rank& rank : ranks_) {
      for (Stream& stream : rank.streams) {
        if (stream.fd < 0) continue;
        polled.push_back({stream.fd, POLLIN, 0});
        streams.push_back(&stream);
      }
    }
    int wait_ms = -1;
    if (kill_at_ > 0) {
      wait_ms =
          std::max(0, static_cast<int>((kill_at_ - NowSeconds()) * 1000 + 1));
    }
    ::poll(polled.data(), polled.size(), wait_ms);
    for (size_t i = 1; i < polled.size(); ++i) {
      if (polled[i].revents != 0 && !streams[i]->ReadSome()) {
        streams[i]->Close();
      }
    }
    signalfd_siginfo info;
    while (::read(signals_, &info, sizeof(info)) == sizeof(info)) {
      const int signal = static_cast<int>(info.ssi_signo);
      if (signal == SIGCHLD) continue;
      stop_signal_ = signal;
      SignalAll(signal);
    }
    Reap();
    if (kill_at_ > 0 && NowSeconds() >= kill_at_ && Running() > 0) {
      Warn(Count(Running(), "rank") + " still there: killed");
      SignalAll(SIGKILL);
      kill_at_ = 0;
    }
  }

  void Reap() {
    for (Rank& rank : ranks_) {
      int status = 0;
      if (!rank.running || ::waitpid(rank.pid, &status, WNOHANG) != rank.pid) {
        continue;
      }
      rank.running = false;
      std::string how;
      if (WIFEXITED(status)) {
        rank.code = WEXITSTATUS(status);
        how = "ended with code " + std::to_string(rank.code);
      } else {
        const int signal = WTERMSIG(status);
        const bool bug = signal == SIGSEGV || signal == SIGABRT ||
                         signal == SIGBUS || signal == SIGILL ||
                         signal == SIGFPE;
        const bool asked = signal == stop_signal_;
        if (!failed_ && !asked && !bug) ++killed_;
        rank.code = asked ? ExitCodeOfStop(signal)
                    : bug ? static_cast<int>(ExitCode::kInternal)
                          : static_cast<int>(ExitCode::kRetry);
        how = std::string("was ended by SIG") + ::sigabbrev_np(signal);
      }
      if (rank.code == 0) continue;
      if (first_bad_ == 0) first_bad_ = rank.code;
      // Stopped by a signal sent to it alone: it tells the others itself.
      if (rank.code == static_cast<int>(ExitCode::kPreempted) ||
          rank.code == static_cast<int>(ExitCode::kInterrupted)) {
        continue;
      }
      if (!failed_ && stop_signal_ == 0) {
        Warn("rank " + std::to_string(rank.rank) + " " + how);
        kill_at_ = NowSeconds() + grace_seconds_;
        SignalAll(SIGTERM);
      }
      failed_ = true;
    }
  }

  int Code() const {
    for (const Rank& rank : ranks_) {
      if (rank.code > 0 && rank.code < 128) return rank.code;
    }
    for (const Rank& rank : ranks_) {
      if (stop_signal_ != 0 && rank.code == ExitCodeOfStop(stop_signal_)) {
        return rank.code;
      }
    }
    return first_bad_;
  }

  Cluster cluster_;
  const double grace_seconds_;
  const std::vector<std::string> arguments_;
  std::vector<Rank> ranks_;
  int listen_fd_ = -1;
  int signals_ = -1;
  sigset_t old_mask_;
  int stop_signal_ = 0;
  bool failed_ = false;
  int64_t killed_ = 0;
  int first_bad_ = 0;
  double kill_at_ = 0;  // 0: not
};

}  // namespace

int RunLocalRanks(const Cluster& cluster,
                  const std::vector<std::string>& arguments,
                  const LaunchOptions& options) {
  Cluster started = cluster;
  for (int64_t restarts = 0;; ++restarts) {
    Launcher launcher(started, arguments, options);
    const int code = launcher.Run();
    if (code != static_cast<int>(ExitCode::kRetry) ||
        restarts >= options.max_restarts) {
      return code;
    }
    if (options.min_ranks > 0 && started.world_size == started.start_here) {
      started.start_here =
          std::max(std::min(options.min_ranks, started.start_here),
                   started.start_here - launcher.killed());
      started.world_size = started.start_here;
    }
    Log("starting " + Count(started.start_here, "rank") + " again: restart " +
        std::to_string(restarts + 1) + " of " +
        std::to_string(options.max_restarts));
  }
}

}  // namespace t2t
