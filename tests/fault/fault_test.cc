// Training that is killed, stopped, or runs into a full disk or a damaged
// checkpoint ends with the same bits as training that is left alone.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/base/subprocess.h"
#include "t2t/checkpoint/checkpoint.h"
#include "tests/fault/kill_times.h"

namespace t2t {
namespace {

constexpr int64_t kSteps = 40;
constexpr int64_t kSaveSteps = 4;

// Made once for all the tests: the data, and the run that is left alone.
struct World {
  std::string dir;
  RunTimes times;  // of the undisturbed run
  Checkpoint expected;
};

std::vector<std::string> TrainCommand(const std::string& dir,
                                      const std::string& output_dir) {
  return {"t2t/bin/trainer/t2t-trainer",
          "--problem=translate_numbers_ende",
          "--model=transformer",
          "--hparams_set=transformer_tiny",
          "--hparams=batch_size=200,hidden_size=16,filter_size=32,"
          "num_heads=2,num_hidden_layers=1,learning_rate_warmup_steps=10",
          "--data_dir=" + JoinPath(dir, "data"),
          "--tmp_dir=" + JoinPath(dir, "tmp"),
          "--output_dir=" + JoinPath(dir, output_dir),
          "--schedule=train",
          "--threads=2",
          "--ema_decay=0.9",
          "--train_steps=" + std::to_string(kSteps),
          "--local_eval_frequency=" + std::to_string(kSaveSteps),
          "--keep_checkpoint_max=3",
          "--log_step_count_steps=10"};
}

const World& TheWorld() {
  static const World* const world = [] {
    auto* const made = new World;
    made->dir = MakeTempDirectory("fault");
    std::vector<std::string> command = TrainCommand(made->dir, "whole");
    command.push_back("--generate_data");
    RunResult run = RunProgram(command);
    EXPECT_EQ(run.code, 0) << run.output;
    // Timed again, with the data there.
    RemoveTree(JoinPath(made->dir, "whole"));
    Subprocess again(TrainCommand(made->dir, "whole"));
    made->times = TimeRun(&again, JoinPath(made->dir, "whole"));
    EXPECT_EQ(again.Wait(), 0) << again.Output();
    made->expected =
        LoadCheckpoint(CheckpointPath(JoinPath(made->dir, "whole"), kSteps));
    return made;
  }();
  return *world;
}

void ExpectSameEnd(const std::string& output_dir) {
  const World& world = TheWorld();
  const Checkpoint checkpoint =
      LoadCheckpoint(CheckpointPath(JoinPath(world.dir, output_dir), kSteps));
  ASSERT_EQ(checkpoint.tensors.size(), world.expected.tensors.size());
  for (const auto& [name, tensor] : world.expected.tensors) {
    EXPECT_TRUE(at::equal(checkpoint.tensors.at(name), tensor))
        << output_dir << " " << name;
  }
  EXPECT_EQ(checkpoint.meta.At("input").AsString(),
            world.expected.meta.At("input").AsString());
}

// No half-written file is left by a run that could clean up.
void ExpectNoLeftovers(const std::string& output_dir) {
  for (const std::string& name :
       ListDirectory(JoinPath(TheWorld().dir, output_dir))) {
    EXPECT_EQ(name.find(".tmp-"), std::string::npos) << name;
    EXPECT_FALSE(StartsWith(name, ".writer-") || name == "writer.lock") << name;
  }
}

TEST(FaultTest, KilledAtRandomMoments) {
  const World& world = TheWorld();
  KillTimes times(world.times);
  int runs = 0;
  std::string output_dir = "killed0";
  while (times.kills() < KillsWanted(3)) {
    Subprocess run(TrainCommand(world.dir, output_dir));
    if (times.Await(&run, JoinPath(world.dir, output_dir))) {
      run.Signal(SIGKILL);
      if (run.Wait() == -SIGKILL) {
        times.Count();
        Log("killed " + times.where());
        continue;
      }
    }
    // It got to the end: on with another run.
    ASSERT_EQ(run.Wait(), 0) << run.Output();
    ExpectSameEnd(output_dir);
    output_dir = "killed" + std::to_string(++runs);
  }
  const RunResult run = RunProgram(TrainCommand(world.dir, output_dir));
  ASSERT_EQ(run.code, 0) << run.output;
  ExpectSameEnd(output_dir);
  std::printf("kill -9: %s in %d runs: the same weights, state and counters\n",
              times.Text().c_str(), runs + 1);
}

// Stops a run by each of the signals, one after the other.
void StopBySignals(const std::string& output_dir,
                   const std::vector<int>& signals) {
  const World& world = TheWorld();
  const std::string dir = JoinPath(world.dir, output_dir);
  const auto newest = [&] {
    const std::vector<int64_t> steps = ListCheckpoints(dir);
    return steps.empty() ? int64_t{-1} : steps.back();
  };
  for (const int signal : signals) {
    const int64_t before = newest();
    Subprocess run(TrainCommand(world.dir, output_dir));
    while (newest() <= before && !run.EndsWithin(0.001)) {
    }
    run.Signal(signal);
    // As a terminal that is closed, or a limit that is over, may do.
    if (signal == SIGHUP || signal == SIGXCPU) {
      run.Signal(signal);
      run.Signal(SIGTERM);
    }
    ASSERT_EQ(run.Wait(), signal == SIGINT ? 130 : 143) << run.Output();
    EXPECT_NE(run.Output().find("the checkpoint is written"), std::string::npos)
        << run.Output();
    ExpectNoLeftovers(output_dir);
  }
  const RunResult run = RunProgram(TrainCommand(world.dir, output_dir));
  ASSERT_EQ(run.code, 0) << run.output;
  ExpectSameEnd(output_dir);
}

TEST(FaultTest, SigtermSavesAndGoesOn) {
  StopBySignals("terminated", {SIGTERM, SIGINT});
}

TEST(FaultTest, ClosedTerminalAndLimitOfProcessorTimeSaveToo) {
  StopBySignals("hung_up", {SIGHUP, SIGXCPU});
}

// "t2t-trainer ... 2>&1 | head -1".
TEST(FaultTest, TrainingGoesOnWhereNobodyReadsTheLog) {
  const World& world = TheWorld();
  std::string command;
  for (const std::string& word : TrainCommand(world.dir, "unread")) {
    command += "'" + word + "' ";
  }
  const std::string code = JoinPath(world.dir, "unread_code");
  const RunResult run =
      RunProgram({"/bin/bash", "-c",
                  "(" + command + " 2>&1; echo $? >" + code + ") | head -1"});
  EXPECT_EQ(ReadFile(code), "0\n");
  ExpectSameEnd("unread");
  const std::string log =
      ReadFile(JoinPath(JoinPath(world.dir, "unread"), "log.txt"));
  EXPECT_TRUE(StartsWith(log, "t2t-trainer: nobody reads the log any more"))
      << log;
  EXPECT_NE(log.find("step 40/40"), std::string::npos) << log;
}

TEST(FaultTest, NohupStaysNohup) {
  const World& world = TheWorld();
  const std::string dir = JoinPath(world.dir, "nohup");
  std::vector<std::string> command = {"/usr/bin/nohup"};
  for (const std::string& word : TrainCommand(world.dir, "nohup")) {
    command.push_back(word);
  }
  Subprocess run(command);
  while (ListCheckpoints(dir).empty() && !run.EndsWithin(0.001)) {
  }
  run.Signal(SIGHUP);
  ASSERT_EQ(run.Wait(), 0) << run.Output();
  ExpectSameEnd("nohup");
}

TEST(FaultTest, FullDisk) {
  const World& world = TheWorld();
  std::vector<std::string> command = TrainCommand(world.dir, "full");
  command.push_back("--train_steps=8");
  RunResult run = RunProgram(command);
  ASSERT_EQ(run.code, 0) << run.output;
  const std::string dir = JoinPath(world.dir, "full");
  const std::string kept = ReadFile(CheckpointPath(dir, 8));
  run = RunProgram(TrainCommand(world.dir, "full"),
                   static_cast<int64_t>(kept.size() / 2));
  EXPECT_EQ(run.code, 5) << run.output;
  EXPECT_NE(run.output.find("can't write"), std::string::npos) << run.output;
  EXPECT_EQ(ListCheckpoints(dir), (std::vector<int64_t>{4, 8}));
  EXPECT_EQ(ReadFile(CheckpointPath(dir, 8)), kept);
  ExpectNoLeftovers("full");
  run = RunProgram(TrainCommand(world.dir, "full"));
  ASSERT_EQ(run.code, 0) << run.output;
  ExpectSameEnd("full");
}

TEST(FaultTest, DamagedCheckpointsArePassedOver) {
  const World& world = TheWorld();
  std::vector<std::string> command = TrainCommand(world.dir, "damaged");
  command.push_back("--train_steps=12");
  RunResult run = RunProgram(command);
  ASSERT_EQ(run.code, 0) << run.output;
  const std::string dir = JoinPath(world.dir, "damaged");
  const std::string cut = ReadFile(CheckpointPath(dir, 12));
  WriteFileAtomically(CheckpointPath(dir, 12), cut.substr(0, cut.size() / 3));
  std::string flipped = ReadFile(CheckpointPath(dir, 8));
  flipped[flipped.size() * 2 / 3] ^= 16;
  WriteFileAtomically(CheckpointPath(dir, 8), flipped);
  run = RunProgram(TrainCommand(world.dir, "damaged"));
  ASSERT_EQ(run.code, 0) << run.output;
  EXPECT_NE(run.output.find("model.ckpt-12"), std::string::npos);
  EXPECT_NE(run.output.find("model.ckpt-8"), std::string::npos);
  EXPECT_NE(run.output.find("going on at step 4"), std::string::npos)
      << run.output;
  ExpectSameEnd("damaged");
  // Where none is whole, nothing is trained over them.
  for (const int64_t step : ListCheckpoints(dir)) {
    WriteFileAtomically(CheckpointPath(dir, step), "damaged");
  }
  run = RunProgram(TrainCommand(world.dir, "damaged"));
  EXPECT_EQ(run.code, 3) << run.output;
}

}  // namespace
}  // namespace t2t
