// t2t-trainer with --mesh_shape: a model over several ranks trains as in one.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/base/subprocess.h"
#include "t2t/checkpoint/checkpoint.h"

namespace t2t {
namespace {

constexpr int64_t kSteps = 12;

class MeshTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    dir_ = MakeTempDirectory("mesh");
    one_ = Train("one", {"--generate_data"});
    ASSERT_EQ(one_.code, 0) << one_.output;
  }

  // A step takes two batches whatever the mesh; with dropout and clipping.
  static RunResult Train(const std::string& name,
                         const std::vector<std::string>& more,
                         const std::string& hparams = "") {
    return RunProgram(Command(name, more, hparams));
  }

  static std::vector<std::string> Command(const std::string& name,
                                          const std::vector<std::string>& more,
                                          const std::string& hparams = "") {
    std::vector<std::string> command = {
        "t2t/bin/trainer/t2t-trainer",
        "--problem=translate_numbers_ende",
        "--model=transformer",
        "--hparams_set=transformer_tiny",
        "--hparams=batch_size=100,hidden_size=16,filter_size=36,num_heads=4,"
        "num_hidden_layers=1,learning_rate_warmup_steps=10,"
        "layer_prepostprocess_dropout=0.1,attention_dropout=0.1,"
        "relu_dropout=0.1,clip_grad_norm=0.5",
        "--hparams=" + hparams,  // what it names counts, not the above
        "--data_dir=" + JoinPath(dir_, "data"),
        "--tmp_dir=" + JoinPath(dir_, "tmp"),
        "--output_dir=" + Out(name),
        "--schedule=train",
        "--virtual_ranks=2",
        "--threads=1",
        "--ema_decay=0.9",
        "--train_steps=" + std::to_string(kSteps),
        "--local_eval_frequency=6",
        "--log_step_count_steps=1"};
    command.insert(command.end(), more.begin(), more.end());
    return command;
  }

  static std::string Out(const std::string& name) {
    return JoinPath(dir_, name);
  }

  // Of the lines that have `mark`.
  static std::vector<double> Losses(const std::string& output,
                                    const std::string& mark = "  lr ") {
    constexpr char kLoss[] = "  loss ";
    std::vector<double> losses;
    for (const std::string& line : Split(output, '\n')) {
      const size_t at = line.find(kLoss);
      if (at == std::string::npos || line.find(mark) == std::string::npos) {
        continue;
      }
      losses.push_back(std::atof(line.c_str() + at + sizeof(kLoss) - 1));
    }
    return losses;
  }

  static void ExpectAsOne(const std::string& name, const RunResult& run) {
    ExpectSame(name, run, "one", one_);
  }

  static void ExpectSame(const std::string& name, const RunResult& run,
                         const std::string& one_name, const RunResult& one) {
    ASSERT_EQ(run.code, 0) << run.output;
    ASSERT_EQ(one.code, 0) << one.output;
    const std::vector<double> expected = Losses(one.output);
    const std::vector<double> losses = Losses(run.output);
    ASSERT_EQ(expected.size(), static_cast<size_t>(kSteps)) << one.output;
    ASSERT_EQ(losses.size(), expected.size()) << run.output;
    for (size_t i = 0; i < losses.size(); ++i) {
      EXPECT_NEAR(losses[i], expected[i], 2e-4) << name << ", step " << i + 1;
    }
    const Checkpoint whole =
        LoadCheckpoint(CheckpointPath(Out(one_name), kSteps));
    const Checkpoint got = LoadCheckpoint(CheckpointPath(Out(name), kSteps));
    ASSERT_EQ(got.tensors.size(), whole.tensors.size());
    for (const auto& [key, tensor] : whole.tensors) {
      ASSERT_EQ(got.tensors.count(key), 1U) << key;
      EXPECT_EQ(got.tensors.at(key).sizes(), tensor.sizes()) << key;
      EXPECT_TRUE(at::allclose(got.tensors.at(key), tensor, 1e-2, 1e-3))
          << name << ": " << key << " differs by "
          << (got.tensors.at(key) - tensor).abs().max().item<double>();
    }
    EXPECT_EQ(got.meta.At("input").AsString(),
              whole.meta.At("input").AsString());
  }

