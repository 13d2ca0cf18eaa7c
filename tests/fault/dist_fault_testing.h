#ifndef TESTS_FAULT_DIST_FAULT_TESTING_H_
#define TESTS_FAULT_DIST_FAULT_TESTING_H_

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "t2t/base/fs.h"
#include "t2t/base/strings.h"
#include "t2t/base/subprocess.h"
#include "t2t/checkpoint/checkpoint.h"
#include "tests/fault/kill_times.h"

namespace t2t {

// Runs that the tests of faults in jobs of several ranks share.

inline constexpr int64_t kSteps = 20;
inline constexpr char kTrainer[] = "t2t/bin/trainer/t2t-trainer";

// Made once for all the tests: the data, and what one rank ends with.
struct World {
  std::string dir;
  RunTimes two_ranks;
  Checkpoint expected;
};

inline std::vector<std::string> TrainCommand(const std::string& dir,
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

inline Checkpoint LoadEnd(const std::string& dir,
                          const std::string& output_dir) {
  return LoadCheckpoint(CheckpointPath(JoinPath(dir, output_dir), kSteps));
}

inline const World& TheWorld() {
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

inline void ExpectSameTensors(const Checkpoint& checkpoint,
                              const Checkpoint& expected) {
  ASSERT_EQ(checkpoint.tensors.size(), expected.tensors.size());
  for (const auto& [name, tensor] : expected.tensors) {
    EXPECT_TRUE(at::equal(checkpoint.tensors.at(name), tensor)) << name;
  }
  EXPECT_EQ(checkpoint.meta.At("input").AsString(),
            expected.meta.At("input").AsString());
}

inline void ExpectSameEnd(const std::string& output_dir) {
  SCOPED_TRACE(output_dir);
  const World& world = TheWorld();
  ExpectSameTensors(LoadEnd(world.dir, output_dir), world.expected);
}

// The processes of the ranks, which the launcher started.
inline std::vector<pid_t> Ranks(const Subprocess& launcher) {
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

// A rank that nobody but the test looks after.
inline std::vector<std::string> RankCommand(const std::string& output_dir,
                                            int rank, int64_t port,
                                            int64_t train_steps) {
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

}  // namespace t2t

#endif  // TESTS_FAULT_DIST_FAULT_TESTING_H_
