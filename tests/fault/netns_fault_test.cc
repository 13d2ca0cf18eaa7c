// Ranks on several machines, which are network namespaces here: they train as
// one rank does, and a cut cable ends both sides; one of them writes at most.
//
// With T2T_MULTI30K_DIR, a folder with the data of translate_ende_multi30k, the
// curves are those of a Transformer that learns it.

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/base/subprocess.h"
#include "tests/fault/netns.h"

namespace t2t {
namespace {

constexpr char kTrainer[] = "t2t/bin/trainer/t2t-trainer";

class NetnsFaultTest : public ::testing::Test {
 protected:
  // The first network must be made before a thread is, hence no torch here.
  void SetUp() override { dir_ = MakeTempDirectory("netns"); }
  void TearDown() override { RemoveTree(dir_); }

  std::string Path(const std::string& name) const {
    return JoinPath(dir_, name);
  }

  std::string CheckpointFile(const std::string& run, int64_t step) const {
    return Path(run + "/model.ckpt-" + std::to_string(step) + ".safetensors");
  }

  // A job's command, without what says which rank it is.
  std::vector<std::string> Train(const std::string& output_dir,
                                 int64_t train_steps) const {
    const char* const multi30k = std::getenv("T2T_MULTI30K_DIR");
    std::vector<std::string> command = {
        kTrainer,
        "--model=transformer",
        "--hparams_set=transformer_tiny",
        "--output_dir=" + Path(output_dir),
        "--schedule=train",
        "--deterministic",
        "--virtual_ranks=4",
        "--keep_checkpoint_max=0",
        "--local_eval_frequency=4",
        "--log_step_count_steps=1",
        "--writer_silence_seconds=1",
        "--rendezvous_timeout_seconds=30",
        Format("--rank_silence_seconds=%.0f", silence_),
        "--train_steps=" + std::to_string(train_steps)};
    const std::vector<std::string> problem =
        multi30k != nullptr
            ? std::vector<std::string>{"--problem=translate_ende_multi30k",
                                       "--hparams=batch_size=1024",
                                       "--data_dir=" + std::string(multi30k)}
            : std::vector<std::string>{
                  "--problem=translate_numbers_ende",
                  "--hparams=batch_size=100,hidden_size=16,filter_size=32,"
                  "num_heads=2,num_hidden_layers=1",
                  "--data_dir=" + Path("data"), "--tmp_dir=" + Path("tmp")};
    command.insert(command.end(), problem.begin(), problem.end());
    return command;
  }

  // One rank, alone: what all are compared with.
  RunResult TrainAlone(const std::string& output_dir, int64_t steps) const {
    std::vector<std::string> command = Train(output_dir, steps);
    if (std::getenv("T2T_MULTI30K_DIR") == nullptr) {
      command.push_back("--generate_data");
    }
    return RunProgram(command);
  }

  std::vector<std::string> Rank(const TestNetwork& network, int rank, int ranks,
                                const std::string& output_dir,
                                int64_t steps) const {
    std::vector<std::string> command = Train(output_dir, steps);
    for (const std::string& flag :
         {"--worker_replicas=" + std::to_string(ranks),
          "--worker_id=" + std::to_string(rank),
          "--rendezvous=" + TestNetwork::Address(0) + ":4711"}) {
      command.push_back(flag);
    }
    return network.On(rank, command);
  }

  // The steps and losses of the progress lines.
  static std::vector<std::string> Curve(const std::string& output) {
    std::vector<std::string> curve;
    for (const std::string& line : Split(output, '\n')) {
      const size_t begin = line.find("] step ");
      const size_t end = line.find("  lr ");
      if (begin != std::string::npos && end != std::string::npos) {
        curve.push_back(line.substr(begin + 2, end - begin - 2));
      }
    }
    return curve;
  }

  // Every checkpoint of a run is the one that a rank alone writes.
  int ExpectCheckpointsAsOf(const std::string& run, const std::string& alone,
                            int64_t steps) const {
    int found = 0;
    for (int64_t step = 0; step <= steps; ++step) {
      if (!Exists(CheckpointFile(run, step))) continue;
      EXPECT_TRUE(ReadFile(CheckpointFile(run, step)) ==
                  ReadFile(CheckpointFile(alone, step)))
          << step;
      ++found;
    }
    return found;
  }

