#include "launch/run/process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string_view>

#include "t2t/base/error.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/base/subprocess.h"

namespace t2t {
namespace {

// A line of t2t-trainer's that holds one metric of an evaluation.
void ReadMetric(std::string_view line, std::map<std::string, double>* metrics) {
  static constexpr std::string_view kPrefix = "t2t-metric: ";
  if (!StartsWith(line, kPrefix)) return;
  line.remove_prefix(kPrefix.size());
  const size_t equals = line.find('=');
  const size_t end = line.find(" step=");
  double value = 0;
  if (equals < end && end != std::string_view::npos &&
      ParseDouble(line.substr(equals + 1, end - equals - 1), &value)) {
    (*metrics)[std::string(line.substr(0, equals))] = value;
  }
}

}  // namespace

bool IsOfAnotherLauncher(const std::string& name) {
  for (const char* const prefix : {"PET_", "OMPI_", "PMIX_", "SLURM_"}) {
    if (StartsWith(name, prefix)) return true;
  }
  for (const char* const known :
       {"TF_CONFIG", "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE",
        "MASTER_ADDR", "MASTER_PORT", "JOB_COMPLETION_INDEX",
        "JOB_COMPLETIONS"}) {
    if (name == known) return true;
  }
  return false;
}

Process::Process(
    std::string prefix, const std::vector<std::string>& command,
    const std::vector<std::pair<std::string, std::string>>& variables)
    : prefix_(std::move(prefix)), started_(NowSeconds()) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw IoError("can't make", "a pipe");
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  SpawnOptions options;
  options.environment = MakeEnvironment(variables, IsOfAnotherLauncher);
  options.in = nothing;
  options.out = ends[1];
  options.err = ends[1];
  options.own_group = true;
  // Not left behind where this program is killed.
  options.dies_with_parent = true;
  options.default_signals = {SIGPIPE, SIGINT, SIGTERM};
  std::string failure;
  try {
    pid_ = Spawn(command, options);
  } catch (const Error& error) {
    failure = error.what();
  }
  ::close(nothing);
  ::close(ends[1]);
  if (!failure.empty()) {
    ::close(ends[0]);
    throw MissingError(failure, "a program in --bin_dir or PATH",
                       "build it: bazel build //:" + command[0]);
  }
  output_ = ends[0];
  ::fcntl(output_, F_SETFL, O_NONBLOCK);
}

Process::~Process() {
  if (!ended_) {
    ::kill(-pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  if (output_ >= 0) ::close(output_);
}

void Process::Signal(int signal) const {
  if (!ended_) ::kill(-pid_, signal);
}

void Process::PrintLine(const std::string& line) {
  ReadMetric(line, &metrics_);
  std::printf("[%s] %s\n", prefix_.c_str(), line.c_str());
}

void Process::Drain(bool all) {
  char buffer[16384];
  while (output_ >= 0) {
    const ssize_t count = ::read(output_, buffer, sizeof(buffer));
    if (count <= 0) break;
    rest_.append(buffer, static_cast<size_t>(count));
  }
  size_t start = 0;
  for (size_t end; (end = rest_.find('\n', start)) != std::string::npos;
       start = end + 1) {
    PrintLine(rest_.substr(start, end - start));
  }
  rest_.erase(0, start);
  if (all && !rest_.empty()) {
    PrintLine(rest_);
    rest_.clear();
  }
  std::fflush(stdout);
}

bool Process::Poll() {
  if (ended_) return true;
  int status = 0;
  const pid_t pid = ::waitpid(pid_, &status, WNOHANG);
  if (pid == pid_) {
    // What it left running in its group is not to outlive it.
    ::kill(-pid_, SIGKILL);
    ended_ = true;
    exit_code_ = EndCode(status);
  }
  Drain(ended_);
  return ended_;
}

int FreePort() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  int port = 0;
  if (socket >= 0 &&
      ::bind(socket, reinterpret_cast<struct sockaddr*>(&address), size) == 0 &&
      ::getsockname(socket, reinterpret_cast<struct sockaddr*>(&address),
                    &size) == 0) {
    port = ntohs(address.sin_port);
  }
  if (socket >= 0) ::close(socket);
  if (port == 0) throw IoError("can't find", "a free port");
  return port;
}

}  // namespace t2t
