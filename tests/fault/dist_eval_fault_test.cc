// Evaluations by several ranks, and whatever is done to a rank in one; and what
// is asked of a job wrongly.

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/base/subprocess.h"
#include "t2t/checkpoint/checkpoint.h"
#include "t2t/distributed/socket.h"
#include "tests/fault/dist_fault_testing.h"

namespace t2t {
namespace {

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

TEST(DistEvalFaultTest, AllEvaluateAndRankZeroDecides) {
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

TEST(DistEvalFaultTest, WhatHappensToARankInAnEvaluationReachesAll) {
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

TEST(DistEvalFaultTest, EvaluationDataThatRankZeroCannotReadEndsAll) {
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

TEST(DistEvalFaultTest, WhatIsAskedForWrongly) {
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