  std::string dir_;
  double silence_ = 60;  // of a rank; a test may want less
};

TEST_F(NetnsFaultTest, TheSameCurveOnTwoAndFourMachines) {
  const char* const text = std::getenv("T2T_MULTI30K_STEPS");
  int64_t steps = 12;
  if (text != nullptr) {
    ASSERT_TRUE(ParseInt(text, &steps));
  }
  const TestNetwork network(4);
  if (!network.error().empty()) {
    GTEST_SKIP() << "skipped: " << network.error();
  }
  const RunResult alone = TrainAlone("alone", steps);
  ASSERT_EQ(alone.code, 0) << alone.output;
  const std::vector<std::string> curve = Curve(alone.output);
  ASSERT_EQ(static_cast<int64_t>(curve.size()), steps);
  for (const int ranks : {2, 4}) {
    const std::string run = "ranks" + std::to_string(ranks);
    std::vector<std::unique_ptr<Subprocess>> processes;
    for (int rank = 0; rank < ranks; ++rank) {
      processes.push_back(
          std::make_unique<Subprocess>(Rank(network, rank, ranks, run, steps)));
    }
    for (const auto& process : processes) {
      ASSERT_EQ(process->Wait(), 0) << process->Output();
    }
    EXPECT_EQ(Curve(processes[0]->Output()), curve);
    const int same = ExpectCheckpointsAsOf(run, "alone", steps);
    EXPECT_GE(same, steps / 4);
    std::printf(
        "%d machines: %d losses (%s ... %s) and %d checkpoints as of "
        "one rank\n",
        ranks, static_cast<int>(curve.size()), curve.front().c_str(),
        curve.back().c_str(), same);
  }
}

TEST_F(NetnsFaultTest, ACutCable) {
  constexpr int64_t kLong = 100'000;
  constexpr int64_t kHalf = 60;  // where the other half of the job is to end
  constexpr int64_t kEnd = 80;
  silence_ = 2;
  TestNetwork network(2);
  if (!network.error().empty()) {
    GTEST_SKIP() << "skipped: " << network.error();
  }
  const RunResult alone = TrainAlone("alone", kEnd);
  ASSERT_EQ(alone.code, 0) << alone.output;
  for (const int cut : {0, 1}) {
    const std::string run = "cut" + std::to_string(cut);
    Subprocess zero(Rank(network, 0, 2, run, kLong));
    Subprocess one(Rank(network, 1, 2, run, kLong));
    while (!Exists(CheckpointFile(run, 4)) && !zero.EndsWithin(0.002)) {
    }
    network.SetLink(cut, false);
    const double start = NowSeconds();
    // An operator that starts the half without rank 0 at once, alone.
    std::vector<std::string> command = Train(run, kHalf);
    command.push_back("--writer_silence_seconds=30");
    Subprocess half(network.On(1, command));
    double ends[2] = {0, 0};
    size_t owners = 0;
    while (ends[0] == 0 || ends[1] == 0) {
      if (ends[0] == 0 && zero.EndsWithin(0.005)) {
        ends[0] = NowSeconds() - start;
      }
      if (ends[1] == 0 && one.EndsWithin(0.005)) ends[1] = NowSeconds() - start;
      owners = std::max(owners, Glob(Path(run + "/.writer-*")).size());
      ASSERT_LT(NowSeconds() - start, 60);
    }
    EXPECT_EQ(zero.Wait(), 138) << zero.Output();
    EXPECT_EQ(one.Wait(), 138) << one.Output();
    EXPECT_NE(zero.Output().find("rank 1 ("), std::string::npos)
        << zero.Output();
    EXPECT_NE(one.Output().find("rank 0 ("), std::string::npos) << one.Output();
    for (const double seconds : ends) EXPECT_LT(seconds, silence_ + 8);
    EXPECT_EQ(half.Wait(), 0) << half.Output();
    EXPECT_LE(owners, 1u);
    network.SetLink(cut, true);
    Subprocess zero_again(Rank(network, 0, 2, run, kEnd));
    Subprocess one_again(Rank(network, 1, 2, run, kEnd));
    ASSERT_EQ(zero_again.Wait(), 0) << zero_again.Output();
    ASSERT_EQ(one_again.Wait(), 0) << one_again.Output();
    const int same = ExpectCheckpointsAsOf(run, "alone", kEnd);
    EXPECT_GE(same, 10);
    std::printf(
        "cable of machine %d cut: the ranks ended after %.1f and "
        "%.1f s (limit %.0f s and time to end); %d checkpoints, all as "
        "of one rank; one writer at most\n",
        cut, ends[0], ends[1], silence_, same);
  }
}

}  // namespace
}  // namespace t2t
