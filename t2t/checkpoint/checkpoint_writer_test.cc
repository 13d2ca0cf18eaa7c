// Writing in the background, and the best checkpoint.

#include "t2t/checkpoint/checkpoint_writer.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/checkpoint/best_checkpoint.h"
#include "t2t/checkpoint/checkpoint_reader.h"
#include "t2t/checkpoint/checkpoint_testing.h"
#include "t2t/checkpoint/safetensors.h"
#include "t2t/checkpoint/tensor_place.h"

namespace t2t {
namespace {

TEST_F(CheckpointTest, TheBestOutlivesTheNewest) {
  const std::string best_dir = JoinPath(dir_, "best");
  WriteFileAtomically(JoinPath(dir_, "hparams.json"), "{}");
  const double losses[] = {3.0, 2.0, 2.5, std::nan(""), 2.0};
  for (int step = 1; step <= 5; ++step) {
    SaveCheckpoint(dir_, Make(step), 1);
    // A new object each time, as where training goes on.
    BestCheckpoint best(dir_, "loss", /*lower_is_better=*/true);
    EXPECT_EQ(best.Offer(step, losses[step - 1]), step <= 2) << step;
    EXPECT_EQ(best.step(), std::min(step, 2));
  }
  EXPECT_EQ(ListCheckpoints(dir_), (std::vector<int64_t>{5}));
  EXPECT_EQ(ListCheckpoints(best_dir), (std::vector<int64_t>{2}));
  EXPECT_EQ(LoadLatestCheckpoint(best_dir)->step, 2);
  EXPECT_EQ(ReadFile(JoinPath(best_dir, "hparams.json")), "{}");
  EXPECT_EQ(ReadFile(JoinPath(best_dir, "checkpoint")),
            "model_checkpoint_path: \"model.ckpt-2\"\n"
            "all_model_checkpoint_paths: \"model.ckpt-2\"\n");
  // By another metric the old best counts for nothing.
  BestCheckpoint other(dir_, "accuracy", /*lower_is_better=*/false);
  EXPECT_FALSE(other.found());
  EXPECT_TRUE(other.Offer(5, 0.25));
  EXPECT_FALSE(other.Offer(5, 0.25));
  EXPECT_FALSE(other.Offer(5, 0.125));
  EXPECT_EQ(ListCheckpoints(best_dir), (std::vector<int64_t>{5}));
  // One that is gone cannot be kept.
  EXPECT_FALSE(other.Offer(4, 0.5));
  EXPECT_EQ(other.step(), 5);
}

TEST_F(CheckpointTest, TheBestIsMadeWholeAfterAKill) {
  const std::string best_dir = JoinPath(dir_, "best");
  const std::string record = JoinPath(best_dir, "best.json");
  SaveCheckpoint(dir_, Make(1), 0);
  SaveCheckpoint(dir_, Make(2), 0);
  EXPECT_TRUE(BestCheckpoint(dir_, "loss", true).Offer(1, 3.0));
  // Killed right after it was decided that step 2 is the best.
  WriteFileAtomically(record, R"({"metric": "loss", "value": 1.0, "step": 2})");
  EXPECT_EQ(BestCheckpoint(dir_, "loss", true).step(), 2);
  EXPECT_EQ(ListCheckpoints(best_dir), (std::vector<int64_t>{2}));
  // Decided, and gone since.
  WriteFileAtomically(record, R"({"metric": "loss", "value": 0.5, "step": 3})");
  EXPECT_FALSE(BestCheckpoint(dir_, "loss", true).found());
  WriteFileAtomically(record, R"({"metric": "loss"})");
  try {
    BestCheckpoint(dir_, "loss", true);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kBadData);
    EXPECT_NE(std::string(error.what()).find(record), std::string::npos);
  }
}

TEST_F(CheckpointTest, TheWriterCopies) {
  Checkpoint live = Make(1);
  const Checkpoint saved = Make(1);
  CheckpointWriter writer(dir_, 2);
  for (int64_t step = 1; step <= 4; ++step) {
    live.step = step;
    writer.Save(live);
    live.tensors["a/kernel"].add_(1);
    live.meta.Set("input", std::to_string(step));
  }
  writer.Wait();
  EXPECT_EQ(ListCheckpoints(dir_), (std::vector<int64_t>{3, 4}));
  const Checkpoint loaded = LoadCheckpoint(CheckpointPath(dir_, 4));
  EXPECT_EQ(loaded.meta.At("input").AsString(), "3");
  for (const auto& [name, tensor] : saved.tensors) {
    const at::Tensor expected = name == "a/kernel" ? tensor + 3 : tensor;
    EXPECT_TRUE(at::equal(loaded.tensors.at(name), expected)) << name;
  }
}

TEST_F(CheckpointTest, RanksWriteTheirSharesAtTheSameTime) {
  constexpr int64_t kRanks = 3;
  const std::vector<int64_t> shape = {kRanks, 100};
  std::vector<at::Tensor> parts;
  std::vector<std::unique_ptr<CheckpointWriter>> writers;
  for (int64_t rank = 0; rank < kRanks; ++rank) {
    parts.push_back(at::full({100}, static_cast<double>(rank), at::kFloat));
    writers.push_back(rank == 0 ? std::make_unique<CheckpointWriter>(dir_, 2)
                                : std::make_unique<CheckpointWriter>(dir_));
  }
  Checkpoint checkpoint = Make(0);
  std::atomic<int> waited{0};
  for (int64_t step = 1; step <= 6; ++step) {
    checkpoint.step = step;
    checkpoint.shards.clear();
    std::vector<CheckpointWriter::Shard> shards;
    for (int64_t rank = 0; rank < kRanks; ++rank) {
      shards.push_back({ShardName(step, "abc", rank, kRanks), {}});
      shards.back().tensors["x"] = {parts[static_cast<size_t>(rank)],
                                    {shape, 100 * rank, 100, {}}};
      checkpoint.shards.push_back(shards.back().name);
    }
    const auto waiting = [&waited] { ++waited; };
    // The first rank comes first, and last.
    if (step % 2 == 1) {
      waited = 0;
      writers[0]->Save(checkpoint, {}, shards.data(), waiting);
      while (waited == 0) std::this_thread::yield();
    }
    writers[1]->SaveShard(shards[1]);
    writers[2]->SaveShard(shards[2]);
    if (step % 2 == 0) {
      writers[0]->Save(checkpoint, {}, shards.data(), waiting);
    }
    for (const at::Tensor& part : parts) part.add_(1);
  }
  for (const auto& writer : writers) writer->Wait();
  EXPECT_EQ(ListCheckpoints(dir_), (std::vector<int64_t>{5, 6}));
  for (const int64_t step : {5, 6}) {
    const at::Tensor x =
        LoadCheckpoint(CheckpointPath(dir_, step)).tensors.at("x");
    const at::Tensor expected =
        at::arange(kRanks, at::kFloat).view({-1, 1}).expand(shape) + (step - 1);
    EXPECT_TRUE(at::equal(x, expected)) << step;
  }
}

TEST_F(CheckpointTest, IndexesWhatAKilledProcessLeft) {
  for (const int64_t step : {1, 2, 3, 4}) SaveCheckpoint(dir_, Make(step), 0);
  WriteFileAtomically(JoinPath(dir_, "checkpoint"), "old");
  IndexCheckpoints(dir_, 3, 1, {1});
  EXPECT_EQ(ListCheckpoints(dir_), (std::vector<int64_t>{1, 3, 4}));
  EXPECT_EQ(ReadFile(JoinPath(dir_, "checkpoint")),
            "model_checkpoint_path: \"model.ckpt-3\"\n"
            "all_model_checkpoint_paths: \"model.ckpt-3\"\n");
}

TEST_F(CheckpointTest, TheWriterTakesTensorsThatLieStrangely) {
  Checkpoint checkpoint;
  checkpoint.step = 1;
  checkpoint.tensors["t"] = at::arange(6, at::kFloat).reshape({2, 3}).t();
  checkpoint.tensors["e"] = at::ones({1}, at::kFloat).expand({4});
  checkpoint.tensors["g"] = at::ones({2}, at::kFloat).requires_grad_(true);
  CheckpointWriter writer(dir_, 0);
  writer.Save(checkpoint);
  writer.Wait();
  const Checkpoint loaded = LoadCheckpoint(CheckpointPath(dir_, 1));
  for (const auto& [name, tensor] : checkpoint.tensors) {
    EXPECT_TRUE(at::equal(loaded.tensors.at(name), tensor)) << name;
  }
}

TEST_F(CheckpointTest, TheWritersErrorComesOutOnceAndNamesTheFile) {
  const std::string folder = JoinPath(dir_, "gone");
  MakeDirectories(folder);
  CheckpointWriter writer(folder, 0);
  RemoveTree(folder);
  writer.Save(Make(1));
  try {
    writer.Wait();
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(CheckpointPath(folder, 1)),
              std::string::npos)
        << error.what();
    EXPECT_NE(std::string(error.what()).find("errno 2"), std::string::npos);
  }
  writer.Wait();
  MakeDirectories(folder);
  writer.Save(Make(2));
  writer.Wait();
  EXPECT_EQ(ListCheckpoints(folder), (std::vector<int64_t>{2}));
}

