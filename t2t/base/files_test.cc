// What several processes share, and what a person names to be written.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "t2t/base/build_lock.h"
#include "t2t/base/error.h"
#include "t2t/base/file_lock.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/output_file.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

ExitCode CodeOf(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.code();
  }
  return ExitCode::kOk;
}

class FilesTest : public testing::Test {
 protected:
  std::string Path(const std::string& name) const {
    return JoinPath(dir_, name);
  }

  const std::string dir_ = MakeTempDirectory("files");
};

// Runs body in a process of its own and kills that when it has written a line.
void RunAndKill(const std::function<void()>& body) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    body();
    [[maybe_unused]] const ssize_t written = ::write(ends[1], "\n", 1);
    ::pause();
    ::_exit(0);
  }
  char byte;
  ASSERT_EQ(::read(ends[0], &byte, 1), 1);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_F(FilesTest, TwoWritersOfOneNameDoNotMeet) {
  AtomicWriter first(Path("a"));
  AtomicWriter second(Path("a"));
  first.Write("first");
  second.Write("second");
  EXPECT_EQ(ListDirectory(dir_).size(), 2U);
  second.Commit();
  EXPECT_EQ(ReadFile(Path("a")), "second");
  first.Commit();
  EXPECT_EQ(ReadFile(Path("a")), "first");
  EXPECT_EQ(ListDirectory(dir_).size(), 1U);
}

TEST_F(FilesTest, TemporariesAreKnownByTheirNames) {
  const AtomicWriter writer(Path("vocab.p.subwords"));
  ASSERT_EQ(ListDirectory(dir_).size(), 1U);
  EXPECT_TRUE(IsTemporaryName(ListDirectory(dir_)[0]));
  for (const char* const name : {"vocab.p.subwords", "out-100", ".tmp-", "a"}) {
    EXPECT_FALSE(IsTemporaryName(name)) << name;
  }
}

TEST_F(FilesTest, ALongNameHasATemporaryToo) {
  const std::string name(255, 'n');
  WriteFileAtomically(Path(name), "x");
  EXPECT_EQ(ReadFile(Path(name)), "x");
}

TEST_F(FilesTest, LeftoversOfTheKilledAreRemovedAndNoOthers) {
  RunAndKill([&] {
    auto* const dead = new AtomicWriter(Path("p-train-00000-of-00001"));
    dead->Write("half");
    new AtomicWriter(Path("p_tune-train-00000-of-00001"));
    new AtomicWriter(Path("vocab.p.8.subwords"));
  });
  AtomicWriter alive(Path("p-dev-00000-of-00001"));
  const std::string another =
      "p-train-00000-of-00001.tmp-00000000-0123456789abcdef";
  for (const std::string& name :
       {another, std::string("p-x.tmp-123"), std::string("p.tmp-")}) {
    WriteFileAtomically(Path(name), "x");
  }
  ASSERT_EQ(ListDirectory(dir_).size(), 7U);
  // Another host may be writing it still.
  EXPECT_THAT(RemoveLeftovers(dir_, "p"), testing::ElementsAre(Path(another)));
  const std::vector<std::string> left = ListDirectory(dir_);
  EXPECT_EQ(left.size(), 6U) << Join(left, " ");
  EXPECT_THAT(left, testing::Contains(testing::StartsWith("p_tune-train")));
  RemoveLeftovers(dir_, "");
  EXPECT_EQ(ListDirectory(dir_).size(), 4U);
  alive.Commit();
  EXPECT_TRUE(Exists(Path("p-dev-00000-of-00001")));
}

TEST_F(FilesTest, AScratchFileHasNoName) {
  std::FILE* const file = OpenScratchFile(dir_);
  EXPECT_EQ(std::fputs("text", file), 1);
  std::rewind(file);
  char text[5] = "";
  EXPECT_EQ(std::fread(text, 1, 5, file), 4U);
  EXPECT_THAT(ListDirectory(dir_), testing::IsEmpty());
  std::fclose(file);
}

