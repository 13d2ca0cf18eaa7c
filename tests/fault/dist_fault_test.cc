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
#include "tests/fault/kill_times.h"

namespace t2t {
namespace {

constexpr int64_t kSteps = 20;
constexpr char kTrainer[] = "t2t/bin/trainer/t2t-trainer";

// Made once for all the tests: the data, and what one rank ends with.
struct World {
  std::string dir;
  RunTimes two_ranks;
  Checkpoint expected;
};

std::vector<std::string> TrainCommand(const std::string& dir,
                                      const std::string& output_dir,
                                      int64_t ranks,
                                      int64_t train_steps = kSteps) {
  return {kTrainer,
          "--problem=translate_numbers_ende",
          "--model=transformer",
          "--hparams_set=transformer_tiny",
          "--hparams=batch_size=100,hidden_size=16,filter_size=32,"
          "num_heads=2,num_hidden_layers=1,learning_rate_warmup_steps=10",
          "--data_dir=" + JoinPath(dir, "data"),
          "--tmp_dir=" + JoinPath(dir, "tmp"),
          "--output_dir=" + JoinPath(dir, output_dir),
          "--schedule=train",
          "--deterministic",
          "--virtual_ranks=4",
          "--bucket_mb=1",
          "--ema_decay=0.9",
          "--worker_cpu=" + std::to_string(ranks),
          "--expect_world_size=" + std::to_string(ranks),
          "--train_steps=" + std::to_string(train_steps),
          "--local_eval_frequency=4",
          "--log_step_count_steps=10"};
}

Checkpoint LoadEnd(const std::string& dir, const std::string& output_dir) {
  return LoadCheckpoint(CheckpointPath(JoinPath(dir, output_dir), kSteps));
}

const World& TheWorld() {
  static const World* const world = [] {
    auto* const made = new World;
    made->dir = MakeTempDirectory("dist_fault");
    std::vector<std::string> command = TrainCommand(made->dir, "one", 1);
    command.push_back("--generate_data");
    RunResult run = RunProgram(command);
    EXPECT_EQ(run.code, 0) << run.output;
    made->expected = LoadEnd(made->dir, "one");
    Subprocess two(TrainCommand(made->dir, "two", 2));
    made->two_ranks = TimeRun(&two, JoinPath(made->dir, "two"));
    EXPECT_EQ(two.Wait(), 0) << two.Output();
    return made;
  }();
  return *world;
}

void ExpectSameTensors(const Checkpoint& checkpoint,
                       const Checkpoint& expected) {
  ASSERT_EQ(checkpoint.tensors.size(), expected.tensors.size());
  for (const auto& [name, tensor] : expected.tensors) {
    EXPECT_TRUE(at::equal(checkpoint.tensors.at(name), tensor)) << name;
  }
  EXPECT_EQ(checkpoint.meta.At("input").AsString(),
            expected.meta.At("input").AsString());
}

void ExpectSameEnd(const std::string& output_dir) {
  SCOPED_TRACE(output_dir);
  const World& world = TheWorld();
  ExpectSameTensors(LoadEnd(world.dir, output_dir), world.expected);
}

// The processes of the ranks, which the launcher started.
std::vector<pid_t> Ranks(const Subprocess& launcher) {
  const std::string pid = std::to_string(launcher.pid());
  std::vector<pid_t> ranks;
  try {
    for (const std::string& text :
         Split(ReadFile("/proc/" + pid + "/task/" + pid + "/children"), ' ')) {
      int64_t child = 0;
      if (ParseInt(text, &child)) ranks.push_back(static_cast<pid_t>(child));
    }
  } catch (const std::exception&) {
    // It has ended.
  }
  return ranks;
}

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

// Starts two ranks that train for long, and waits for a checkpoint.
class LongRun {
 public:
  explicit LongRun(const std::string& name)
      : dir_(JoinPath(TheWorld().dir, name)), run_(Command(name)) {
    while (ListCheckpoints(dir_).empty() && !run_.EndsWithin(0.01)) {
    }
  }
  Subprocess* run() { return &run_; }
  const std::string& dir() const { return dir_; }

