#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "launch/app/app.h"
#include "launch/render/yaml.h"
#include "launch/run/cli.h"
#include "launch/run/testing_cli.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

TEST_F(CliTest, KubectlIsCalled) {
  MakeApp();
  EXPECT_EQ(Run("apply train --env=lab"), 0);
  EXPECT_EQ(LastCall(),
            "--context=big --namespace=mt apply --server-side "
            "--field-manager=t2t-launch -f -");
  const std::string input = ReadFile(log_ + ".input");
  Run("show train --env=lab");
  EXPECT_EQ(input, output_);
  EXPECT_EQ(Run("stop train --env=lab"), 0);
  EXPECT_EQ(LastCall(),
            "--context=big --namespace=mt patch "
            "jobsets.jobset.x-k8s.io/ende-train --type=merge "
            "--patch={\"spec\": {\"suspend\": true}}");
  EXPECT_EQ(Run("resume train --env=lab"), 0);
  EXPECT_TRUE(EndsWith(LastCall(), "{\"suspend\": false}}"));
  EXPECT_EQ(Run("events train --env=lab"), 0);
  EXPECT_TRUE(Says("Evicted: low on memory"));
  EXPECT_FALSE(Says("other"));
  EXPECT_EQ(Run("gc --env=lab"), 0);
  EXPECT_EQ(output_, "job.v1.batch/ende-old\n");
  EXPECT_EQ(Run("gc --env=lab --yes"), 0);
  EXPECT_TRUE(
      EndsWith(LastCall(), "delete --ignore-not-found job.v1.batch/ende-old"));
  EXPECT_EQ(Run("doctor --env=lab"), 0);
  EXPECT_TRUE(Says("jobset       yes"));
  EXPECT_EQ(Run("wait train --env=lab"), 0);
  ::setenv("KUBECTL_STATUS", "Failed", 1);
  EXPECT_EQ(Run("wait train --env=lab"), 20);
  ::setenv("KUBECTL_STATUS", "Created", 1);
  EXPECT_EQ(Run("wait train --env=lab --timeout=0.2"), 21);
  EXPECT_EQ(Run("port-forward train --env=lab"), 2);
  Run("generate storage");
  EXPECT_EQ(Run("delete storage --env=lab"), 0);
  EXPECT_TRUE(Says("is kept"));
  EXPECT_EQ(Run("delete storage --env=lab --yes"), 0);
  EXPECT_TRUE(EndsWith(LastCall(), "delete --ignore-not-found -f -"));
  ::setenv("KUBECTL_CODE", "1", 1);
  EXPECT_EQ(Run("apply train --env=lab"), 138);
  EXPECT_EQ(Run("diff train --env=lab"), 1);
  ::setenv("PATH", "/nowhere", 1);
  EXPECT_EQ(Run("apply train --env=lab"), 4);
}

TEST_F(CliTest, Differences) {
  MakeApp();
  Run("env add small --namespace=mt");
  EXPECT_EQ(Run("diff train --env=lab --against=lab"), 0);
  EXPECT_EQ(output_, "");
  EXPECT_EQ(Run("diff train --env=lab --against=small"), 1);
  EXPECT_TRUE(Says("+kind: JobSet"));
  EXPECT_TRUE(Says("-kind: Job\n"));
  EXPECT_EQ(DiffText("a\nb\nc\n", "a\nx\nc\n", "1", "2"),
            "--- 1\n+++ 2\n@@\n a\n-b\n+x\n c\n \n");
}

TEST_F(CliTest, EstimatesBeforeItIsSent) {
  MakeApp();
  EXPECT_EQ(Run("validate --env=lab"), 0);
  EXPECT_TRUE(Says("train, estimated:")) << output_;
  EXPECT_EQ(Run("run train --env=lab --gpus=2 --gpu_type=h100 "
                "--gpu_hour_price=2 --timeout=5"),
            0);
  EXPECT_TRUE(Says("at a cost of")) << output_;
  RemoveFile(log_);
  EXPECT_EQ(Run("run train --env=lab --gpus=1 --gpu_type=t4 "
                "--hparams=hidden_size=8192,filter_size=32768"),
            2);
  EXPECT_TRUE(Says("a GPU has 16.0 GB")) << output_;
  EXPECT_FALSE(Exists(log_));
  EXPECT_EQ(Run("validate train --memory=2Gi --hparams=batch_size=500000"), 0);
  EXPECT_TRUE(Says("warning: a full batch may not fit")) << output_;
}