  static void ExpectSameTensors(const std::string& name,
                                const std::string& other) {
    const Checkpoint a = LoadCheckpoint(CheckpointPath(Out(name), kSteps));
    const Checkpoint b = LoadCheckpoint(CheckpointPath(Out(other), kSteps));
    EXPECT_EQ(a.meta.ToString(), b.meta.ToString());
    ASSERT_EQ(a.tensors.size(), b.tensors.size());
    for (const auto& [key, tensor] : a.tensors) {
      EXPECT_TRUE(at::equal(tensor, b.tensors.at(key)))
          << key << " of " << name << " and " << other;
    }
  }

  static void Expect(const RunResult& run, int code,
                     const std::vector<std::string>& texts) {
    EXPECT_EQ(run.code, code) << run.output;
    for (const std::string& text : texts) {
      EXPECT_NE(run.output.find(text), std::string::npos)
          << "'" << text << "' in: " << run.output;
    }
  }

  static std::string dir_;
  static RunResult one_;
};

std::string MeshTest::dir_;
RunResult MeshTest::one_;

TEST_F(MeshTest, TrainsAsOneRank) {
  ExpectAsOne(
      "two_by_two",
      Train("two_by_two", {"--worker_cpu=4", "--mesh_shape=data:2,model:2"}));
  ExpectAsOne("length",
              Train("length", {"--worker_cpu=2", "--mesh_shape=model:2",
                               "--layout=batch:batch;vocab:model;d_ff:model;"
                               "heads:model;length:model"}));
}

// Every mesh loads every checkpoint.
TEST_F(MeshTest, AnotherMeshAtEachRestart) {
  const struct {
    const char* steps;
    std::vector<std::string> flags;
  } kParts[] = {{"3", {"--worker_cpu=2", "--mesh_shape=model:2"}},
                {"6", {}},
                {"9", {"--worker_cpu=4", "--mesh_shape=model:4"}},
                {"12", {"--worker_cpu=2"}}};
  RunResult all{0, ""};
  for (const auto& part : kParts) {
    std::vector<std::string> flags = part.flags;
    flags.push_back("--train_steps=" + std::string(part.steps));
    const RunResult run = Train("changing", flags);
    ASSERT_EQ(run.code, 0) << run.output;
    all.output += run.output;
  }
  ExpectAsOne("changing", all);
}

// Optimizers that look at more than a number, and noise, which is drawn as for
// whole parameters; here, too, each goes on from what the other mesh left.
TEST_F(MeshTest, OptimizersOfWholeParameters) {
  for (const std::string optimizer : {"adafactor", "yellow_fin", "adam"}) {
    std::string hparams = "optimizer=" + optimizer;
    if (optimizer == "adam") {
      hparams += ",weight_noise=100.0,grad_noise_scale=0.001";
    }
    const std::string name = optimizer + "_one";
    const RunResult one = Train(name, {}, hparams);
    RunResult mesh{0, ""};
    for (const std::string steps : {"4", "8", "12"}) {
      std::vector<std::string> flags = {"--train_steps=" + steps};
      if (steps != "8") {
        flags.push_back("--worker_cpu=4");
        flags.push_back("--mesh_shape=data:2,model:2");
        // Statistics of rows and columns, in parts.
        if (optimizer != "adam") flags.push_back("--sharded_checkpoints");
      }
      const RunResult run = Train(optimizer, flags, hparams);
      ASSERT_EQ(run.code, 0) << run.output;
      mesh.output += run.output;
    }
    ExpectSame(optimizer, mesh, name, one);
  }
}