 private:
  static std::vector<std::string> Command(const std::string& name) {
    std::vector<std::string> command =
        TrainCommand(TheWorld().dir, name, 2, 100'000);
    command.push_back("--rank_silence_seconds=3");
    command.push_back("--writer_silence_seconds=3");
    return command;
  }

  std::string dir_;
  Subprocess run_;
};

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

// A rank that nobody but the test looks after.
std::vector<std::string> RankCommand(const std::string& output_dir, int rank,
                                     int64_t port, int64_t train_steps) {
  std::vector<std::string> command =
      TrainCommand(TheWorld().dir, output_dir, 0, train_steps);
  for (const std::string& flag :
       {std::string("--expect_world_size=2"),
        std::string("--worker_replicas=2"),
        "--worker_id=" + std::to_string(rank),
        "--rendezvous=127.0.0.1:" + std::to_string(port),
        std::string("--rank_silence_seconds=2"),
        std::string("--writer_silence_seconds=1")}) {
    command.push_back(flag);
  }
  return command;
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

void Append(std::vector<std::string>* command,
            const std::vector<std::string>& flags) {
  command->insert(command->end(), flags.begin(), flags.end());
}

// The ways in which ranks hold a model.
struct Way {
  int64_t ranks;
  std::vector<std::string> flags;
};
const std::vector<Way>& Ways() {
  static const auto* const ways = new std::vector<Way>{
      {2, {}}, {4, {"--zero_stage=3", "--sharded_checkpoints"}}};
  return *ways;
}

// What the evaluation of a step found.
std::string Evaluated(const std::string& output, int64_t step) {
  const std::string mark = "evaluation at step " + std::to_string(step) + ":";
  const size_t begin = output.find(mark);
  if (begin == std::string::npos) return "";
  const size_t results = begin + mark.size();
  return output.substr(results, output.find('(', results) - results);
}

TEST(DistFaultTest, AllEvaluateAndRankZeroDecides) {
  const std::string& dir = TheWorld().dir;
  for (const Way& way : Ways()) {
    const std::string name = "evaluated" + std::to_string(way.ranks);
    const auto run = [&](int64_t steps, const std::string& delta) {
      std::vector<std::string> command =
          TrainCommand(dir, name, way.ranks, steps);
      Append(&command, way.flags);
      Append(&command, {"--schedule=train_and_evaluate", "--eval_steps=5",
                        "--eval_early_stopping_steps=4",
                        "--eval_early_stopping_metric_delta=" + delta});
      RunResult result = RunProgram(command);
      EXPECT_EQ(result.code, 0) << result.output;
      for (const std::string& line : Split(result.output, '\n')) {
        EXPECT_FALSE(!StartsWith(line, "[rank 0]") &&
                     line.find("evaluation") != std::string::npos)
            << line;
      }
      return result.output;
    };
    EXPECT_NE(Evaluated(run(4, "0"), 4), "");
    const std::string all = Evaluated(run(8, "0"), 8);
    std::vector<std::string> command = TrainCommand(dir, name, 0, 8);
    Append(&command,
           {"--schedule=evaluate", "--eval_steps=5", "--expect_world_size=1"});
    const RunResult alone = RunProgram(command);
    EXPECT_EQ(all, Evaluated(alone.output, 8)) << alone.output;
    EXPECT_NE(all.find("loss"), std::string::npos);
    // No change is as large as this: all ranks stop at rank 0's word.
    EXPECT_NE(run(20, "1000").find("stopped early"), std::string::npos);
    EXPECT_EQ(ListCheckpoints(JoinPath(dir, name)),
              (std::vector<int64_t>{4, 8}));
  }
}

// Data whose evaluation takes long; or whose development split is cut off.
std::string DataDirectory(const std::string& name, bool cut) {
  const std::string from = JoinPath(TheWorld().dir, "data");
  const std::string to = JoinPath(TheWorld().dir, name);
  if (Exists(to)) return to;
  MakeDirectories(to);
  for (const std::string& file : ListDirectory(from)) {
    std::string bytes = ReadFile(JoinPath(from, file));
    if (file.find("ende-dev") != std::string::npos) {
      if (cut) {
        bytes.resize(bytes.size() - 3);
      } else {
        std::string many;
        for (int i = 0; i < 40; ++i) many += bytes;
        bytes = std::move(many);
      }
    }
    WriteFileAtomically(JoinPath(to, file), bytes);
  }
  return to;
}

TEST(DistFaultTest, WhatHappensToARankInAnEvaluationReachesAll) {
  const std::string& dir = TheWorld().dir;
  for (const Way& way : Ways()) {
    for (const int signal : {SIGTERM, SIGKILL}) {
      const std::string name =
          Format("eval%d_%d", static_cast<int>(way.ranks), signal);
      std::vector<std::string> command = TrainCommand(dir, name, way.ranks);
      Append(&command, way.flags);
      Append(&command, {"--schedule=train_and_evaluate",
                        "--eval_early_stopping_steps=1000"});
      std::vector<std::string> long_one = command;
      Append(&long_one,
             {"--data_dir=" + DataDirectory("long", false), "--eval_steps=0"});
      Subprocess run(long_one);
      while (ListCheckpoints(JoinPath(dir, name)).empty() &&
             !run.EndsWithin(0.01)) {
      }
      // It is evaluated now.
      ::usleep(300'000);
      const std::vector<pid_t> ranks = Ranks(run);
      ASSERT_EQ(static_cast<int64_t>(ranks.size()), way.ranks) << run.Output();
      const std::string victim = std::to_string(way.ranks - 1);
      ::kill(ranks.back(), signal);
      const double start = NowSeconds();
      EXPECT_EQ(run.Wait(), signal == SIGTERM ? 143 : 138) << run.Output();
      EXPECT_LT(NowSeconds() - start, 10);
      const std::string output = run.Output();
      EXPECT_EQ(Evaluated(output, 4), "") << output;
      EXPECT_NE(output.find(signal == SIGTERM
                                ? "after step 4; the checkpoint is written"
                                : "rank " + victim + " was ended by SIGKILL"),
                std::string::npos)
          << output;
      std::printf("%s to rank %s of %d in an evaluation: all ended in %.1f s\n",
                  signal == SIGTERM ? "SIGTERM" : "SIGKILL", victim.c_str(),
                  static_cast<int>(way.ranks), NowSeconds() - start);
      // What was broken off is made up for.
      Append(&command, {"--eval_steps=3"});
      const RunResult rest = RunProgram(command);
      ASSERT_EQ(rest.code, 0) << rest.output;
      for (const int64_t step : {4, 8, 20}) {
        EXPECT_NE(Evaluated(rest.output, step), "") << rest.output;
      }
      ExpectSameEnd(name);
    }
  }
}

TEST(DistFaultTest, EvaluationDataThatRankZeroCannotReadEndsAll) {
  for (const int64_t stage : {0, 3}) {
    const std::string name = "unread" + std::to_string(stage);
    int64_t port = 0;
    ::close(ListenTcp("127.0.0.1", &port));
    const std::vector<std::string> flags = {
        "--schedule=train_and_evaluate", "--eval_steps=0",
        "--zero_stage=" + std::to_string(stage)};
    std::vector<std::string> zero = RankCommand(name, 0, port, kSteps);
    Append(&zero, flags);
    zero.push_back("--data_dir=" + DataDirectory("cut", true));
    std::vector<std::string> one = RankCommand(name, 1, port, kSteps);
    Append(&one, flags);
    Subprocess other(one);
    const RunResult run = RunProgram(zero);
    EXPECT_EQ(run.code, 3) << run.output;
    EXPECT_NE(run.output.find("ende-dev"), std::string::npos) << run.output;
    EXPECT_EQ(other.Wait(), 138);
    EXPECT_NE(other.Output().find("ende-dev"), std::string::npos)
        << other.Output();
  }
}

TEST(DistFaultTest, WhatIsAskedForWrongly) {
  const std::string dir = TheWorld().dir;
  const auto expect = [](const std::vector<std::string>& command, int code,
                         const std::vector<std::string>& texts) {
    const RunResult run = RunProgram(command);
    EXPECT_EQ(run.code, code) << run.output;
    for (const std::string& text : texts) {
      EXPECT_NE(run.output.find(text), std::string::npos)
          << "'" << text << "' in: " << run.output;
    }
  };
  std::vector<std::string> command = TrainCommand(dir, "wrong", 2);
  command.push_back("--expect_world_size=3");
  expect(command, 2, {"--expect_world_size=3", "--worker_cpu=2"});
  command = TrainCommand(dir, "wrong", 2);
  command.push_back("--virtual_ranks=1");
  expect(command, 2, {"2 ranks, but 1 batch", "--virtual_ranks=2"});
  command = TrainCommand(dir, "wrong", 2);
  command.push_back("--worker_gpu=2");
  expect(command, 2, {"--worker_gpu=2 and --worker_cpu=2"});
  // Set by the environment.
  const auto with = [&](const std::string& variable) {
    return std::vector<std::string>{"/usr/bin/env",
                                    variable,
                                    kTrainer,
                                    "--problem=translate_numbers_ende",
                                    "--model=transformer",
                                    "--hparams_set=transformer_tiny",
                                    "--data_dir=" + JoinPath(dir, "data"),
                                    "--output_dir=" + JoinPath(dir, "wrong"),
                                    "--rendezvous_timeout_seconds=1",
                                    "--rendezvous=127.0.0.1:1"};
  };
  const std::string cluster =
      R"(TF_CONFIG={"cluster": {"chief": ["127.0.0.1:1"], "worker":)"
      R"( ["b:1"], "ps": ["c:1"]}, "task": {"index": 0, "type": )";
  expect(with(cluster + "\"ps\"}}"), 0, {"parameter server", "not needed"});
  expect(with(cluster + "\"worker\"}}"), 138,
         {"rank 1 of 2 can't reach rank 0 at 127.0.0.1:1"});
  expect(with("RANK=1"), 2, {"RANK=1", "WORLD_SIZE"});
  EXPECT_FALSE(Exists(JoinPath(dir, "wrong/model.ckpt-4.safetensors")));
}

}  // namespace
}  // namespace t2t
