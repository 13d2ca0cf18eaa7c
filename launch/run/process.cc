#include "launch/run/process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "t2t/base/error.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"

extern char** environ;

namespace t2t {
namespace {

// Of another launcher around us: a Pod would not see them.
bool IsForeign(const std::string& name) {
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

Process::Process(
    std::string prefix, const std::vector<std::string>& command,
    const std::vector<std::pair<std::string, std::string>>& variables)
    : prefix_(std::move(prefix)), started_(NowSeconds()) {
  std::vector<std::string> environment;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string text = *variable;
    const std::string name = text.substr(0, text.find('='));
    bool replaced = IsForeign(name);
    for (const auto& [own, value] : variables) {
      replaced = replaced || own == name;
    }
    if (!replaced) environment.push_back(text);
  }
  for (const auto& [name, value] : variables) {
    environment.push_back(name + "=" + value);
  }
  std::vector<char*> arguments;
  for (const std::string& argument : command) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  std::vector<char*> settings;
  for (std::string& text : environment) settings.push_back(text.data());
  settings.push_back(nullptr);

  int ends[2];
  int failure[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw IoError("can't make", "a pipe");
  if (::pipe2(failure, O_CLOEXEC) != 0) {
    ::close(ends[0]);
    ::close(ends[1]);
    throw IoError("can't make", "a pipe");
  }
  std::fflush(stdout);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::setpgid(0, 0);
    // Not left behind where this program is killed.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int nothing = ::open("/dev/null", O_RDONLY);
    ::dup2(nothing, STDIN_FILENO);
    ::dup2(ends[1], STDOUT_FILENO);
    ::dup2(ends[1], STDERR_FILENO);
    ::signal(SIGPIPE, SIG_DFL);
    ::signal(SIGINT, SIG_DFL);
    ::signal(SIGTERM, SIG_DFL);
    ::execvpe(arguments[0], arguments.data(), settings.data());
    const int error = errno;
    (void)!::write(failure[1], &error, sizeof(error));
    ::_exit(127);
  }
  ::close(ends[1]);
  ::close(failure[1]);
  output_ = ends[0];
  ::fcntl(output_, F_SETFL, O_NONBLOCK);
  int error = 0;
  const bool failed = pid_ < 0 || ::read(failure[0], &error, sizeof(error)) ==
                                      static_cast<ssize_t>(sizeof(error));
  ::close(failure[0]);
  if (failed) {
    if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
    ::close(output_);
    throw MissingError(command[0] + " can't be run: " + std::strerror(error),
                       "a program in --bin_dir or PATH",
                       "build it: bazel build //:" + command[0]);
  }
  ::setpgid(pid_, pid_);
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
    exit_code_ =
        WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
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
