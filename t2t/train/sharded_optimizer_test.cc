#include "t2t/train/sharded_optimizer.h"

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

TEST_F(ZeroTest, EachStageEndsWithTheBytesOfOneProcess) {
  for (const char* const optimizer : {"adam", "adafactor"}) {
    const std::string one = std::string(optimizer) + "_one";
    const HParams hparams = ToyHParams(optimizer);
    Train(hparams, Options(Dir(one), 4), 1);
    for (const int stage : {1, 2, 3}) {
      for (const int64_t ranks : {2, 4}) {
        const std::string name = std::string(optimizer) +
                                 std::to_string(stage) + std::to_string(ranks);
        TrainerOptions options = Options(Dir(name), 4);
        options.zero_stage = stage;
        Train(hparams, options, ranks);
        ExpectSameFile(name, one, 4);
      }
    }
  }
}

// A step's numbers of every optimizer, and of everything that is drawn.
TEST_F(ZeroTest, EveryOptimizer) {
  int stage = 2;
  for (const char* const optimizer :
       {"adam_w", "adamw", "momentum", "sgd", "adagrad", "rms_prop", "adadelta",
        "ftrl"}) {
    HParams hparams = ToyHParams(optimizer);
    hparams.Set("grad_noise_scale", 0.1);
    hparams.Set("weight_noise", 1.0);
    Train(hparams, Options(Dir(std::string(optimizer) + "1"), 2), 1);
    TrainerOptions options = Options(Dir(std::string(optimizer) + "3"), 2);
    options.zero_stage = stage;
    Train(hparams, options, 3);
    ExpectSameFile(std::string(optimizer) + "3", std::string(optimizer) + "1",
                   2);
    stage = 5 - stage;
  }
}

TEST_F(ZeroTest, AnyStageAndNumberOfRanksGoesOnFromAnyCheckpoint) {
  const HParams hparams = ToyHParams("adam");
  Train(hparams, Options(Dir("one"), 14), 1);
  int64_t steps = 0;
  const int stages[] = {0, 2, 3, 1, 3, 2, 0};
  const int64_t ranks[] = {1, 2, 4, 4, 3, 3, 1};
  for (int i = 0; i < 7; ++i) {
    steps += 2;
    TrainerOptions options = Options(Dir("changing"), steps);
    options.zero_stage = stages[i];
    Train(hparams, options, ranks[i]);
    ExpectSameFile("changing", "one", steps);
  }
}

TEST_F(ZeroTest, WithoutDeterministicTheLossIsNear) {
  HParams hparams = ToyHParams("adam");
  hparams.Set("optimizer_multistep_accumulate_steps", 2);
  Train(hparams, Options(Dir("one"), 4), 1);
  const auto expected = LoadCheckpoint(CheckpointPath(Dir("one"), 4)).tensors;
  for (const int stage : {0, 1, 2, 3}) {
    for (const bool bf16 : {false, true}) {
      const std::string name = std::to_string(stage) + (bf16 ? "bf16" : "fp32");
      TrainerOptions options = Options(Dir(name), 4);
      options.deterministic = false;
      options.zero_stage = stage;
      options.bf16_gradients = bf16;
      Train(hparams, options, 2);
      const auto got = LoadCheckpoint(CheckpointPath(Dir(name), 4)).tensors;
      for (const char* const key : {"toy/embedding",
                                    "optimizer/adam_m/"
                                    "toy/body/kernel"}) {
        const at::Tensor& a = got.at(key);
        const at::Tensor& b = expected.at(key);
        EXPECT_LT((a - b).norm().item<double>(),
                  (bf16 ? 2e-2 : 1e-4) * b.norm().item<double>())
            << name << " " << key;
      }
    }
  }
}

// What each rank holds, told by it.
TEST_F(ZeroTest, AShareOfTheStateAndOfTheGradients) {
  const HParams hparams = ToyHParams("adam");
  const ToyModel model(hparams);
  const int64_t numbers = 2 * 40 * kVocabulary + kVocabulary + 70;
  for (const int64_t ranks : {2, 4}) {
    Job job(ranks);
    job.StartAll([&](ProcessGroup* group) {
      at::set_num_threads(1);
      const auto report = [&](const char* what, int stage, int64_t bytes) {
        const at::Tensor all = group->AllGather(
            at::full({1}, bytes, at::TensorOptions().dtype(at::kLong)), "test");
        int64_t sum = 0;
        for (int64_t i = 0; i < ranks; ++i) {
          const int64_t share = all[i][0].item<int64_t>();
          sum += share;
          if (group->rank() == 0) {
            std::printf("stage %d, rank %d of %d: %s, %d bytes\n", stage,
                        static_cast<int>(i), static_cast<int>(ranks), what,
                        static_cast<int>(share));
          }
        }
        return sum;
      };
      for (const int stage : {0, 1, 2}) {
        TrainerOptions options = Options(Dir("memory"), 2);
        options.group = group;
        options.zero_stage = stage;
        ToyModel own(hparams);
        Trainer trainer(&own, options, [](uint64_t seed) {
          return std::make_unique<ToyInput>(seed);
        });
        const int64_t state = trainer.optimizer_bytes();
        const int64_t all = report("optimizer's state", stage, state);
        EXPECT_EQ(all, (stage == 0 ? ranks : 1) * 2 * 4 * numbers);
        if (stage > 0) {
          // Within a piece of even.
          EXPECT_NEAR(
              static_cast<double>(state),
              static_cast<double>(8 * numbers) / static_cast<double>(ranks),
              8.0 * Optimizer::kPieceSize);
        }
      }
      group->Barrier("the end");
    });
    job.ExpectAllWell();
  }
}

