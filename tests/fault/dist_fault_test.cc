// Training with several ranks, started by --worker_cpu: the same bits at any
// number of them, and whatever is done to them.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/train/checkpoint.h"
#include "tests/fault/subprocess.h"

namespace t2t {
namespace {

constexpr int64_t kSteps = 20;
constexpr char kTrainer[] = "t2t/bin/trainer/t2t-trainer";

// Made once for all the tests: the data, and what one rank ends with.
struct World {
  std::string dir;
  double two_rank_seconds = 0;
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
    const double start = NowSeconds();
    run = RunProgram(TrainCommand(made->dir, "two", 2));
    EXPECT_EQ(run.code, 0) << run.output;
    made->two_rank_seconds = NowSeconds() - start;
    return made;
  }();
  return *world;
}

void ExpectSameEnd(const std::string& output_dir) {
  const World& world = TheWorld();
  const Checkpoint checkpoint = LoadEnd(world.dir, output_dir);
  ASSERT_EQ(checkpoint.tensors.size(), world.expected.tensors.size());
  for (const auto& [name, tensor] : world.expected.tensors) {
    EXPECT_TRUE(at::equal(checkpoint.tensors.at(name), tensor))
        << output_dir << " " << name;
  }
  EXPECT_EQ(checkpoint.meta.At("input").AsString(),
            world.expected.meta.At("input").AsString());
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

int Kills() {
  const char* const text = std::getenv("T2T_FAULT_KILLS");
  int64_t kills = 0;
  return text != nullptr && ParseInt(text, &kills) ? static_cast<int>(kills)
                                                   : 2;
}

TEST(DistFaultTest, TheSameBitsWithAnyNumberOfRanks) {
  const World& world = TheWorld();
  ExpectSameEnd("two");
  for (const int64_t ranks : {3, 4}) {
    const std::string name = "ranks" + std::to_string(ranks);
    const RunResult run = RunProgram(TrainCommand(world.dir, name, ranks));
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
  std::random_device device;
  const unsigned seed = device();
  RecordProperty("seed", std::to_string(seed));
  std::mt19937 random(seed);
  for (const int64_t ranks : {2, 4}) {
    int kills = 0;
    int dirs = 0;
    const std::string name = "killed" + std::to_string(ranks) + "_";
    while (kills < Kills()) {
      const std::string output_dir = name + std::to_string(dirs);
      Subprocess run(TrainCommand(world.dir, output_dir, ranks));
      const double moment = std::uniform_real_distribution<double>(
          0.2, 1.1 * world.two_rank_seconds)(random);
      if (!run.EndsWithin(moment)) {
        const std::vector<pid_t> all = Ranks(run);
        if (static_cast<int64_t>(all.size()) == ranks) {
          const size_t victim = random() % all.size();
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
            EXPECT_LT(NowSeconds() - start, 15) << run.Output();
            ++kills;
            Log("killed rank " + std::to_string(victim) + " of " +
                std::to_string(ranks) + " after " + Format("%.2f s", moment));
            continue;
          }
        }
      }
      ASSERT_EQ(run.Wait(), 0) << run.Output();
      ExpectSameEnd(output_dir);
      ++dirs;
    }
    const std::string output_dir = name + std::to_string(dirs);
    const RunResult run =
        RunProgram(TrainCommand(world.dir, output_dir, ranks));
    ASSERT_EQ(run.code, 0) << run.output;
    ExpectSameEnd(output_dir);
    std::printf("%d kills of a rank of %d: the same bits\n", kills,
                static_cast<int>(ranks));
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

TEST(DistFaultTest, RankZeroAloneEvaluatesAndDecides) {
  const std::string& dir = TheWorld().dir;
  const auto run = [&](int64_t steps, const std::string& delta) {
    std::vector<std::string> command = TrainCommand(dir, "evaluated", 2, steps);
    command.push_back("--schedule=train_and_evaluate");
    command.push_back("--eval_steps=1");
    command.push_back("--eval_early_stopping_steps=4");
    command.push_back("--eval_early_stopping_metric_delta=" + delta);
    RunResult result = RunProgram(command);
    EXPECT_EQ(result.code, 0) << result.output;
    for (const std::string& line : Split(result.output, '\n')) {
      EXPECT_FALSE(StartsWith(line, "[rank 1]") &&
                   line.find("evaluation") != std::string::npos)
          << line;
    }
    return result.output;
  };
  EXPECT_NE(run(4, "0").find("evaluation at step 4"), std::string::npos);
  EXPECT_NE(run(8, "0").find("evaluation at step 8"), std::string::npos);
  // No change is as large as this: both ranks stop at rank 0's word.
  EXPECT_NE(run(20, "1000").find("stopped early"), std::string::npos);
  EXPECT_EQ(ListCheckpoints(JoinPath(dir, "evaluated")),
            (std::vector<int64_t>{4, 8}));
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
  expect(command, 2, {"2 ranks, but 1 batches", "--virtual_ranks=2"});
  command = TrainCommand(dir, "wrong", 2);
  command.push_back("--worker_gpu=2");
  expect(command, 2, {"--worker_gpu=2", "processors alone"});
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
