#include "t2t/base/subprocess.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"

namespace t2t {
namespace {

std::string NewOutputPath() {
  static const std::string* const folder =
      new std::string(MakeTempDirectory("output"));
  static std::atomic<int> count{0};
  return JoinPath(*folder, std::to_string(count++));
}

}  // namespace

Subprocess::Subprocess(const std::vector<std::string>& arguments,
                       int64_t file_size_limit)
    : output_path_(NewOutputPath()) {
  std::vector<char*> pointers;
  for (const std::string& argument : arguments) {
    pointers.push_back(const_cast<char*>(argument.c_str()));
  }
  pointers.push_back(nullptr);
  const int output = ::open(output_path_.c_str(),
                            O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  pid_ = ::fork();
  if (pid_ < 0) throw IoError("can't start", arguments.front());
  if (pid_ > 0) {
    ::close(output);
    return;
  }
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  if (file_size_limit > 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const struct rlimit limit = {static_cast<rlim_t>(file_size_limit),
                                 static_cast<rlim_t>(file_size_limit)};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ::execv(pointers.front(), pointers.data());
  ::_exit(127);
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