// Each rank of the model writes its own part, and reads it when the run goes
// on; nothing else changes.
TEST_F(MeshTest, ShardedCheckpoints) {
  for (const auto& [ranks, mesh] :
       {std::pair("2", "model:2"), std::pair("4", "data:2,model:2")}) {
    const std::vector<std::string> flags = {
        "--deterministic", std::string("--worker_cpu=") + ranks,
        std::string("--mesh_shape=") + mesh};
    std::vector<std::string> sharded = flags;
    sharded.push_back("--sharded_checkpoints");
    const std::string name = std::string("sharded") + ranks;
    RunResult run = Train(name + "_not", flags);
    ASSERT_EQ(run.code, 0) << run.output;
    EXPECT_EQ(CheckpointFiles(Out(name + "_not"), kSteps).size(), 1U);
    // In two runs, where data is split, too.
    if (std::string(ranks) == "4") {
      sharded.push_back("--train_steps=6");
      run = Train(name, sharded);
      ASSERT_EQ(run.code, 0) << run.output;
      sharded.pop_back();
    }
    run = Train(name, sharded);
    ASSERT_EQ(run.code, 0) << run.output;
    EXPECT_EQ(run.output.find("going on at step 6") != std::string::npos,
              std::string(ranks) == "4");
    EXPECT_EQ(CheckpointFiles(Out(name), kSteps).size(), 3U);
    // Not whole in any file.
    const std::string part = ReadFile(CheckpointPath(Out(name), kSteps));
    const std::string whole =
        ReadFile(CheckpointPath(Out(name + "_not"), kSteps));
    EXPECT_LT(part.size(), whole.size() / 2);
    ExpectSameTensors(name, name + "_not");
  }
}

// Out of files with parts of another size, or of a run's share of all.
TEST_F(MeshTest, AnotherMeshAtEachRestartInShards) {
  const std::string shards = "--sharded_checkpoints";
  const struct {
    std::vector<std::string> flags;
    size_t files;
  } kParts[] = {{{"--worker_cpu=4", "--mesh_shape=data:2,model:2", shards}, 3},
                {{"--worker_cpu=4", "--mesh_shape=model:4", shards}, 5},
                {{"--worker_cpu=2", "--zero_stage=2", shards}, 3},
                {{"--worker_cpu=4", "--mesh_shape=data:2,model:2",
                  "--zero_stage=3", shards},
                 5},
                {{"--worker_cpu=2", "--mesh_shape=model:2", shards}, 3},
                {{}, 1}};
  RunResult all{0, ""};
  int64_t steps = 0;
  for (const auto& part : kParts) {
    steps += 2;
    std::vector<std::string> flags = part.flags;
    flags.push_back("--train_steps=" + std::to_string(steps));
    const RunResult run = Train("changing_shards", flags);
    ASSERT_EQ(run.code, 0) << run.output;
    all.output += run.output;
    EXPECT_EQ(CheckpointFiles(Out("changing_shards"), steps).size(),
              part.files);
  }
  ExpectAsOne("changing_shards", all);
}

// ZeRO spreads each part of the model over the ranks that hold it, some of its
// parameters in pieces; the bytes are those of a split model without it.
TEST_F(MeshTest, ZeroWithASplitModel) {
  const std::string hparams =
      "filter_size=3000,weight_noise=100.0,grad_noise_scale=0.001";
  const auto train = [&](const std::string& name, int stage, int64_t steps,
                         bool shards) {
    std::vector<std::string> flags = {"--deterministic", "--worker_cpu=4",
                                      "--mesh_shape=data:2,model:2",
                                      "--zero_stage=" + std::to_string(stage),
                                      "--train_steps=" + std::to_string(steps)};
    if (shards) flags.push_back("--sharded_checkpoints");
    const RunResult run = Train(name, flags, hparams);
    ASSERT_EQ(run.code, 0) << run.output;
    EXPECT_EQ(CheckpointFiles(Out(name), steps).size(), shards ? 5U : 1U);
    if (shards || stage == 0) return;
    EXPECT_TRUE(ReadFile(CheckpointPath(Out(name), steps)) ==
                ReadFile(CheckpointPath(Out("zero0"), steps)))
        << "stage " << stage << ", step " << steps;
  };
  train("zero0", 0, kSteps, false);
  train("zero2", 2, kSteps, false);
  train("zero31", 3, 6, false);
  train("zero31", 1, kSteps, false);
  train("zero_shards", 2, 6, true);
  train("zero_shards", 3, kSteps, true);
  ExpectSameTensors("zero_shards", "zero0");
}

