#include "t2t/base/process_end.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>
#include <system_error>

#include "t2t/base/error.h"

namespace t2t {
namespace {

constexpr int kIo = static_cast<int>(ExitCode::kIo);

// For handlers: no memory is allocated, no lock taken there.
char program_name[64] = "t2t";
char reader_log[4096] = "";
volatile sig_atomic_t output_was_moved = 0;

void Print(const char* text) {
  [[maybe_unused]] const ssize_t written =
      ::write(STDERR_FILENO, text, std::strlen(text));
}

void EndAtOnce(int signal) {
  // Standard error may be a pipe or a terminal that is gone.
  ::signal(SIGPIPE, SIG_IGN);
  Print(program_name);
  Print(": stopped by ");
  Print(SignalName(signal));
  Print("\n");
  ::_exit(ExitCodeOfStop(signal));
}

bool HasNoReader(int fd) {
  pollfd polled = {fd, POLLOUT, 0};
  return ::poll(&polled, 1, 0) == 1 &&
         (polled.revents & (POLLERR | POLLHUP)) != 0;
}

// A write into a pipe or a socket that nobody reads. As usual tools do, the
// program ends without a word where that is its standard output.
void OnBrokenPipe(int signal) {
  const int saved = errno;
  if (HasNoReader(STDOUT_FILENO)) ::_exit(ExitCodeOfStop(signal));
  errno = saved;  // the write fails with EPIPE
}

void MoveToFile(int fd) {
  int to = -1;
  if (reader_log[0] != '\0') {
    to = ::open(reader_log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  }
  const bool has_file = to >= 0;
  if (!has_file) to = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (to < 0) return;
  ::dup2(to, fd);
  ::close(to);
  if (fd == STDOUT_FILENO) output_was_moved = 1;
  if (!has_file || fd != STDERR_FILENO) return;
  Print(program_name);
  Print(": nobody reads the log any more (SIGPIPE); it goes on here\n");
}

void OnBrokenPipeOfLog(int) {
  const int saved = errno;
  for (const int fd : {STDERR_FILENO, STDOUT_FILENO}) {
    if (HasNoReader(fd)) MoveToFile(fd);
  }
  errno = saved;
}

void Nothing(int) {}

void Catch(int signal, void (*handler)(int)) {
  if (IsIgnored(signal)) return;
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  ::sigaction(signal, &action, nullptr);
}

bool Contains(const char* text, const char* part) {
  return std::strstr(text, part) != nullptr;
}

// LibTorch's ways to say that it gets no memory.
bool IsAboutMemory(const char* text) {
  for (const char* const part :
       {"can't allocate memory", "not enough memory", "out of memory",
        "Storage size calculation overflowed",
        "integer multiplication overflow", "Cannot allocate memory"}) {
    if (Contains(text, part)) return true;
  }
  return false;
}

int ReportNoMemory(const std::string& why) {
  std::fprintf(
      stderr,
      "%s: out of memory%s%s\n"
      "  expected: a model, a batch and a beam that memory holds\n"
      "  to do:    make them smaller (hidden_size, batch_size, beam_size), or "
      "raise the limit (ulimit -v, the container's memory)\n",
      program_name, why.empty() ? "" : ": ", why.c_str());
  return kIo;
}

int ReportNoThread(const char* why) {
  std::fprintf(stderr,
               "%s: a thread can't be started: %s\n"
               "  to do:    raise the limit of processes (ulimit -u, the "
               "container's pids) or of memory (ulimit -v), or use fewer "
               "threads (OMP_NUM_THREADS)\n",
               program_name, why);
  return kIo;
}

// "4000 bytes were asked for", or else the first line.
std::string WhatMemory(const std::string& text) {
  constexpr char kAsked[] = "ried to allocate ";  // "you tried", CUDA's "Tried"
  const size_t at = text.find(kAsked);
  if (at == std::string::npos) return text.substr(0, text.find('\n'));
  const size_t begin = at + sizeof(kAsked) - 1;
  return text.substr(begin, text.find(". ", begin) - begin) + " were asked for";
}

// An exception that nobody catches: of a thread, or out of a parallel region.
[[noreturn]] void EndByException() {
  static volatile sig_atomic_t entered = 0;
  if (entered != 0) {
    while (true) ::pause();  // another thread is telling
  }
  entered = 1;
  int code = static_cast<int>(ExitCode::kInternal);
  if (std::current_exception() != nullptr) {
    try {
      throw;
    } catch (...) {
      code = ReportException();
    }
  } else {
    std::fprintf(stderr, "%s: internal error: terminate was called\n",
                 program_name);
  }
  ::_exit(code);
}

bool main_has_ended = false;

// A library called exit(), as OpenMP's does where it gets no threads: it has
// said why.
void OnExit(int status, void*) {
  if (main_has_ended || status != EXIT_FAILURE) return;
  std::fprintf(stderr,
               "%s: a library ended the program and said why above; often no "
               "thread or no memory can be had\n"
               "  to do:    raise the limits (ulimit -u, ulimit -v, those of "
               "the container), or use fewer threads (OMP_NUM_THREADS)\n",
               program_name);
  ::_exit(kIo);
}

}  // namespace

const std::vector<ProcessEnd>& ProcessEnds() {
  static const auto* const ends = new std::vector<ProcessEnd>{
      {"SIGINT", SIGINT, 130,
       "training and evaluation save first; a second one ends them at once"},
      {"SIGTERM", SIGTERM, 143, "as SIGINT"},
      {"SIGHUP", SIGHUP, 143, "as SIGTERM; nothing under nohup"},
      {"SIGXCPU", SIGXCPU, 143, "as SIGTERM (`ulimit -t`)"},
      {"SIGQUIT", SIGQUIT, 131, "ends at once, nothing is saved"},
      {"SIGPIPE", SIGPIPE, 141,
       "ends without a word where standard output has no reader; what works "
       "for files goes on"},
      {"SIGXFSZ", SIGXFSZ, 5, "the write fails, the message names the file"},
      {"file size", 0, 5, "`ulimit -f`, a quota, a full disk: as SIGXFSZ"},
      {"open files", 0, 5, "`ulimit -n`: the message names the file"},
      {"memory", 0, 5, "`ulimit -v`, a size that no memory holds"},
      {"threads", 0, 5, "`ulimit -u`, a container's pids"},
      {"SIGKILL", SIGKILL, 137,
       "cannot be caught: the kernel, where memory runs out, or an operator"},
      {"SIGABRT", SIGABRT, 134, "a bug, here or in a library"},
      {"SIGBUS", SIGBUS, 135, "a file shrank while it was read, or the disk"},
      {"SIGSEGV", SIGSEGV, 139, "a bug, or `ulimit -s`"},
  };
  return *ends;
}

int ExitCodeOfStop(int signal) {
  switch (signal) {
    case SIGINT:
      return static_cast<int>(ExitCode::kInterrupted);
    case SIGTERM:
    case SIGHUP:
    case SIGXCPU:
      return static_cast<int>(ExitCode::kPreempted);
    default:
      return 128 + signal;
  }
}

const char* SignalName(int signal) {
  switch (signal) {
    case SIGINT:
      return "SIGINT";
    case SIGTERM:
      return "SIGTERM";
    case SIGHUP:
      return "SIGHUP";
    case SIGXCPU:
      return "SIGXCPU (the limit of CPU time)";
    case SIGQUIT:
      return "SIGQUIT";
    default:
      return "a signal";
  }
}

bool IsIgnored(int signal) {
  struct sigaction action = {};
  ::sigaction(signal, nullptr, &action);
  return action.sa_handler == SIG_IGN;
}

void CatchEndSignals(const char* program) {
  std::snprintf(program_name, sizeof(program_name), "%s", program);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGXCPU, SIGQUIT}) {
    Catch(signal, EndAtOnce);
  }
  Catch(SIGPIPE, OnBrokenPipe);
  Catch(SIGXFSZ, Nothing);  // the write fails with EFBIG
  std::set_terminate(EndByException);
  ::on_exit(OnExit, nullptr);
}

