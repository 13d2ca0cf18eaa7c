#include "t2t/base/subprocess.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <set>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"

extern char** environ;

namespace t2t {
namespace {

// Pointers to texts as execve() takes them.
std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) {
    pointers.push_back(const_cast<char*>(text.c_str()));
  }
  pointers.push_back(nullptr);
  return pointers;
}

// In the new process, where of a parent with threads only what is safe in a
// signal's handler may be called.
void SetUp(const SpawnOptions& options, pid_t parent) {
  if (options.own_group) ::setpgid(0, 0);
  if (options.dies_with_parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);  // it has ended before
  }
  if (options.in >= 0) ::dup2(options.in, STDIN_FILENO);
  if (options.out >= 0) ::dup2(options.out, STDOUT_FILENO);
  if (options.err >= 0) ::dup2(options.err, STDERR_FILENO);
  for (const int kept : options.kept) ::fcntl(kept, F_SETFD, 0);
  for (const int signal : options.default_signals) ::signal(signal, SIG_DFL);
  if (options.blocked) {
    ::sigprocmask(SIG_SETMASK, &*options.blocked, nullptr);
  }
  if (options.file_size_limit > 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const auto size = static_cast<rlim_t>(options.file_size_limit);
    const struct rlimit limit = {size, size};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
}

std::string NewOutputPath() {
  static const std::string* const folder =
      new std::string(MakeTempDirectory("output"));
  static std::atomic<int> count{0};
  return JoinPath(*folder, std::to_string(count++));
}

}  // namespace

pid_t Spawn(const std::vector<std::string>& arguments,
            const SpawnOptions& options) {
  const std::string& program =
      options.program.empty() ? arguments.at(0) : options.program;
  const std::vector<char*> pointers = Pointers(arguments);
  std::vector<char*> variables;
  if (options.environment) variables = Pointers(*options.environment);
  char** const environment = options.environment ? variables.data() : environ;
  // Closed where the program runs; else it says why not.
  int failure[2];
  if (::pipe2(failure, O_CLOEXEC) != 0) throw IoError("can't make", "a pipe");
  std::fflush(stdout);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) {
    SetUp(options, parent);
    ::execvpe(program.c_str(), pointers.data(), environment);
    const int error = errno;
    (void)!::write(failure[1], &error, sizeof(error));
    ::_exit(127);
  }
  const int fork_error = errno;
  ::close(failure[1]);
  int error = 0;
  ssize_t size = 0;
  while (pid > 0 && (size = ::read(failure[0], &error, sizeof(error))) < 0 &&
         errno == EINTR) {
  }
  ::close(failure[0]);
  if (pid < 0) {
    errno = fork_error;
    throw IoError("can't start", program);
  }
  if (size == static_cast<ssize_t>(sizeof(error))) {
    WaitForEnd(pid);
    throw MissingError(program + " can't be run: " + std::strerror(error));
  }
  return pid;
}

int EndCode(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int WaitForEnd(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return EndCode(status);
}

std::vector<std::string> MakeEnvironment(
    const std::vector<std::pair<std::string, std::string>>& variables,
    const std::function<bool(const std::string& name)>& drops) {
  std::set<std::string> replaced;
  for (const auto& [name, value] : variables) replaced.insert(name);
  std::vector<std::string> environment;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string text = *variable;
    const std::string name = text.substr(0, text.find('='));
    if (replaced.count(name) == 0 && !drops(name)) environment.push_back(text);
  }
  for (const auto& [name, value] : variables) {
    environment.push_back(name + "=" + value);
  }
  return environment;
}

Subprocess::Subprocess(const std::vector<std::string>& arguments,
                       int64_t file_size_limit)
    : output_path_(NewOutputPath()) {
  const int output = ::open(output_path_.c_str(),
                            O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  SpawnOptions options;
  options.out = output;
  options.err = output;
  options.file_size_limit = file_size_limit;
  try {
    pid_ = Spawn(arguments, options);
  } catch (const Error&) {
    ::close(output);
    throw;
  }
  ::close(output);
}

Subprocess::~Subprocess() {
  if (ended_) return;
  Signal(SIGKILL);
  Wait();
}

void Subprocess::Signal(int signal) const {
  if (!ended_) ::kill(pid_, signal);
}

int Subprocess::Wait() {
  if (!ended_) {
    ::waitpid(pid_, &status_, 0);
    ended_ = true;
  }
  return WIFEXITED(status_) ? WEXITSTATUS(status_) : -WTERMSIG(status_);
}

bool Subprocess::EndsWithin(double seconds) {
  const double until = NowSeconds() + seconds;
  while (!ended_) {
    if (::waitpid(pid_, &status_, WNOHANG) == pid_) {
      ended_ = true;
    } else if (NowSeconds() >= until) {
      return false;
    } else {
      ::usleep(1000);
    }
  }
  return true;
}

std::string Subprocess::Output() const { return ReadFile(output_path_); }

RunResult RunProgram(const std::vector<std::string>& arguments,
                     int64_t file_size_limit) {
  Subprocess process(arguments, file_size_limit);
  const int code = process.Wait();
  return {code, process.Output()};
}

}  // namespace t2t
