#include "t2t/distributed/launcher.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <string>
#include <vector>

#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/base/subprocess.h"

namespace t2t {
namespace {

std::vector<std::string> Command(int ranks, const std::string& mode) {
  return {"t2t/distributed/launcher_program", std::to_string(ranks), mode};
}

int Count(const std::string& text, const std::string& part) {
  int count = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++at) {
    ++count;
  }
  return count;
}

TEST(LauncherTest, EachRankFindsItsPlace) {
  const RunResult run = RunProgram(Command(3, "hello"));
  EXPECT_EQ(run.code, 0) << run.output;
  for (int rank = 0; rank < 3; ++rank) {
    const std::string r = std::to_string(rank);
    EXPECT_EQ(Count(run.output, "[rank " + r + "] I am " + r +
                                    " of 3, locally " + r + "\n"),
              1)
        << run.output;
    EXPECT_EQ(Count(run.output, "[rank " + r + "] no newline\n"), 1)
        << run.output;
    // For programs such as Katib's collector.
    EXPECT_EQ(
        Count("\n" + run.output, "\nt2t-metric: loss=" + r + ".5 step=1\n"), 1)
        << run.output;
  }
}

TEST(LauncherTest, AllEndWhereOneEndsBadly) {
  const double start = NowSeconds();
  RunResult run = RunProgram(Command(3, "fail"));
  EXPECT_EQ(run.code, 3) << run.output;
  EXPECT_NE(run.output.find("rank 1 ended with code 3"), std::string::npos);
  run = RunProgram(Command(2, "killed"));
  EXPECT_EQ(run.code, 138) << run.output;
  EXPECT_NE(run.output.find("rank 1 was ended by SIGKILL"), std::string::npos);
  run = RunProgram(Command(2, "retry"));
  EXPECT_EQ(run.code, 138) << run.output;
  run = RunProgram(Command(2, "crash"));
  EXPECT_EQ(run.code, 1) << run.output;
  // The others' code for a lost rank doesn't hide the reason.
  run = RunProgram(Command(4, "follow"));
  EXPECT_EQ(run.code, 3) << run.output;
  EXPECT_LT(NowSeconds() - start, 20);
}

TEST(LauncherTest, StartsAgain) {
  std::vector<std::string> command = Command(4, "shrink");
  command.push_back("1");
  RunResult run = RunProgram(command);
  EXPECT_EQ(run.code, 0) << run.output;
  for (const char* const text : {"] 3 of 4", "] 2 of 3", "] 1 of 2"}) {
    EXPECT_EQ(Count(run.output, text), 1) << text << " in " << run.output;
  }
  // No fewer than three: two restarts do not help.
  command.back() = "3";
  run = RunProgram(command);
  EXPECT_EQ(run.code, 138) << run.output;
  EXPECT_EQ(Count(run.output, "] 2 of 3"), 2) << run.output;
  // What retrying does not help is not retried.
  command = Command(2, "fail");
  command.push_back("2");
  run = RunProgram(command);
  EXPECT_EQ(run.code, 3) << run.output;
  EXPECT_EQ(Count(run.output, "again"), 0) << run.output;
}

TEST(LauncherTest, PassesSignalsOn) {
  for (const int signal : {SIGTERM, SIGINT}) {
    Subprocess run(Command(2, "wait"));
    while (Count(run.Output(), "ready") < 2 && !run.EndsWithin(0.01)) {
    }
    run.Signal(signal);
    EXPECT_EQ(run.Wait(), 128 + signal) << run.Output();
  }
}

// Whether a process whose command line ends with MODE runs.
bool AnyRuns(const std::string& mode) {
  for (const std::string& name : ListDirectory("/proc")) {
    int64_t pid = 0;
    if (!ParseInt(name, &pid)) continue;
    try {
      const std::string line = ReadFile("/proc/" + name + "/cmdline");
      if (line.find("launcher_program") != std::string::npos &&
          EndsWith(line, std::string("7\0", 2) + mode + std::string(1, '\0'))) {
        return true;
      }
    } catch (const std::exception&) {
      // It has ended in between.
    }
  }
  return false;
}

TEST(LauncherTest, RanksDoNotOutliveTheLauncher) {
  Subprocess run(Command(7, "wait"));
  while (Count(run.Output(), "ready") < 7 && !run.EndsWithin(0.01)) {
  }
  EXPECT_TRUE(AnyRuns("wait"));
  run.Signal(SIGKILL);
  run.Wait();
  const double start = NowSeconds();
  while (AnyRuns("wait") && NowSeconds() - start < 10) {
  }
  EXPECT_FALSE(AnyRuns("wait"));
}

}  // namespace
}  // namespace t2t