TEST_F(CheckpointTest, LeftoversOfTheDeadAreRemoved) {
  const pid_t child = ::fork();
  if (child == 0) {
    new AtomicWriter(JoinPath(dir_, "model.ckpt-1.safetensors"));
    ::_exit(0);
  }
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  for (const std::string& name : std::vector<std::string>{
           "x.tmp-1", "x.tmp-", "model.ckpt-1.safetensors"}) {
    WriteFileAtomically(JoinPath(dir_, name), "x");
  }
  ASSERT_EQ(ListDirectory(dir_).size(), 4U);
  const CheckpointWriter writer(dir_, 0);
  EXPECT_EQ(ListDirectory(dir_),
            (std::vector<std::string>{"model.ckpt-1.safetensors", "x.tmp-",
                                      "x.tmp-1"}));
}

// How long a step is held, and how long the write takes that it does not wait
// for. T2T_SAVE_MB=1000 for a large one.
TEST_F(CheckpointTest, AStepIsHeldForACopyAlone) {
  const char* const text = std::getenv("T2T_SAVE_MB");
  int64_t megabytes = 0;
  if (text == nullptr || !ParseInt(text, &megabytes)) megabytes = 16;
  Checkpoint checkpoint;
  for (int64_t i = 0; i < 16; ++i) {
    checkpoint.tensors["x" + std::to_string(i)] =
        at::full({megabytes * 1'000'000 / 16 / 4}, 0.5, at::kFloat);
  }
  CheckpointWriter writer(dir_, 1);
  for (int64_t step = 1; step <= 3; ++step) {
    checkpoint.step = step;
    const double start = NowSeconds();
    writer.Save(checkpoint);
    const double held = NowSeconds() - start;
    EXPECT_GE(held, writer.copy_seconds() + writer.wait_seconds());
    writer.Wait();
    std::printf("%lld MB: held for %.1f ms, written and read back in %.1f ms\n",
                static_cast<long long>(megabytes), 1e3 * held,
                1e3 * writer.write_seconds());
  }
}

}  // namespace
}  // namespace t2t
