#include "t2t/checkpoint/average.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/checkpoint/checkpoint.h"
#include "t2t/checkpoint/run_identity.h"

namespace t2t {
namespace {

class AverageTest : public ::testing::Test {
 protected:
  AverageTest() : dir_(MakeTempDirectory("average")) {
    options_.model_dir = dir_;
    options_.output_dir = JoinPath(dir_, "avg");
    options_.n = 2;
  }
  ~AverageTest() override { RemoveTree(dir_); }

  void Save(int64_t step, double value) const {
    Checkpoint checkpoint;
    checkpoint.step = step;
    checkpoint.tensors["x"] = at::full({2, 3}, value, at::kFloat);
    checkpoint.tensors["count"] = at::full({1}, step, at::kLong);
    checkpoint.tensors["optimizer/adam_m/x"] = at::ones({2, 3});
    RunIdentity run;
    run.problem = "p";
    run.vocabularies["inputs"] = {"vocab", vocabulary_};
    PutIdentity(run, &checkpoint.meta);
    if (with_averages_) {
      checkpoint.tensors["ema/x"] = at::full({2, 3}, value + 10, at::kFloat);
    }
    SaveCheckpoint(dir_, checkpoint, 0);
  }

  const std::string dir_;
  std::string vocabulary_ = "a";  // its hash
  bool with_averages_ = false;
  AverageOptions options_;
};

TEST_F(AverageTest, EachWindow) {
  Save(10, 1);
  Save(20, 2);
  Save(30, 6);
  WriteFileAtomically(JoinPath(dir_, "hparams.json"), "{}");
  EXPECT_EQ(AverageCheckpoints(options_), 2);
  const Checkpoint first =
      LoadCheckpoint(CheckpointPath(options_.output_dir, 20));
  EXPECT_TRUE(at::equal(first.tensors.at("x"), at::full({2, 3}, 1.5)));
  const Checkpoint second =
      LoadCheckpoint(CheckpointPath(options_.output_dir, 30));
  EXPECT_TRUE(at::equal(second.tensors.at("x"), at::full({2, 3}, 4.0)));
  EXPECT_EQ(second.tensors.at("count").item<int64_t>(), 30);
  EXPECT_EQ(second.tensors.size(), 2u);
  EXPECT_EQ(ReadFile(JoinPath(options_.output_dir, "hparams.json")), "{}");
}

TEST_F(AverageTest, PassesOverDamagedAndEarlyOnes) {
  Save(10, 100);
  Save(20, 2);
  Save(30, 3);
  Save(40, 4);
  WriteFileAtomically(CheckpointPath(dir_, 30), "damaged");
  options_.min_steps = 15;
  EXPECT_EQ(AverageCheckpoints(options_), 1);
  EXPECT_TRUE(
      at::equal(LoadLatestCheckpoint(options_.output_dir)->tensors.at("x"),
                at::full({2, 3}, 3.0)));
}

// As t2t-decoder --avg_checkpoints does.
TEST_F(AverageTest, TakesMovingAveragesUnlessTold) {
  with_averages_ = true;
  Save(10, 1);
  Save(20, 2);
  AverageCheckpoints(options_);
  const Checkpoint mean = *LoadLatestCheckpoint(options_.output_dir);
  EXPECT_TRUE(at::equal(mean.tensors.at("x"), at::full({2, 3}, 11.5)));
  EXPECT_EQ(mean.tensors.size(), 2U);
  options_.output_dir += "2";
  options_.use_ema = false;
  AverageCheckpoints(options_);
  EXPECT_TRUE(
      at::equal(LoadLatestCheckpoint(options_.output_dir)->tensors.at("x"),
                at::full({2, 3}, 1.5)));
}

TEST_F(AverageTest, KeepsTheRunsIdentityAndRefusesAnother) {
  Save(10, 1);
  Save(20, 2);
  AverageCheckpoints(options_);
  const RunIdentity run =
      IdentityIn(LoadLatestCheckpoint(options_.output_dir)->meta);
  EXPECT_EQ(run.problem, "p");
  EXPECT_EQ(run.vocabularies.at("inputs").sha256, "a");
  vocabulary_ = "b";
  Save(30, 2);
  try {
    AverageCheckpoints(options_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kMismatch);
    EXPECT_NE(std::string(error.what()).find("vocabulary"), std::string::npos);
  }
}

TEST_F(AverageTest, TooFewWritesNothing) {
  Save(10, 1);
  try {
    AverageCheckpoints(options_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kMissing);
  }
  EXPECT_FALSE(Exists(options_.output_dir));
  options_.n = 0;
  EXPECT_THROW(AverageCheckpoints(options_), Error);
}

}  // namespace
}  // namespace t2t