// What t2t-trainer said is in the app; who has no t2t-trainer renders the same.
TEST_F(CliTest, CostsTravelWithTheApp) {
  ::setenv("PATH", (JoinPath(folder_, "bin") + ":/usr/bin:/bin").c_str(), 1);
  MakeApp();
  const std::string costs = ReadFile("costs.json");
  EXPECT_EQ(Run("show train --env=lab"), 0);
  const std::string shown = output_;
  EXPECT_EQ(Run("validate train --env=lab"), 0);
  const std::string estimated = output_;
  // One question was asked once.
  const std::string asked = ReadFile(log_ + ".asked");
  EXPECT_EQ(std::count(asked.begin(), asked.end(), '\n'), 1) << asked;
  EXPECT_NE(asked.find("--hparams_set=transformer_tiny"), std::string::npos);
  Run("param set train hparams learning_rate=3");
  EXPECT_EQ(ReadFile("costs.json"), costs);
  Run("param set train hparams_set transformer_big --env=lab");
  EXPECT_NE(ReadFile("costs.json"), costs);
  Run("param delete train hparams_set --env=lab");
  Run("param delete train hparams");

  RemoveFile(JoinPath(folder_, "bin/t2t-trainer"));
  EXPECT_EQ(Run("show train --env=lab"), 0);
  EXPECT_EQ(output_, shown);
  EXPECT_EQ(Run("validate train --env=lab"), 0);
  EXPECT_EQ(output_, estimated);
  // What was not asked before stays at its default, and nothing fails.
  testing::internal::CaptureStderr();
  EXPECT_EQ(Run("show train --env=lab --hparams=hidden_size=512"), 0);
  EXPECT_TRUE(Says("memory: \"4Gi\"")) << output_;
  EXPECT_NE(testing::internal::GetCapturedStderr().find("scripts/install.sh"),
            std::string::npos);
  EXPECT_EQ(Run("validate train --hparams=hidden_size=512"), 0);
  EXPECT_TRUE(Says("no estimate: there is no t2t-trainer beside t2t-launch"))
      << output_;
}

// A trainer that refuses, or says what is no answer, is no reason to fail.
TEST_F(CliTest, WithoutAnAnswerThereIsNoEstimate) {
  WriteFileAtomically(JoinPath(folder_, "bin/t2t-trainer"),
                      "#!/bin/bash\necho 'error: no such layer' >&2\nexit 2\n");
  ASSERT_EQ(::chmod(JoinPath(folder_, "bin/t2t-trainer").c_str(), 0755), 0);
  MakeApp();
  EXPECT_EQ(Run("validate train"), 0);
  EXPECT_TRUE(Says("no estimate: t2t-trainer: no such layer")) << output_;
  WriteFileAtomically(JoinPath(folder_, "bin/t2t-trainer"),
                      "#!/bin/bash\necho hello\n");
  ASSERT_EQ(::chmod(JoinPath(folder_, "bin/t2t-trainer").c_str(), 0755), 0);
  EXPECT_EQ(Run("validate train"), 0);
  EXPECT_TRUE(Says("is no JSON")) << output_;
  EXPECT_FALSE(Exists("costs.json"));
}

TEST_F(CliTest, CheckpointsAndTheirClaim) {
  MakeApp();
  Run("generate storage");
  Run("generate train big --hparams_set=transformer_big");
  // Of another claim.
  Run("generate train other --hparams_set=transformer_big --claim=else");
  EXPECT_EQ(Run("validate"), 0);
  EXPECT_TRUE(
      Says("storage, estimated:\n  checkpoints: 44.8 GB of all "
           "trainings, of 100Gi\n"))
      << output_;
  EXPECT_FALSE(Says("do not fit"));
  EXPECT_EQ(Run("validate storage --size=40G"), 0);
  EXPECT_TRUE(Says("warning: they do not fit")) << output_;
}

TEST_F(CliTest, SweepsHere) {
  MakeApp();
  MakeDirectories("bin");
  // The second trial has the least loss, the third fails for good.
  WriteFileAtomically("bin/t2t-trainer", R"sh(#!/bin/bash
case "$*" in
  *learning_rate=0.1*) loss=2.5 ;;
  *learning_rate=0.2*) loss=1.25 ;;
  *learning_rate=0.3*) exit 6 ;;
  *) loss=3 ;;