TEST_F(FilesTest, OneBuildsAndTheOthersWait) {
  for (const bool file_locks : {true, false}) {
    std::atomic<int> inside{0};
    std::atomic<int> most{0};
    std::vector<std::thread> threads;
    // (Without the kernel's locks two that start at once may both build.)
    for (int i = 0; i < (file_locks ? 8 : 1); ++i) {
      threads.emplace_back([&] {
        BuildLock::Options options;
        options.file_locks = file_locks;
        const BuildLock lock(Path("x.lock"), "x", options);
        most = std::max<int>(most, ++inside);
        ::usleep(2000);
        --inside;
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(most, 1);
    EXPECT_THAT(ListDirectory(dir_), testing::IsEmpty());
  }
}

TEST_F(FilesTest, TheLockOfAKilledBuilderIsFreeAtOnce) {
  RunAndKill([&] { new BuildLock(Path("x.lock"), "x"); });
  EXPECT_TRUE(Exists(Path("x.lock")));
  RunAndKill([&] { new BuildLock(Path("y.lock"), "y"); });
  RemoveUnusedBuildLock(Path("y.lock"));
  EXPECT_FALSE(Exists(Path("y.lock")));
  const double start = NowSeconds();
  {
    const BuildLock lock(Path("x.lock"), "x");
    RemoveUnusedBuildLock(Path("x.lock"));
    EXPECT_TRUE(Exists(Path("x.lock")));
  }
  EXPECT_LT(NowSeconds() - start, 5);
  EXPECT_FALSE(Exists(Path("x.lock")));
}

TEST_F(FilesTest, ABuilderOfAnotherHostIsWaitedForAndASilentOneNot) {
  BuildLock::Options options;
  options.silence_seconds = 0.8;
  const auto record = [](int beat) {
    return Format("%020d\ntoken\nanother boot\npid 1 on host b\n", beat);
  };
  // It lives for a while on a host whose locks don't reach here.
  WriteFileAtomically(Path("x.lock"), record(0));
  std::thread another([&] {
    for (int beat = 1; beat < 8; ++beat) {
      ::usleep(200000);
      WriteFileAtomically(Path("x.lock"), record(beat));
    }
  });
  const double start = NowSeconds();
  const BuildLock lock(Path("x.lock"), "x", options);
  EXPECT_GT(NowSeconds() - start, 1.4 + 0.7);
  another.join();
}

TEST_F(FilesTest, AStoppedBuilderIsTakenOver) {
  BuildLock::Options options;
  options.silence_seconds = 0.5;
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    {
      const BuildLock lock(Path("x.lock"), "x", options);
      [[maybe_unused]] ssize_t done = ::write(ends[1], "\n", 1);
      ::raise(SIGSTOP);
      ::usleep(300000);
    }
    ::_exit(0);
  }
  char byte;
  ASSERT_EQ(::read(ends[0], &byte, 1), 1);
  {
    const BuildLock lock(Path("x.lock"), "x", options);
    // Once awake it does not take away what isn't its own any more.
    ::kill(child, SIGCONT);
    ::waitpid(child, nullptr, 0);
    EXPECT_TRUE(Exists(Path("x.lock")));
  }
  EXPECT_THAT(ListDirectory(dir_), testing::IsEmpty());
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_F(FilesTest, LinksAreFollowedToWhatIsWritten) {
  MakeDirectories(Path("far"));
  WriteFileAtomically(Path("far/real"), "old");
  ASSERT_EQ(::symlink("far/real", Path("link").c_str()), 0);
  ASSERT_EQ(::symlink("link", Path("second").c_str()), 0);
  ASSERT_EQ(::symlink("far/none", Path("dangling").c_str()), 0);
  WriteOutput(FindOutput(Path("second")), "new");
  WriteOutput(FindOutput(Path("dangling")), "fresh");
  struct stat info;
  for (const char* const name : {"link", "second", "dangling"}) {
    ASSERT_EQ(::lstat(Path(name).c_str(), &info), 0);
    EXPECT_TRUE(S_ISLNK(info.st_mode)) << name;
  }
  EXPECT_EQ(ReadFile(Path("far/real")), "new");
  EXPECT_EQ(ReadFile(Path("far/none")), "fresh");
  ASSERT_EQ(::symlink("round", Path("round").c_str()), 0);
  EXPECT_EQ(CodeOf([&] { FindOutput(Path("round")); }), ExitCode::kIo);
}

TEST_F(FilesTest, PipesAndDevicesAreWrittenTo) {
  ASSERT_EQ(::mkfifo(Path("pipe").c_str(), 0600), 0);
  std::string read;
  std::thread reader([&] { read = ReadFile(Path("pipe")); });
  const std::string text(200000, 'x');
  WriteOutput(FindOutput(Path("pipe")), text);
  reader.join();
  EXPECT_EQ(read, text);
  struct stat info;
  ASSERT_EQ(::stat(Path("pipe").c_str(), &info), 0);
  EXPECT_TRUE(S_ISFIFO(info.st_mode));

  ASSERT_EQ(::symlink("/dev/null", Path("null").c_str()), 0);
  EXPECT_FALSE(FindOutput(Path("null")).is_file());
  WriteOutput(FindOutput(Path("null")), "x");
  ASSERT_EQ(::stat("/dev/null", &info), 0);
  EXPECT_TRUE(S_ISCHR(info.st_mode));
  ASSERT_EQ(::symlink("/dev/full", Path("full").c_str()), 0);
  EXPECT_EQ(CodeOf([&] { WriteOutput(FindOutput(Path("full")), "x"); }),
            ExitCode::kIo);
}

TEST_F(FilesTest, WhatIsOpenAlreadyIsWrittenWhereItStands) {
  // As in "program --output=/dev/stdout >>file": neither replaced nor cut.
  const int fd = ::open(Path("file").c_str(), O_WRONLY | O_CREAT, 0600);
  ASSERT_EQ(::write(fd, "head ", 5), 5);
  for (const std::string folder : {"/dev/fd/", "/proc/self/fd/"}) {
    WriteOutput(FindOutput(folder + std::to_string(fd)), "more ");
  }
  EXPECT_EQ(ReadFile(Path("file")), "head more more ");
  const OutputPlace place = FindOutput("/dev/fd/" + std::to_string(fd));
  EXPECT_EQ(CodeOf([&] { CheckOutputIsNoInput(place, {Path("file")}); }),
            ExitCode::kUsage);
  ::close(fd);
  EXPECT_EQ(CodeOf([&] { FindOutput("/dev/fd/987"); }), ExitCode::kIo);
  EXPECT_FALSE(FindOutput("/dev/stdout").is_file());
  EXPECT_FALSE(FindOutput("-").is_file());
}

TEST_F(FilesTest, AnOutputThatCanNotBeIsSaidAtOnce) {
  EXPECT_EQ(CodeOf([&] { FindOutput(dir_); }), ExitCode::kUsage);
  EXPECT_EQ(CodeOf([&] { FindOutput(Path("none/")); }), ExitCode::kUsage);
  EXPECT_EQ(CodeOf([&] { FindOutput(Path("none/out")); }), ExitCode::kMissing);
  FindOutput(Path("some/out"), /*make_folder=*/true);
  EXPECT_TRUE(IsDirectory(Path("some")));
  EXPECT_NE(CodeOf([&] { FindOutput("/proc/out"); }), ExitCode::kOk);
  EXPECT_THAT(ListDirectory(Path("some")), testing::IsEmpty());
}

TEST_F(FilesTest, AnOutputIsNotWrittenOverItsInput) {
  WriteFileAtomically(Path("in"), "x");
  ASSERT_EQ(::symlink("in", Path("link").c_str()), 0);
  ASSERT_EQ(::link(Path("in").c_str(), Path("second").c_str()), 0);
  for (const char* const name : {"in", "link", "second"}) {
    EXPECT_EQ(CodeOf([&] {
                CheckOutputIsNoInput(FindOutput(Path(name)), {Path("in")});
              }),
              ExitCode::kUsage)
        << name;
  }
  CheckOutputIsNoInput(FindOutput(Path("out")), {Path("in"), Path("none")});
  CheckOutputIsNoInput(FindOutput("/dev/null"), {"/dev/null"});
}

}  // namespace
}  // namespace t2t
