#include "t2t/base/process_end.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

constexpr char kProgram[] = "t2t/base/ending_program";

struct Ended {
  int code;  // as a shell has it: 128 + signal
  std::string output;
};

// A program with its output in a file, unless set_up puts it elsewhere.
class Running {
 public:
  Running(const std::vector<std::string>& arguments,
          const std::function<void()>& set_up)
      : output_(JoinPath(MakeTempDirectory("end"), "output")) {
    std::vector<char*> pointers = {const_cast<char*>(kProgram)};
    for (const std::string& argument : arguments) {
      pointers.push_back(const_cast<char*>(argument.c_str()));
    }
    pointers.push_back(nullptr);
    const int output = ::open(output_.c_str(), O_WRONLY | O_CREAT, 0666);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(output, STDOUT_FILENO);
      ::dup2(output, STDERR_FILENO);
      for (const int signal : {SIGPIPE, SIGHUP, SIGXFSZ, SIGINT, SIGQUIT}) {
        ::signal(signal, SIG_DFL);
      }
      set_up();
      ::execv(kProgram, pointers.data());
      ::_exit(127);
    }
    ::close(output);
  }

  void Signal(int signal) const {
    while (ReadFile(output_).find("ready") == std::string::npos) {
      ::usleep(10000);
    }
    ::kill(pid_, signal);
  }

  Ended Wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
            ReadFile(output_)};
  }

 private:
  std::string output_;
  pid_t pid_;
};

Ended RunToEnd(
    const std::vector<std::string>& arguments,
    const std::function<void()>& set_up = [] {}) {
  return Running(arguments, set_up).Wait();
}

void Limit(__rlimit_resource resource, rlim_t limit) {
  const struct rlimit limits = {limit, limit};
  ::setrlimit(resource, &limits);
}

// A pipe that nobody reads, as fd.
void HangUp(int fd) {
  int ends[2];
  if (::pipe(ends) != 0) ::_exit(126);
  ::dup2(ends[1], fd);
  ::close(ends[0]);
  ::close(ends[1]);
}

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

class SignalTest : public testing::TestWithParam<ProcessEnd> {};

TEST_P(SignalTest, EndsWithItsCode) {
  const ProcessEnd& end = GetParam();
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  if (end.signal == SIGSEGV || end.signal == SIGBUS) {
    GTEST_SKIP() << "the sanitizer catches it";
  }
#endif
  const bool is_outlived = end.signal == SIGPIPE || end.signal == SIGXFSZ;
  Running program({"wait"}, [] { Limit(RLIMIT_CORE, 0); });
  program.Signal(end.signal);
  if (is_outlived) {  // it is a call that fails
    ::usleep(100000);
    program.Signal(SIGTERM);
  }
  const Ended ended = program.Wait();
  EXPECT_EQ(ended.code, is_outlived ? 143 : end.code) << ended.output;
  if (end.code != 128 + end.signal || end.signal == SIGINT ||
      end.signal == SIGTERM || end.signal == SIGQUIT) {
    EXPECT_TRUE(Contains(ended.output, "ending_program: stopped by "))
        << ended.output;
  }
}

std::vector<ProcessEnd> Signals() {
  std::vector<ProcessEnd> signals;
  for (const ProcessEnd& end : ProcessEnds()) {
    if (end.signal != 0) signals.push_back(end);
  }
  return signals;
}

INSTANTIATE_TEST_SUITE_P(All, SignalTest, testing::ValuesIn(Signals()),
                         [](const auto& test) { return test.param.cause; });

TEST(ProcessEndTest, DocumentsShowTheTable) {
  for (const char* const file : {"README.md", "docs/faults.md"}) {
    const std::string text = ReadFile(file);
    for (const ProcessEnd& end : ProcessEnds()) {
      const std::string row = "| " + end.cause + " | " +
                              std::to_string(end.code) + " | " + end.meaning +
                              " |\n";
      EXPECT_TRUE(Contains(text, row)) << file << " lacks " << row;
    }
  }
}

TEST(ProcessEndTest, WhatIsIgnoredAtTheStartStaysSo) {  // nohup
  Running program({"wait"}, [] { ::signal(SIGHUP, SIG_IGN); });
  program.Signal(SIGHUP);
  ::usleep(100000);
  program.Signal(SIGTERM);
  EXPECT_TRUE(Contains(program.Wait().output, "stopped by SIGTERM"));
}

TEST(ProcessEndTest, LimitOfFileSizeNamesTheFile) {
  const std::string path = JoinPath(MakeTempDirectory("size"), "much");
  const Ended ended =
      RunToEnd({"write", path}, [] { Limit(RLIMIT_FSIZE, 1 << 20); });
  EXPECT_EQ(ended.code, 5) << ended.output;
  EXPECT_TRUE(Contains(ended.output, path)) << ended.output;
  EXPECT_TRUE(Contains(ended.output, "ulimit -f")) << ended.output;
  EXPECT_TRUE(ListDirectory(DirName(path)).empty());
}

