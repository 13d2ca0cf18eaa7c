// Checkpoints of runs with ZeRO: in shards, of other runs, damaged.

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/rng.h"
#include "t2t/base/strings.h"
#include "t2t/distributed/testing_job.h"
#include "t2t/ops/tensor_memory.h"
#include "t2t/train/trainer.h"
#include "t2t/train/zero_testing.h"

namespace t2t {
namespace {

// Each rank writes its own share; any stage and number of ranks, with shards or
// without, goes on from it.
TEST_F(ZeroTest, ShardedCheckpoints) {
  for (const char* const optimizer : {"adam", "adafactor"}) {
    const HParams hparams = ToyHParams(optimizer);
    const std::string one = std::string(optimizer) + "_one";
    const std::string changing = std::string(optimizer) + "_changing";
    Train(hparams, Options(Dir(one), 16), 1);
    int64_t steps = 0;
    struct Part {
      int stage;
      int64_t ranks;
      bool shards;
    };
    for (const Part& part :
         {Part{2, 4, true}, Part{3, 3, true}, Part{3, 2, true},
          Part{1, 2, false}, Part{1, 2, true}, Part{0, 2, false},
          Part{3, 4, true}, Part{0, 1, false}}) {
      steps += 2;
      TrainerOptions options = Options(Dir(changing), steps);
      options.keep_checkpoint_max = 2;
      options.zero_stage = part.stage;
      options.sharded_checkpoints = part.shards;
      Train(hparams, options, part.ranks);
      ExpectSameTensors(changing, one, steps);
      EXPECT_EQ(CheckpointFiles(Dir(changing), steps).size(),
                part.shards ? 1 + part.ranks : 1);
    }
    // The older ones went with their shards.
    size_t files = 0;
    for (const std::string& name : ListDirectory(Dir(changing))) {
      if (EndsWith(name, ".safetensors")) ++files;
    }
    EXPECT_EQ(files, 1 + 4 + 1);
  }
}

TEST_F(ZeroTest, ADamagedShardIsADamagedCheckpoint) {
  const HParams hparams = ToyHParams("adam");
  Train(hparams, Options(Dir("one"), 6), 1);
  for (const bool missing : {false, true}) {
    const std::string name = missing ? "missing" : "damaged";
    TrainerOptions options = Options(Dir(name), 4);
    options.zero_stage = 2;
    options.sharded_checkpoints = true;
    Train(hparams, options, 2);
    const std::string shard =
        JoinPath(Dir(name), CheckpointFiles(Dir(name), 4)[2]);
    std::string bytes = ReadFile(shard);
    bytes[bytes.size() / 2] ^= 1;
    if (missing) {
      RemoveFile(shard);
    } else {
      WriteFileAtomically(shard, bytes);
    }
    // A shard without a checkpoint, as a killed job leaves it.
    const std::string lone =
        JoinPath(Dir(name), ShardName(5, "0123abcd", 1, 2));
    WriteFileAtomically(lone, bytes);
    WriteFileAtomically(lone + ".unread", bytes);
    EXPECT_EQ(LoadLatestCheckpoint(Dir(name))->step, 2);
    options.train_steps = 6;
    Train(hparams, options, 3);
    ExpectSameTensors(name, "one", 4);
    ExpectSameTensors(name, "one", 6);
    EXPECT_FALSE(Exists(lone));
    EXPECT_FALSE(Exists(lone + ".unread"));
  }
}

TEST_F(ZeroTest, ShardsNeedOneFolder) {
  Job job(2);
  job.StartAll([&](ProcessGroup* group) {
    ToyModel model(ToyHParams("adam"));
    TrainerOptions options =
        Options(Dir("of" + std::to_string(group->rank())), 2);
    options.group = group;
    options.zero_stage = 1;
    options.sharded_checkpoints = true;
    Trainer trainer(&model, options, [](uint64_t seed) {
      return std::make_unique<ToyInput>(seed);
    });
    trainer.Restore();
    try {
      trainer.Train();
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage);
      EXPECT_NE(std::string(error.what()).find("is not seen by 1 rank"),
                std::string::npos)
          << error.what();
    }
    group->Barrier("the end");
  });
  job.ExpectAllWell();
}

TEST_F(ZeroTest, WhatCannotBeShared) {
  Job job(2);
  job.StartAll([&](ProcessGroup* group) {
    ToyModel model(ToyHParams("yellow_fin"));
    TrainerOptions options = Options(Dir("refused"), 2);
    options.group = group;
    options.zero_stage = 1;
    try {
      Trainer trainer(&model, options, nullptr);
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage);
      EXPECT_NE(std::string(error.what()).find("yellow_fin"),
                std::string::npos);
    }
    group->Barrier("the end");
  });
  job.ExpectAllWell();
}