// Parameters alone: averages start from them, the optimizer anew.
TEST_F(MeshTest, ShardsOutOfWeightsAlone) {
  Checkpoint weights = LoadCheckpoint(CheckpointPath(Out("one"), kSteps));
  weights.meta = Json::Object();
  std::erase_if(weights.tensors, [](const auto& item) {
    return StartsWith(item.first, "ema/") ||
           StartsWith(item.first, "optimizer/");
  });
  for (const char* const name : {"weights", "weights_in_shards"}) {
    MakeDirectories(Out(name));
    SaveCheckpoint(Out(name), weights, 0);
    std::vector<std::string> flags = {"--worker_cpu=2", "--mesh_shape=model:2",
                                      "--deterministic", "--train_steps=14"};
    if (StartsWith(name, "weights_")) flags.push_back("--sharded_checkpoints");
    const RunResult run = Train(name, flags);
    ASSERT_EQ(run.code, 0) << run.output;
    EXPECT_NE(run.output.find("weights alone"), std::string::npos);
  }
  const auto end = [](const std::string& name) {
    return LoadCheckpoint(CheckpointPath(Out(name), 14)).tensors;
  };
  const auto whole = end("weights");
  const auto shards = end("weights_in_shards");
  ASSERT_EQ(shards.size(), whole.size());
  for (const auto& [key, tensor] : whole) {
    EXPECT_TRUE(at::equal(tensor, shards.at(key))) << key;
  }
  // Another model's.
  RunResult run = Train("weights_in_shards",
                        {"--worker_cpu=2", "--mesh_shape=model:2",
                         "--sharded_checkpoints", "--train_steps=20"},
                        "hidden_size=24");
  EXPECT_EQ(run.code, 7) << run.output;
  EXPECT_NE(run.output.find("that the model lacks"), std::string::npos)
      << run.output;
  run = Train("weights_in_shards",
              {"--worker_cpu=2", "--mesh_shape=model:2",
               "--sharded_checkpoints", "--train_steps=20"},
              "optimizer=momentum");
  EXPECT_EQ(run.code, 7) << run.output;
  EXPECT_NE(run.output.find("has no 'optimizer/"), std::string::npos);
}