esac
echo "t2t-metric: loss=9.9 step=9"
echo "t2t-metric: accuracy=0.5 step=99"
echo "t2t-metric: loss=$loss step=99"
echo "step 100  loss 0.1  lr 1, not t2t-metric: loss=0.1 step=100"
)sh");
  ASSERT_EQ(::chmod("bin/t2t-trainer", 0755), 0);
  EXPECT_EQ(Run("sweep train --grid='learning_rate=0.1|0.2' --local"), 2);
  EXPECT_TRUE(Says("workers=1")) << output_;
  EXPECT_FALSE(Exists("components/train-sweep.yaml"));
  Run("param set train workers 1");
  EXPECT_EQ(Run("sweep train --grid='learning_rate=0.1|0.2|0.3|0.4' "
                "--backend=local --bin_dir=bin"),
            20);
  EXPECT_TRUE(Says("best:  loss 1.2500  ende-train-sweep-1  learning_rate=0.2"))
      << output_;
  EXPECT_TRUE(Says("loss 3.0000  ende-train-sweep-3"));
  EXPECT_TRUE(Says("ende-train-sweep-2: no loss (learning_rate=0.3)"));
  // The same again with another grid.
  EXPECT_EQ(Run("sweep train --grid='learning_rate=0.1|0.2' --local "
                "--bin_dir=bin"),
            0);
  EXPECT_EQ(Run("sweep train --grid='learning_rat=0.1' --no_run"), 2);
  EXPECT_TRUE(Says("learning_rate")) << output_;
  // (The refused grid has not replaced the one before.)
  EXPECT_EQ(
      App::Load(".").Resolve("train-sweep", "").params.Map("grid")[0].first,
      "learning_rate");
  EXPECT_EQ(Run("sweep train --name=train --grid=num_heads=2 --no_run"), 2);
  EXPECT_EQ(Run("sweep trian --grid=num_heads=2 --no_run"), 2);
  EXPECT_EQ(Run("sweep train --env=lab --timeout=5"), 0);
  EXPECT_TRUE(Says("t2t-launch logs train-sweep"));
  // Its objects are the sweep's own.
  EXPECT_NE(ReadFile(log_ + ".input")
                .find("app.kubernetes.io/instance: ende-train-sweep"),
            std::string::npos);
}

TEST_F(CliTest, Pipelines) {
  MakeApp();
  MakeDirectories("bin");
  for (const char* const program : {"t2t-trainer", "t2t-datagen"}) {
    const std::string path = JoinPath("bin", program);
    WriteFileAtomically(path, "#!/bin/sh\nmkdir -p .local; echo \"$0\"\n");
    ASSERT_EQ(::chmod(path.c_str(), 0755), 0);
  }
  EXPECT_EQ(Run("pipeline show"), 2);
  EXPECT_FALSE(Exists("components/pipeline.yaml"));
  Run("generate datagen");
  EXPECT_EQ(Run("pipeline show"), 0);
  EXPECT_TRUE(Says("  train-train  after clear-train-train\n")) << output_;
  EXPECT_TRUE(Says("  deploy  after score-train\n"));
  EXPECT_TRUE(Says("pipeline: train, estimated:"));
  EXPECT_EQ(Run("pipeline show --schedule=daily"), 2);
  EXPECT_EQ(Run("pipeline rn"), 2);
  EXPECT_TRUE(Says("'run'"));
  EXPECT_EQ(Run("pipeline run --env=lab --timeout=5"), 0);
  EXPECT_EQ(Run("pipeline run --local --bin_dir=bin"), 20);  // no t2t-decoder
}

TEST_F(CliTest, RunsHere) {
  MakeApp();
  MakeDirectories("bin");
  WriteFileAtomically("bin/t2t-trainer",
                      "#!/bin/sh\necho \"$JOB_COMPLETION_INDEX: $*\"\n");
  ASSERT_EQ(::chmod("bin/t2t-trainer", 0755), 0);
  EXPECT_EQ(Run("run train --env=lab --backend=local --bin_dir=bin"), 0);
  EXPECT_TRUE(Says("[ende-train-worker-0-1] 1: --problem=")) << output_;
  EXPECT_TRUE(Says("/.local/t2t/train/train"));
  EXPECT_FALSE(Exists(log_));
  WriteFileAtomically("bin/t2t-trainer", "#!/bin/sh\nexit 7\n");
  ASSERT_EQ(::chmod("bin/t2t-trainer", 0755), 0);
  EXPECT_EQ(Run("run train --env=lab --local --bin_dir=bin"), 20);
  EXPECT_TRUE(Says("ended with 7, which is not tried again"));
}

}  // namespace
}  // namespace t2t