TEST_F(ZeroTest, AStateThatDoesNotFitIsNamed) {
  Train(ToyHParams("sgd"), Options(Dir("other"), 2), 1);
  Job job(2);
  job.StartAll([&](ProcessGroup* group) {
    at::set_num_threads(1);
    ToyModel model(ToyHParams("adam"));
    TrainerOptions options = Options(Dir("other"), 4);
    options.group = group;
    options.zero_stage = 1;
    Trainer trainer(&model, options, [](uint64_t seed) {
      return std::make_unique<ToyInput>(seed);
    });
    try {
      trainer.Restore();
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kMismatch);
      EXPECT_NE(std::string(error.what()).find("adam_m/toy/"),
                std::string::npos)
          << error.what();
    }
    group->Barrier("the end");
  });
  job.ExpectAllWell();
}

// Ranks that go on from a folder: the one told refuses, with a text, and the
// others hear of it.
void ExpectRefusal(const HParams& hparams, const TrainerOptions& options,
                   int64_t refuses, const std::string& text,
                   const RunIdentity& of_rank_1) {
  Job job(2);
  job.StartAll([&](ProcessGroup* group) {
    at::set_num_threads(1);
    ToyModel model(hparams);
    TrainerOptions own = options;
    own.group = group;
    if (group->rank() == 1) own.identity = of_rank_1;
    try {
      // Or a rank refuses while another is still on its way into the job.
      group->Barrier("all are here");
      Trainer trainer(&model, own, [](uint64_t seed) {
        return std::make_unique<ToyInput>(seed);
      });
      trainer.Restore();
      trainer.Train();
      ADD_FAILURE() << group->rank();
    } catch (const Error& error) {
      if (group->rank() != refuses) return;
      EXPECT_EQ(error.code(), ExitCode::kMismatch);
      EXPECT_NE(std::string(error.what()).find(text), std::string::npos)
          << error.what();
      group->Fail(error.what());
    }
  });
  job.ExpectAllWell();
}

TEST_F(ZeroTest, ARankWithAnotherVocabularyRefuses) {
  TrainerOptions options = Options(Dir("vocabulary"), 2);
  options.identity.vocabularies["targets"] = {"data/vocab", "aaaa"};
  RunIdentity other = options.identity;
  other.vocabularies["targets"].sha256 = "bbbb";
  ExpectRefusal(ToyHParams("adam"), options, 1, "aaaa", other);
}

TEST_F(ZeroTest, ShardsKnowTheVocabulary) {
  TrainerOptions options = Options(Dir("shards"), 2);
  options.zero_stage = 1;
  options.sharded_checkpoints = true;
  options.identity.vocabularies["targets"] = {"data/vocab", "aaaa"};
  Train(ToyHParams("adam"), options, 2);
  options.train_steps = 4;
  options.identity.vocabularies["targets"].sha256 = "bbbb";
  ExpectRefusal(ToyHParams("adam"), options, 0, "sha256 aaaa",
                options.identity);
}

TEST_F(ZeroTest, ShardsOfALargerModelAreRefused) {
  TrainerOptions options = Options(Dir("larger"), 2);
  options.zero_stage = 1;
  options.sharded_checkpoints = true;
  Train(ToyHParams("adam"), options, 2);
  const std::string path = CheckpointPath(Dir("larger"), 2);
  std::map<std::string, std::string> metadata;
  auto tensors = ReadSafetensors(path, &metadata);
  metadata.erase("crc32c");
  metadata.erase("header_crc32c");
  tensors["toy/body/layer_1/kernel"] = at::ones({2});
  WriteSafetensors(path, tensors, metadata);
  options.train_steps = 4;
  ExpectRefusal(ToyHParams("adam"), options, 0, "toy/body/layer_1/kernel",
                options.identity);
}

}  // namespace
}  // namespace t2t
