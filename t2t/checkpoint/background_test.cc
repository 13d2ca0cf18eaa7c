#include "t2t/checkpoint/background.h"

#include <gtest/gtest.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/progress.h"
#include "t2t/base/strings.h"
#include "t2t/checkpoint/safetensors.h"

namespace t2t {
namespace {

TEST(BackgroundJobTest, OneAtATime) {
  std::atomic<int> running{0};
  int most = 0;  // written by one job after the other
  int done = 0;
  {
    BackgroundJob background;
    for (int i = 0; i < 50; ++i) {
      background.Start([&] {
        most = std::max(most, ++running);
        std::this_thread::yield();
        ++done;
        --running;
      });
    }
  }
  EXPECT_EQ(most, 1);
  EXPECT_EQ(done, 50);
}

TEST(BackgroundJobTest, ErrorsComeOut) {
  BackgroundJob background;
  const auto fail = [] { throw UsageError("no such luck"); };
  background.Start(fail);
  EXPECT_THROW(background.Wait(), Error);
  background.Wait();  // once
  background.Start(fail);
  EXPECT_THROW(background.Start([] {}), Error);
  background.Start(fail);
  const auto until_it_throws = [&] {
    for (int i = 0; i < 10'000; ++i) {
      background.ThrowIfFailed();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  };
  EXPECT_THROW(until_it_throws(), Error);
  background.ThrowIfFailed();
}

TEST(BackgroundJobTest, AnErrorNobodyAskedForIsPrinted) {
  ::testing::internal::CaptureStderr();
  {
    BackgroundJob background;
    background.Start([] { throw UsageError("no such luck"); });
  }
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("no such luck"),
            std::string::npos);
}

// Each line is rewritten in its place: one that is too long would scroll.
TEST(ProgressTest, LineFitsTheTerminal) {
  int master = -1;
  int terminal = -1;
  const struct winsize size = {24, 60, 0, 0};
  ASSERT_EQ(::openpty(&master, &terminal, nullptr, nullptr, &size), 0);
  const int saved = ::dup(STDERR_FILENO);
  ::dup2(terminal, STDERR_FILENO);
  {
    Progress progress(0, 1000);
    progress.Report(10, 1.0, 0.1, 123456, /*due=*/true,
                    "  in 0% fw 52% bw 44% opt 1% and more");
  }
  ::dup2(saved, STDERR_FILENO);
  ::close(saved);
  char buffer[1000];
  const ssize_t count = ::read(master, buffer, sizeof(buffer));
  ::close(master);
  ::close(terminal);
  ASSERT_GT(count, 0);
  std::string line(buffer, static_cast<size_t>(count));
  ASSERT_TRUE(StartsWith(line, "\r\033[KETA ")) << line;
  line = line.substr(4, line.find_first_of("\r\n", 4) - 4);
  EXPECT_EQ(line.size(), 59u) << line;
  EXPECT_NE(line.find("step 10/1,000"), std::string::npos) << line;
}

// What the checkpoint writer does, without torch, for ThreadSanitizer: files
// are written in the background out of buffers that are filled again as soon
// as a write is over, while lines of progress are printed.
TEST(BackgroundJobTest, WritesFilesWhileProgressIsPrinted) {
  const std::string dir = MakeTempDirectory("background");
  BackgroundJob background;
  std::vector<float> buffer(10'000);
  constexpr int kFiles = 20;
  const auto path = [&](int i) {
    return JoinPath(dir, std::to_string(i) + ".safetensors");
  };
  ::testing::internal::CaptureStderr();
  {
    Progress progress(0, kFiles);
    for (int i = 0; i < kFiles; ++i) {
      background.Wait();
      buffer.assign(buffer.size(), static_cast<float>(i));
      background.Start([&, i] {
        const std::string_view bytes(
            reinterpret_cast<const char*>(buffer.data()),
            buffer.size() * sizeof(float));
        WriteSafetensorsFile(
            path(i),
            {{"x", "F32", {static_cast<int64_t>(buffer.size())}, bytes}}, {});
        VerifySafetensorsFile(path(i));
        Log("written");
      });
      progress.Report(i + 1, 1.0, 0.1, 100, /*due=*/true);
    }
  }
  background.Wait();
  ::testing::internal::GetCapturedStderr();
  for (int i = 0; i < kFiles; ++i) {
    const SafetensorsFile file(path(i));
    file.Read(file.header().entries.front(), buffer.data());
    EXPECT_EQ(buffer, std::vector<float>(buffer.size(), i));
  }
  RemoveTree(dir);
}

}  // namespace
}  // namespace t2t
