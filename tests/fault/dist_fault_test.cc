// Training with several ranks, started by --worker_cpu: the same bits at any
// number of them, and whatever is done to them.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "t2t/base/crc32c.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/base/subprocess.h"
#include "t2t/checkpoint/checkpoint.h"
#include "t2t/distributed/socket.h"
#include "tests/fault/dist_fault_testing.h"
#include "tests/fault/kill_times.h"

namespace t2t {
namespace {

TEST(DistFaultTest, TheSameBitsWithAnyNumberOfRanks) {
  const World& world = TheWorld();
  ExpectSameEnd("two");
  for (const int64_t ranks : {3, 4}) {
    const std::string name = "ranks" + std::to_string(ranks);
    std::vector<std::string> command = TrainCommand(world.dir, name, ranks);
    command.push_back(ranks == 4 ? "--zero_stage=2" : "--zero_stage=3");
    const RunResult run = RunProgram(command);
    ASSERT_EQ(run.code, 0) << run.output;
    EXPECT_NE(run.output.find("[rank 0] "), std::string::npos) << run.output;
    ExpectSameEnd(name);
  }
}

TEST(DistFaultTest, AnotherNumberOfRanksAtEachRestart) {
  const World& world = TheWorld();
  int64_t steps = 0;
  for (const int64_t ranks : {1, 2, 4, 3, 1}) {
    steps += 4;
    const RunResult run =
        RunProgram(TrainCommand(world.dir, "changing", ranks, steps));
    ASSERT_EQ(run.code, 0) << run.output;
  }
  ExpectSameEnd("changing");
}

TEST(DistFaultTest, ARankIsKilledAtRandomMoments) {
  const World& world = TheWorld();
  for (const int64_t ranks : {2, 4}) {
    KillTimes times(world.two_ranks);
    int runs = 0;
    double longest = 0;
    const std::string name = "killed" + std::to_string(ranks) + "_";
    // Four of them share everything out, checkpoints too.
    const auto command = [&](const std::string& output_dir) {
      std::vector<std::string> all = TrainCommand(world.dir, output_dir, ranks);
      if (ranks == 4) {
        all.push_back("--zero_stage=3");
        all.push_back("--sharded_checkpoints");
      }
      return all;
    };
    while (times.kills() < KillsWanted(2)) {
      const std::string output_dir = name + std::to_string(runs);
      Subprocess run(command(output_dir));
      if (times.Await(&run, JoinPath(world.dir, output_dir))) {
        const std::vector<pid_t> all = Ranks(run);
        if (static_cast<int64_t>(all.size()) == ranks) {
          const size_t victim = times.Draw(all.size());
          ::kill(all[victim], SIGKILL);
          const double start = NowSeconds();
          const int code = run.Wait();
          // It may have ended just before.
          if (code != 0) {
            ASSERT_EQ(code, 138) << run.Output();
            EXPECT_NE(run.Output().find("rank " + std::to_string(victim) +
                                        " was ended by SIGKILL"),
                      std::string::npos)
                << run.Output();
            const double seconds = NowSeconds() - start;
            EXPECT_LT(seconds, 15) << run.Output();
            longest = std::max(longest, seconds);
            times.Count();
            Log("killed rank " + std::to_string(victim) + " of " +
                std::to_string(ranks) + " " + times.where());
            continue;
          }
        }
      }
      ASSERT_EQ(run.Wait(), 0) << run.Output();
      ExpectSameEnd(output_dir);
      ++runs;
    }
    const std::string output_dir = name + std::to_string(runs);
    const RunResult run = RunProgram(command(output_dir));
    ASSERT_EQ(run.code, 0) << run.output;
    ExpectSameEnd(output_dir);
    std::printf(
        "kill -9 of one of %d ranks: %s in %d runs: the same weights, state "
        "and counters; the others ended within %.1f s\n",
        static_cast<int>(ranks), times.Text().c_str(), runs + 1, longest);
  }
}

TEST(DistFaultTest, SigtermSavesOnceForAll) {
  LongRun run("terminated");
  run.run()->Signal(SIGTERM);
  EXPECT_EQ(run.run()->Wait(), 143) << run.run()->Output();
  EXPECT_NE(run.run()->Output().find("the checkpoint is written"),
            std::string::npos)
      << run.run()->Output();
  // One rank alone was told: all stop.
  LongRun one("told");
  const std::vector<pid_t> ranks = Ranks(*one.run());
  ASSERT_EQ(ranks.size(), 2u);
  ::kill(ranks[1], SIGTERM);
  EXPECT_EQ(one.run()->Wait(), 143) << one.run()->Output();
}

// While a rank is stopped the others are in the sum of gradients: the signal
// comes there.
TEST(DistFaultTest, SigtermWhileGradientsAreSummed) {
  const std::string& dir = TheWorld().dir;
  for (const int who : {0, 1, -1}) {
    const std::string name = "sum" + std::to_string(who);
    LongRun run(name);
    const std::vector<pid_t> ranks = Ranks(*run.run());
    ASSERT_EQ(ranks.size(), 2u);
    const pid_t stopped = ranks[who == 1 ? 0 : 1];
    ::kill(stopped, SIGSTOP);
    ::usleep(700'000);
    ::kill(who < 0 ? run.run()->pid() : ranks[static_cast<size_t>(who)],
           SIGTERM);
    ::usleep(200'000);
    ::kill(stopped, SIGCONT);
    ASSERT_EQ(run.run()->Wait(), 143) << run.run()->Output();
    EXPECT_NE(run.run()->Output().find("the checkpoint is written"),
              std::string::npos)
        << run.run()->Output();
    const int64_t step = ListCheckpoints(run.dir()).back();
    ASSERT_EQ(RunProgram(TrainCommand(dir, name + "_one", 1, step)).code, 0);
    ExpectSameTensors(
        LoadCheckpoint(CheckpointPath(run.dir(), step)),
        LoadCheckpoint(CheckpointPath(JoinPath(dir, name + "_one"), step)));
    std::printf(
        "SIGTERM to %s in the sum of gradients: checkpoint of step "
        "%d, the same\n",
        who < 0 ? "all" : ("rank " + std::to_string(who)).c_str(),
        static_cast<int>(step));
  }
}

// Seconds that a rank is stopped for: T2T_FAULT_STOP_SECONDS, or CI's.
double StopSeconds() {
  const char* const text = std::getenv("T2T_FAULT_STOP_SECONDS");
  double seconds = 0;
  return text != nullptr && ParseDouble(text, &seconds) ? seconds : 4;
}

// A rank that is killed when all are done, and started again by whoever looks
// after it, does not wait for those that have ended well.
TEST(DistFaultTest, ARankStartedAgainAfterTheEnd) {
  const World& world = TheWorld();
  const RunResult both = RunProgram(TrainCommand(world.dir, "over", 2));
  ASSERT_EQ(both.code, 0) << both.output;
  const std::string dir = JoinPath(world.dir, "over");
  int64_t port = 0;
  ::close(ListenTcp("127.0.0.1", &port));
  const auto run = [&](int rank, int64_t steps) {
    std::vector<std::string> command = RankCommand("over", rank, port, steps);
    command.push_back("--rendezvous_timeout_seconds=1");
    return RunProgram(command);
  };
  const RunResult zero = run(0, kSteps);
  EXPECT_EQ(zero.code, 0) << zero.output;
  EXPECT_NE(zero.output.find("without the others"), std::string::npos);
  const RunResult one = run(1, kSteps);
  EXPECT_EQ(one.code, 0) << one.output;
  EXPECT_NE(one.output.find("rank 1 is not needed"), std::string::npos);
  ExpectSameEnd("over");
  // Where there is more to do, all are needed.
  EXPECT_EQ(run(1, kSteps + 1).code, 138);
  const std::string newest = CheckpointPath(dir, kSteps);
  const std::string bytes = ReadFile(newest);
  WriteFileAtomically(newest, bytes.substr(0, bytes.size() - 1));
  EXPECT_EQ(run(1, kSteps).code, 138);
  EXPECT_EQ(run(0, kSteps).code, 138);
}

// Every file's checksum.
std::map<std::string, uint32_t> Snapshot(const std::string& dir) {
  std::map<std::string, uint32_t> files;
  for (const std::string& name : ListDirectory(dir)) {
    const std::string path = JoinPath(dir, name);
    if (!IsDirectory(path)) files[name] = Crc32c(ReadFile(path));
  }
  return files;
}

// A rank is stopped for long. The other one ends; the job starts again and
// takes over from the stopped rank, should that be the one that writes; when
// the stopped one goes on, it ends too, and has written nothing.
TEST(DistFaultTest, AStoppedRankThatGoesOnWritesNothing) {
  const World& world = TheWorld();
  for (const int stopped : {0, 1}) {
    const std::string name = "woken" + std::to_string(stopped);
    const std::string dir = JoinPath(world.dir, name);
    int64_t port = 0;
    ::close(ListenTcp("127.0.0.1", &port));
    Subprocess zero(RankCommand(name, 0, port, 100'000));
    Subprocess one(RankCommand(name, 1, port, 100'000));
    Subprocess* const ranks[] = {&zero, &one};
    while (ListCheckpoints(dir).empty() && !zero.EndsWithin(0.002)) {
    }
    ranks[stopped]->Signal(SIGSTOP);
    const double start = NowSeconds();
    EXPECT_EQ(ranks[1 - stopped]->Wait(), 138) << ranks[1 - stopped]->Output();
    const double other_ended = NowSeconds() - start;
    EXPECT_LT(other_ended, 10);
    std::vector<std::string> command = TrainCommand(world.dir, name, 2, kSteps);
    command.push_back("--writer_silence_seconds=1");
    const RunResult again = RunProgram(command);
    ASSERT_EQ(again.code, 0) << again.output;
    EXPECT_EQ(again.output.find("this process takes over") != std::string::npos,
              stopped == 0)
        << again.output;
    ExpectSameEnd(name);
    const double left = StopSeconds() - (NowSeconds() - start);
    if (left > 0) ::usleep(static_cast<useconds_t>(left * 1e6));
    const std::map<std::string, uint32_t> before = Snapshot(dir);
    ranks[stopped]->Signal(SIGCONT);
    const double woken = NowSeconds();
    EXPECT_EQ(ranks[stopped]->Wait(), 138) << ranks[stopped]->Output();
    EXPECT_LT(NowSeconds() - woken, 10);
    EXPECT_EQ(Snapshot(dir), before) << ranks[stopped]->Output();
    std::printf(
        "rank %d stopped: the other ended after %.1f s; gone on after %.0f s, "
        "it ended after %.1f s and wrote nothing\n",
        stopped, other_ended, woken - start, NowSeconds() - woken);
  }
}

TEST(DistFaultTest, AStoppedRankIsReplaced) {
  const World& world = TheWorld();
  std::vector<std::string> command = TrainCommand(world.dir, "replaced", 2, 40);
  command.push_back("--rank_silence_seconds=2");
  command.push_back("--max_restarts=1");
  Subprocess run(command);
  const std::string dir = JoinPath(world.dir, "replaced");
  while (ListCheckpoints(dir).empty() && !run.EndsWithin(0.002)) {
  }
  const std::vector<pid_t> ranks = Ranks(run);
  ASSERT_EQ(ranks.size(), 2u) << run.Output();
  ::kill(ranks[1], SIGSTOP);
  ASSERT_EQ(run.Wait(), 0) << run.Output();
  EXPECT_NE(run.Output().find("restart 1 of 1"), std::string::npos)
      << run.Output();
  ASSERT_EQ(RunProgram(TrainCommand(world.dir, "not_stopped", 1, 40)).code, 0);
  ExpectSameTensors(
      LoadCheckpoint(CheckpointPath(dir, 40)),
      LoadCheckpoint(CheckpointPath(JoinPath(world.dir, "not_stopped"), 40)));
}

// Two trainers with one output_dir.
TEST(DistFaultTest, ASecondTrainerIsRefused) {
  LongRun run("refused");
  std::vector<std::string> command =
      TrainCommand(TheWorld().dir, "refused", 1, 100'000);
  command.push_back("--writer_silence_seconds=3");
  const RunResult second = RunProgram(command);
  EXPECT_EQ(second.code, 138) << second.output;
  EXPECT_NE(
      second.output.find("another trainer writes into " + run.dir() + ": pid "),
      std::string::npos)
      << second.output;
  run.run()->Signal(SIGTERM);
  EXPECT_EQ(run.run()->Wait(), 143) << run.run()->Output();
  const int64_t step = ListCheckpoints(run.dir()).back();
  // A kill -9 holds nobody, whatever the limit is.
  Subprocess killed(TrainCommand(TheWorld().dir, "refused", 1, 100'000));
  while (ListCheckpoints(run.dir()).back() == step &&
         !killed.EndsWithin(0.002)) {
  }
  killed.Signal(SIGKILL);
  EXPECT_EQ(killed.Wait(), -SIGKILL) << killed.Output();
  const double start = NowSeconds();
  const RunResult last = RunProgram(TrainCommand(
      TheWorld().dir, "refused", 1, ListCheckpoints(run.dir()).back()));
  EXPECT_EQ(last.code, 0) << last.output;
  EXPECT_LT(NowSeconds() - start, 15) << last.output;
}

TEST(DistFaultTest, AStoppedRankDoesNotHoldTheOthers) {
  LongRun run("stopped");
  const std::vector<pid_t> ranks = Ranks(*run.run());
  ASSERT_EQ(ranks.size(), 2u);
  ::kill(ranks[1], SIGSTOP);
  const double start = NowSeconds();
  EXPECT_EQ(run.run()->Wait(), 138) << run.run()->Output();
  EXPECT_LT(NowSeconds() - start, 20);
  EXPECT_NE(run.run()->Output().find("rank 1 ("), std::string::npos);
  EXPECT_NE(run.run()->Output().find("nothing was heard of it for 3 s"),
            std::string::npos)
      << run.run()->Output();
}

}  // namespace
}  // namespace t2t
