#include "t2t/checkpoint/output_lock.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

OutputLock::Options Silence(double seconds, bool file_locks = true) {
  OutputLock::Options options;
  options.silence_seconds = seconds;
  options.file_locks = file_locks;
  return options;
}

std::string MessageOf(const std::function<void()>& body, ExitCode code) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

// Another process. The body says where it is by Tell(), a letter at a time.
class Child {
 public:
  using Tell = std::function<void(char)>;

  explicit Child(const std::function<int(const Tell&)>& body) {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(ends[0]);
      int code = 1;
      try {
        code = body([&](char letter) {
          if (::write(ends[1], &letter, 1) != 1) ::_exit(1);
        });
      } catch (const Error& error) {
        code = static_cast<int>(error.code());
      }
      ::_exit(code);
    }
    ::close(ends[1]);
    from_ = ends[0];
  }
  ~Child() {
    if (!ended_) {
      Signal(SIGKILL);
      Wait();
    }
    ::close(from_);
  }

  // The next letter; '.' at the end.
  char Hear() const {
    char letter = '.';
    return ::read(from_, &letter, 1) == 1 ? letter : '.';
  }
  void Signal(int signal) const { ::kill(pid_, signal); }
  int Wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    ended_ = true;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
  int from_;
  bool ended_ = false;
};

class OutputLockTest : public ::testing::Test {
 protected:
  void TearDown() override { RemoveTree(base_); }

  const std::string base_ = MakeTempDirectory("lock");
  const std::string dir_ = JoinPath(base_, "out");
};