// The ranks of a model evaluate together; all find what one process does.
TEST_F(MeshTest, EvaluatesTogether) {
  const std::vector<std::string> evaluate = {"--schedule=train_and_evaluate",
                                             "--eval_steps=3"};
  const RunResult one = Train("evaluated1", evaluate);
  ASSERT_EQ(one.code, 0) << one.output;
  const std::vector<double> expected =
      Losses(one.output, "evaluation at step ");
  ASSERT_EQ(expected.size(), 2U) << one.output;
  for (const std::string ranks : {"2", "4"}) {
    const std::string name = "evaluated" + ranks;
    std::vector<std::string> flags = evaluate;
    flags.push_back("--mesh_shape=model:2");
    if (ranks == "4") {
      flags.push_back("--zero_stage=3");
      flags.push_back("--sharded_checkpoints");
    }
    std::vector<std::string> several = flags;
    several.push_back("--worker_cpu=" + ranks);
    const RunResult run = Train(name, several);
    ExpectAsOne(name, run);
    const std::vector<double> losses =
        Losses(run.output, "evaluation at step ");
    ASSERT_EQ(losses.size(), 2U) << run.output;
    EXPECT_NEAR(losses[0], expected[0], 2e-4);
    EXPECT_NEAR(losses[1], expected[1], 2e-4);
    // What was written, with a whole model.
    const RunResult alone = Train(
        name,
        {"--schedule=evaluate", "--eval_steps=3", "--mesh_shape=model:2"});
    ASSERT_EQ(alone.code, 0) << alone.output;
    EXPECT_NEAR(Losses(alone.output, "evaluation at step 12").at(0), losses[1],
                2e-4);
    // Rank 0 that is started again when all is over.
    flags.push_back("--worker_replicas=" + ranks);
    flags.push_back("--worker_id=0");
    flags.push_back("--rendezvous=127.0.0.1:1");
    const RunResult over = Train(name, flags);
    ASSERT_EQ(over.code, 0) << over.output;
    EXPECT_NE(over.output.find("without the others"), std::string::npos);
    EXPECT_NEAR(Losses(over.output, "evaluation at step 12").at(0), losses[1],
                2e-4);
  }
}

// Of a rank that neither has rank 0's part of the model nor its batches.
TEST_F(MeshTest, WhatHappensToARankReachesAll) {
  const auto newest = [] {
    const std::vector<int64_t> steps = ListCheckpoints(Out("stopped"));
    return steps.empty() ? -1 : steps.back();
  };
  for (const int signal : {SIGTERM, SIGKILL}) {
    Subprocess run(
        Command("stopped", {"--worker_cpu=4", "--mesh_shape=data:2,model:2",
                            "--train_steps=100000"}));
    const int64_t before = newest();
    while (newest() <= before && !run.EndsWithin(0.02)) {
    }
    const std::string pid = std::to_string(run.pid());
    const std::vector<std::string> ranks =
        Split(ReadFile("/proc/" + pid + "/task/" + pid + "/children"), ' ');
    int64_t victim = 0;
    ASSERT_GE(ranks.size(), 4U) << run.Output();
    ASSERT_TRUE(ParseInt(ranks[3], &victim));
    ::kill(static_cast<pid_t>(victim), signal);
    const double start = NowSeconds();
    EXPECT_EQ(run.Wait(), signal == SIGTERM ? 143 : 138) << run.Output();
    EXPECT_LT(NowSeconds() - start, 15);
    LoadCheckpoint(CheckpointPath(Out("stopped"), newest()));
  }
}

TEST_F(MeshTest, WhatIsRefused) {
  Expect(Train("bad", {"--mesh_shape=data:2,model:2"}), 2,
         {"of 4 ranks, but the job has 1"});
  Expect(Train("bad", {"--worker_cpu=2", "--mesh_shape=modle:2"}), 2,
         {"did you mean 'model'"});
  Expect(Train("bad", {"--worker_cpu=2", "--mesh_shape=model:2",
                       "--layout=d_model:model"}),
         2, {"d_ff:model;heads:model"});
  Expect(
      Train("bad", {"--worker_cpu=2", "--mesh_shape=model:2"}, "num_heads=1"),
      2, {"num_heads=1 split over 2 ranks"});
  Expect(Train("bad", {"--worker_cpu=2", "--mesh_shape=data:2",
                       "--sharded_checkpoints"}),
         2, {"--sharded_checkpoints without --zero_stage"});
  Expect(
      Train("bad",
            {"--worker_cpu=4", "--mesh_shape=data:2,model:2", "--zero_stage=1"},
            "optimizer=adafactor"),
      2, {"optimizer=adafactor, which looks at whole parameters"});
  Expect(Train("bad", {"--mesh_shape=model:2", "--dry_run"}), 2,
         {"a multiple of 2 ranks"});
  EXPECT_TRUE(ListCheckpoints(Out("bad")).empty());
}

}  // namespace
}  // namespace t2t