void OutliveReaders(const std::string& log_path) {
  std::snprintf(reader_log, sizeof(reader_log), "%s", log_path.c_str());
  struct sigaction action = {};
  action.sa_handler = OnBrokenPipeOfLog;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGPIPE, &action, nullptr);
}

int ReportException() {
  try {
    throw;
  } catch (const Error& error) {
    std::fprintf(stderr, "%s: %s\n", program_name, error.what());
    return static_cast<int>(error.code());
  } catch (const std::bad_alloc&) {
    return ReportNoMemory("");
  } catch (const std::length_error& error) {
    return ReportNoMemory(std::string("a size that no memory holds (") +
                          error.what() + ")");
  } catch (const std::system_error& error) {
    if (error.code() == std::errc::resource_unavailable_try_again) {
      return ReportNoThread(error.what());
    }
    // The system's; one about a file (of std::filesystem) names it.
    std::fprintf(stderr, "%s: %s\n", program_name, error.what());
    return kIo;
  } catch (const std::exception& error) {
    if (IsAboutMemory(error.what())) {
      return ReportNoMemory(WhatMemory(error.what()));
    }
    std::fprintf(stderr, "%s: internal error: %s\n", program_name,
                 error.what());
  } catch (...) {
    std::fprintf(stderr, "%s: internal error: an unknown exception\n",
                 program_name);
  }
  return static_cast<int>(ExitCode::kInternal);
}

int CloseOutput(int code) {
  main_has_ended = true;
  errno = 0;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
  if (output_was_moved != 0) return code;  // OutliveReaders()
  if (errno == EPIPE || HasNoReader(STDOUT_FILENO)) {
    return code != 0 ? code : ExitCodeOfStop(SIGPIPE);
  }
  std::fprintf(stderr, "%s: can't write to the standard output: %s\n",
               program_name,
               errno != 0 ? std::strerror(errno) : "it failed before");
  return code != 0 ? code : kIo;
}

}  // namespace t2t