// All ranks evaluate, with the averages, and find what one process does, to the
// last bit; and all go on with what they had.
TEST_F(ZeroTest, EvaluationsAreThoseOfOneProcess) {
  const HParams hparams = ToyHParams("adam");
  const auto train = [&](const std::string& name, int stage, int64_t ranks) {
    TrainerOptions options = Options(Dir(name), 6);
    options.zero_stage = stage;
    options.sharded_checkpoints = stage == 3 && ranks == 4;
    // Fewer batches than ranks; so many more that some are left over.
    Train(hparams, options, ranks, [&](Trainer* trainer, int64_t step) {
      std::string text;
      for (const int64_t batches : {1, 3, 7}) {
        ToyInput input(17);
        for (const auto& [metric, value] :
             trainer->Evaluate(&input,
                               {"accuracy", "accuracy_top5", "edit_distance",
                                "rouge_2_fscore", "approx_bleu_score"},
                               batches)) {
          text += metric + Format(" %a\n", value);
        }
      }
      MakeDirectories(Dir(name));
      WriteFileAtomically(
          JoinPath(Dir(name), Format("eval%d.%d", static_cast<int>(step),
                                     static_cast<int>(::getpid()))),
          text);
      return step < 4;
    });
  };
  // By step.
  const auto results = [&](const std::string& name) {
    std::multimap<std::string, std::string> texts;
    for (const std::string& file : ListDirectory(Dir(name))) {
      if (!StartsWith(file, "eval")) continue;
      texts.emplace(file.substr(0, 5), ReadFile(JoinPath(Dir(name), file)));
    }
    return texts;
  };
  train("one", 0, 1);
  const auto expected = results("one");
  ASSERT_EQ(expected.size(), 2U);
  EXPECT_NE(expected.begin()->second, expected.rbegin()->second);
  for (const int stage : {0, 1, 2, 3}) {
    for (const int64_t ranks : {2, 4}) {
      const std::string name =
          std::to_string(stage) + "_" + std::to_string(ranks);
      train(name, stage, ranks);
      ExpectSameTensors(name, "one", 4);
      const auto got = results(name);
      EXPECT_EQ(got.size(), 2 * static_cast<size_t>(ranks)) << name;
      for (const auto& [step, text] : got) {
        EXPECT_EQ(text, expected.find(step)->second) << name << ", " << step;
      }
    }
  }
  Train(hparams, Options(Dir("one"), 6), 1);
  TrainerOptions options = Options(Dir("3_2"), 6);
  options.zero_stage = 3;
  Train(hparams, options, 3);
  ExpectSameFile("3_2", "one", 6);
}

TEST_F(ZeroTest, AWarmStartOfSharedParameters) {
  const HParams hparams = ToyHParams("adam");
  Train(hparams, Options(Dir("before"), 2), 1);
  for (const int64_t ranks : {1, 2}) {
    TrainerOptions options = Options(Dir("warm" + std::to_string(ranks)), 2);
    options.warm_start_from = Dir("before");
    options.zero_stage = 3;
    Train(hparams, options, ranks);
  }
  ExpectSameFile("warm1", "warm2", 2);
}

TEST_F(ZeroTest, AModelWithoutUnitsIsRefused) {
  Job job(2);
  job.StartAll([&](ProcessGroup* group) {
    ToyModel model(ToyHParams("adam"), /*params=*/1, /*has_units=*/false);
    TrainerOptions options = Options(Dir("refused"), 2);
    options.group = group;
    options.zero_stage = 3;
    try {
      Trainer trainer(&model, options, nullptr);
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage);
      EXPECT_NE(std::string(error.what()).find("--zero_stage=2"),
                std::string::npos);
    }
    group->Barrier("the end");
  });
  job.ExpectAllWell();
}

}  // namespace
}  // namespace t2t