TEST_F(OutputLockTest, OneAtATime) {
  auto first = OutputLock::Acquire(dir_, Silence(0.4));
  const double start = NowSeconds();
  const std::string message = MessageOf(
      [&] { OutputLock::Acquire(dir_, Silence(0.4)); }, ExitCode::kRetry);
  EXPECT_NE(message.find(dir_ + ": pid " + std::to_string(::getpid())),
            std::string::npos)
      << message;
  EXPECT_GE(NowSeconds() - start, 0.4);
  EXPECT_FALSE(first->lost());
  // One that ends is waited for.
  std::thread ends([&] {
    ::usleep(200'000);
    first.reset();
  });
  const auto second = OutputLock::Acquire(dir_, Silence(10));
  ends.join();
  EXPECT_TRUE(Exists(JoinPath(dir_, "writer.lock")));
}

TEST_F(OutputLockTest, NothingIsLeft) {
  OutputLock::Acquire(dir_, Silence(1)).reset();
  EXPECT_FALSE(Exists(dir_));
  MakeDirectories(dir_);
  {
    const auto lock = OutputLock::Acquire(dir_, Silence(1));
    WriteFileAtomically(JoinPath(dir_, "a"), "1");
    MakeDirectories(JoinPath(dir_, "best"));
    WriteFileAtomically(JoinPath(dir_, "best/a"), "2");
    // Elsewhere, as always.
    WriteFileAtomically(JoinPath(base_, "a"), "3");
  }
  EXPECT_EQ(ListDirectory(dir_), (std::vector<std::string>{"a", "best"}));
  EXPECT_EQ(ReadFile(JoinPath(dir_, "best/a")), "2");
  EXPECT_EQ(ListDirectory(base_), (std::vector<std::string>{"a", "out"}));
}

TEST_F(OutputLockTest, AKilledOwnerHoldsNobody) {
  for (int i = 0; i < 3; ++i) {
    Child child([&](const Child::Tell& tell) {
      const auto lock = OutputLock::Acquire(dir_, Silence(60));
      AtomicWriter writer(JoinPath(dir_, "half"));
      tell('a');
      ::pause();
      return 0;
    });
    ASSERT_EQ(child.Hear(), 'a');
    child.Signal(SIGKILL);
    child.Wait();
  }
  const double start = NowSeconds();
  const auto lock = OutputLock::Acquire(dir_, Silence(60));
  EXPECT_LT(NowSeconds() - start, 5);
  // What it had half-written is gone; this process's own folder is there.
  EXPECT_EQ(ListDirectory(dir_).size(), 2u);
}

// Whatever a stopped owner was doing, it does no more of it when it goes on:
// here it is stopped with a file written, before its rename.
TEST_F(OutputLockTest, AStoppedOwnerIsTakenOver) {
  for (const bool file_locks : {true, false}) {
    RemoveTree(dir_);
    Child child([&](const Child::Tell& tell) {
      OutputLock::Options options = Silence(0.4, file_locks);
      bool told = false;
      options.on_loss = [&](const std::string&) { told = true; };
      auto lock = OutputLock::Acquire(dir_, options);
      WriteFileAtomically(JoinPath(dir_, "before"), "old");
      AtomicWriter writer(JoinPath(dir_, "during"));
      writer.Write("old");
      tell('a');
      ::raise(SIGSTOP);
      MessageOf([&] { writer.Commit(); }, ExitCode::kRetry);
      const std::string message = MessageOf(
          [&] { WriteFileAtomically(JoinPath(dir_, "after"), "old"); },
          ExitCode::kRetry);
      EXPECT_NE(message.find("taken over " + dir_), std::string::npos)
          << message;
      while (!lock->lost()) ::usleep(1000);
      lock.reset();
      EXPECT_TRUE(told);
      return ::testing::Test::HasFailure() ? 1 : 0;
    });
    ASSERT_EQ(child.Hear(), 'a');
    ::testing::internal::CaptureStderr();
    const double start = NowSeconds();
    const auto lock = OutputLock::Acquire(dir_, Silence(0.4, file_locks));
    EXPECT_GE(NowSeconds() - start, 0.4);
    EXPECT_NE(::testing::internal::GetCapturedStderr().find(
                  "pid " + std::to_string(child.pid())),
              std::string::npos);
    WriteFileAtomically(JoinPath(dir_, "during"), "new");
    child.Signal(SIGCONT);
    EXPECT_EQ(child.Wait(), 0);
    EXPECT_EQ(ReadFile(JoinPath(dir_, "before")), "old");
    EXPECT_EQ(ReadFile(JoinPath(dir_, "during")), "new");
    EXPECT_FALSE(Exists(JoinPath(dir_, "after")));
    // The old one, when it ended, took nothing away.
    ::usleep(200'000);
    EXPECT_FALSE(lock->lost());
    WriteFileAtomically(JoinPath(dir_, "after"), "new");
    // The new one is guarded as the old one was.
    MessageOf([&] { OutputLock::Acquire(dir_, Silence(0.2, file_locks)); },
              ExitCode::kRetry);
  }
}

TEST_F(OutputLockTest, WhoLosesItEnds) {
  Child child([&](const Child::Tell& tell) {
    const auto lock = OutputLock::Acquire(dir_, Silence(0.4));
    tell('a');
    ::pause();
    return 0;
  });
  ASSERT_EQ(child.Hear(), 'a');
  RemoveFile(JoinPath(dir_, "writer.lock"));
  EXPECT_EQ(child.Wait(), 138);
}

// The kernel's lock may be had where the owner is on another machine.
TEST_F(OutputLockTest, AnOwnerOnAnotherMachine) {
  MakeDirectories(dir_);
  const std::string path = JoinPath(dir_, "writer.lock");
  const auto write = [&](int beat) {
    char line[32];
    std::snprintf(line, sizeof(line), "%020d\n", beat);
    WriteFileAtomically(
        path, std::string(line) + "0123\nanother boot\npid 7 on host far\n1\n");
  };
  write(3);
  std::atomic<bool> end{false};
  std::thread beats([&] {
    for (int beat = 4; !end; ++beat) {
      ::usleep(100'000);
      const int fd = ::open(path.c_str(), O_WRONLY);
      char line[32];
      const int size = std::snprintf(line, sizeof(line), "%020d\n", beat);
      EXPECT_EQ(::pwrite(fd, line, size, 0), size);
      ::close(fd);
    }
  });
  const std::string message = MessageOf(
      [&] { OutputLock::Acquire(dir_, Silence(0.3)); }, ExitCode::kRetry);
  EXPECT_NE(message.find("pid 7 on host far"), std::string::npos) << message;
  end = true;
  beats.join();
  const double start = NowSeconds();
  const auto lock = OutputLock::Acquire(dir_, Silence(0.3));
  // By the longer of the two's limits.
  EXPECT_GE(NowSeconds() - start, 1);
}

// Several begin at once where there are no locks. One may take over from
// another that has only just begun, but then the other writes no more: who got
// the lock later saw all that the other ever wrote.
TEST_F(OutputLockTest, ManyAtOnceWithoutLocks) {
  constexpr int kRounds = 6;
  int writers = 0;
  for (int round = 0; round < kRounds; ++round) {
    RemoveTree(dir_);
    MakeDirectories(dir_);
    const double start = NowSeconds() + 0.03;
    std::vector<std::unique_ptr<Child>> children;
    for (int i = 0; i < 4; ++i) {
      children.push_back(std::make_unique<Child>([&](const Child::Tell&) {
        OutputLock::Options options = Silence(0.3, /*file_locks=*/false);
        options.on_loss = [](const std::string&) {};
        while (NowSeconds() < start) {
        }
        const auto lock = OutputLock::Acquire(dir_, options);
        const std::string seen = Join(ListDirectory(dir_), "\n");
        WriteFileAtomically(JoinPath(dir_, std::to_string(::getpid())), seen);
        // Still its owner when the others give up.
        ::usleep(600'000);
        return 0;
      }));
    }
    for (const auto& child : children) {
      const int code = child->Wait();
      EXPECT_TRUE(code == 0 || code == 138) << code;
    }
    std::map<std::string, std::string> seen;
    for (const std::string& name : ListDirectory(dir_)) {
      if (name.find_first_not_of("0123456789") == std::string::npos) {
        seen[name] = ReadFile(JoinPath(dir_, name));
      }
    }
    for (const auto& [a, a_saw] : seen) {
      for (const auto& [b, b_saw] : seen) {
        EXPECT_TRUE(a == b || a_saw.find(b) != std::string::npos ||
                    b_saw.find(a) != std::string::npos);
      }
    }
    writers += static_cast<int>(seen.size());
  }
  std::printf("4 at once without locks, %d times: %d wrote, none at once\n",
              kRounds, writers);
}

TEST_F(OutputLockTest, AnEmptyOrBrokenRecordHoldsNobody) {
  MakeDirectories(dir_);
  for (const char* const text : {"", "\n", "00000000000000000003\n0123\n"}) {
    WriteFileAtomically(JoinPath(dir_, "writer.lock"), text);
    const double start = NowSeconds();
    OutputLock::Acquire(dir_, Silence(60));
    EXPECT_LT(NowSeconds() - start, 5);
  }
}

TEST_F(OutputLockTest, AFolderThatCanNotBe) {
  WriteFileAtomically(dir_, "a file");
  EXPECT_NE(
      MessageOf([&] { OutputLock::Acquire(dir_, Silence(1)); }, ExitCode::kIo)
          .find(dir_),
      std::string::npos);
  // Gives up when asked to.
  RemoveFile(dir_);
  const auto lock = OutputLock::Acquire(dir_, Silence(10));
  OutputLock::Options options = Silence(10);
  options.while_waiting = [] { throw Error(ExitCode::kPreempted, "asked to"); };
  MessageOf([&] { OutputLock::Acquire(dir_, options); }, ExitCode::kPreempted);
}

}  // namespace
}  // namespace t2t