TEST(ProcessEndTest, LimitOfOpenFilesNamesTheFile) {
  const Ended ended =
      RunToEnd({"open", "/etc/passwd"}, [] { Limit(RLIMIT_NOFILE, 32); });
  EXPECT_EQ(ended.code, 5) << ended.output;
  EXPECT_TRUE(Contains(ended.output, "/etc/passwd")) << ended.output;
  EXPECT_TRUE(Contains(ended.output, "ulimit -n")) << ended.output;
}

TEST(ProcessEndTest, LimitOfProcessorTime) {
  // Set low, it is over before the program waits.
  const Ended ended = RunToEnd({"print"}, [] {
    const struct rlimit limits = {1, RLIM_INFINITY};
    ::setrlimit(RLIMIT_CPU, &limits);
    ::dup2(::open("/dev/null", O_WRONLY), STDOUT_FILENO);
  });
  EXPECT_EQ(ended.code, 143) << ended.output;
  EXPECT_TRUE(Contains(ended.output, "the limit of CPU time")) << ended.output;
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(ProcessEndTest, LimitOfMemory) {
  const Ended ended = RunToEnd({"allocate"}, [] { Limit(RLIMIT_AS, 1 << 28); });
  EXPECT_EQ(ended.code, 5) << ended.output;
  EXPECT_TRUE(Contains(ended.output, "out of memory")) << ended.output;
  EXPECT_TRUE(Contains(ended.output, "ulimit -v")) << ended.output;
}

TEST(ProcessEndTest, NoMoreThreads) {  // each has a stack
  const Ended ended = RunToEnd({"start"}, [] { Limit(RLIMIT_AS, 1 << 28); });
  EXPECT_EQ(ended.code, 5) << ended.output;
  EXPECT_TRUE(Contains(ended.output, "ulimit -u")) << ended.output;
}
#endif

TEST(ProcessEndTest, SizeThatNoMemoryHolds) {
  for (const char* const how : {"length", "torch", "allocate_in_thread"}) {
    const Ended ended = RunToEnd({how});
    EXPECT_EQ(ended.code, 5) << ended.output;
    EXPECT_TRUE(Contains(ended.output, "ending_program: out of memory"))
        << ended.output;
    EXPECT_EQ(Contains(ended.output, "4000 bytes were asked for\n"),
              std::string(how) == "torch")
        << ended.output;
    EXPECT_FALSE(Contains(ended.output, "Frames")) << ended.output;
  }
}

TEST(ProcessEndTest, ErrorInThreadHasItsCode) {
  const Ended ended = RunToEnd({"error_in_thread"});
  EXPECT_EQ(ended.code, 3) << ended.output;
  EXPECT_TRUE(Contains(ended.output, "record 7 is damaged")) << ended.output;
}

TEST(ProcessEndTest, LibraryThatCallsExit) {  // as OpenMP's without threads
  const Ended ended = RunToEnd({"exit"});
  EXPECT_EQ(ended.code, 5) << ended.output;
  EXPECT_TRUE(Contains(ended.output, "a library ended")) << ended.output;
}

TEST(ProcessEndTest, StandardOutputWithoutReader) {  // | head
  for (const auto handler : {SIG_DFL, SIG_IGN}) {
    const Ended ended = RunToEnd({"print"}, [handler] {
      ::signal(SIGPIPE, handler);
      HangUp(STDOUT_FILENO);
    });
    EXPECT_EQ(ended.code, 141) << ended.output;
    EXPECT_EQ(ended.output, "");
  }
}

TEST(ProcessEndTest, LogWithoutReaderEndsNothing) {
  const std::string folder = MakeTempDirectory("log");
  const std::string done = JoinPath(folder, "done");
  EXPECT_EQ(RunToEnd({"log", done}, [] { HangUp(STDERR_FILENO); }).code, 0);
  EXPECT_EQ(ReadFile(done), "done");
}

TEST(ProcessEndTest, LogGoesOnInAFile) {
  const std::string folder = MakeTempDirectory("log");
  const std::string done = JoinPath(folder, "done");
  const std::string log = JoinPath(folder, "log.txt");
  const Ended ended = RunToEnd({"outlive", done, log}, [] {
    HangUp(STDOUT_FILENO);
    HangUp(STDERR_FILENO);
  });
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(ReadFile(done), "done");
  const std::string text = ReadFile(log);
  EXPECT_TRUE(Contains(text, "ending_program: nobody reads the log"));
  EXPECT_TRUE(Contains(text, "output 999\n"));
  EXPECT_TRUE(EndsWith(text, "line 999\n")) << text;
  // A folder that is not there: it works all the same.
  RemoveFile(done);
  EXPECT_EQ(RunToEnd({"outlive", done, "/no/such/log.txt"},
                     [] { HangUp(STDERR_FILENO); })
                .code,
            0);
  EXPECT_EQ(ReadFile(done), "done");
}

TEST(ProcessEndTest, HelpIntoAFullDisk) {
  EXPECT_EQ(RunToEnd({"--help"}).code, 0);
  const Ended ended = RunToEnd(
      {"--help"}, [] { ::dup2(::open("/dev/full", O_WRONLY), STDOUT_FILENO); });
  EXPECT_EQ(ended.code, 5);
  EXPECT_TRUE(Contains(ended.output, "No space left")) << ended.output;
}

}  // namespace
}  // namespace t2t
