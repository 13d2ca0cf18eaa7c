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
#include "t2t/nn/parameter_units.h"
#include "t2t/ops/tensor_memory.h"
#include "t2t/train/trainer.h"

namespace t2t {
namespace {

constexpr int64_t kVocabulary = 900;
constexpr char kUnit[] = "toy/body";

HParams ToyHParams(const std::string& optimizer) {
  HParams h;
  h.Add("optimizer", optimizer);
  h.Add("optimizer_adam_beta1", 0.9);
  h.Add("optimizer_adam_beta2", 0.98);
  h.Add("optimizer_adam_epsilon", 1e-9);
  h.Add("optimizer_momentum_momentum", 0.9);
  h.Add("optimizer_momentum_nesterov", true);
  h.Add("optimizer_adafactor_beta1", 0.5);
  h.Add("optimizer_adafactor_beta2", 0.99);
  h.Add("optimizer_adafactor_memory_exponent", 0.8);
  h.Add("optimizer_adafactor_clipping_threshold", 1.0);
  h.Add("optimizer_adafactor_multiply_by_parameter_scale", true);
  h.Add("optimizer_adafactor_factored", true);
  h.Add("optimizer_adafactor_decay_type", "pow");
  h.Add("optimizer_multistep_accumulate_steps", 0);
  h.Add("learning_rate_schedule", "constant");
  h.Add("learning_rate_constant", 0.01);
  h.Add("clip_grad_norm", 0.05);
  h.Add("weight_decay", 0.01);
  h.Add("grad_noise_scale", 0.0);
  h.Add("weight_noise", 0.0);
  return h;
}

// Several pieces a parameter, with dropout; one parameter is never used.
class ToyModel : public Model, public ModelWithUnits {
 public:
  explicit ToyModel(const HParams& hparams) : Model(hparams, {}, 1) {
    embedding_ =
        params_.Create("toy/embedding", {kVocabulary, 40}, NormalInit(0, 0.3));
    params_.Create("toy/body/unused", {70}, OnesInit());
    kernel_ = params_.Create("toy/body/kernel", {40, kVocabulary},
                             NormalInit(0, 0.3));
    bias_ = params_.Create("toy/body/bias", {kVocabulary}, ZerosInit());
    params_.CreateBuffer("toy/counter", {2}, OnesInit());
  }

  at::Tensor Logits(const Features& features, Mode mode) override {
    at::Tensor x = at::embedding(embedding_, features.at("inputs"));
    x = at::dropout(x, 0.2, mode == Mode::kTrain);
    x = EnterUnit(kUnit, x);
    return LeaveUnit(kUnit, at::matmul(x, kernel_) + bias_);
  }

  std::vector<std::string> UnitNames() const override { return {kUnit}; }

  LossParts Loss(const Features& features, Mode mode) override {
    const at::Tensor targets = features.at("targets").flatten();
    LossParts parts;
    parts.numerator = at::cross_entropy_loss(
        Logits(features, mode).flatten(0, 1), targets, {}, at::Reduction::Sum);
    parts.denominator = at::full({}, targets.numel());
    return parts;
  }

  std::unique_ptr<DecodeState> StartDecoding(const Features&) override {
    return nullptr;
  }
  at::Tensor DecodeStep(DecodeState*, const at::Tensor&) override { return {}; }

 private:
  at::Tensor embedding_;
  at::Tensor kernel_;
  at::Tensor bias_;
};

class ToyInput : public InputPipeline {
 public:
  explicit ToyInput(uint64_t seed) : seed_(seed) {}

  std::optional<Batch> Next() override {
    Rng rng(Rng::Combine(seed_, static_cast<uint64_t>(count_++)));
    Batch batch;
    HostTensor& inputs = batch["inputs"];
    HostTensor& targets = batch["targets"];
    inputs.shape = targets.shape = {3, 5};
    for (int i = 0; i < 15; ++i) {
      const auto id = static_cast<int64_t>(rng.Below(kVocabulary));
      inputs.ints.push_back(id);
      targets.ints.push_back(id * 3 % kVocabulary);
    }
    return batch;
  }
  std::string State() const override { return std::to_string(count_); }
  void Restore(const std::string& state) override {
    ASSERT_TRUE(ParseInt(state, &count_));
  }

 private:
  const uint64_t seed_;
  int64_t count_ = 0;
};

constexpr int64_t kVirtualRanks = 4;

TrainerOptions Options(const std::string& dir, int64_t steps) {
  TrainerOptions options;
  options.output_dir = dir;
  options.train_steps = steps;
  options.save_steps = 2;
  options.log_steps = 100;
  options.seed = 5;
  options.threads = 1;
  options.ema_decay = 0.9;
  options.virtual_ranks = kVirtualRanks;
  options.bucket_bytes = 64 << 10;
  options.deterministic = true;
  return options;
}

// A run with these ranks, to its last checkpoint.
using AfterSave = std::function<bool(Trainer*, int64_t step)>;
void Train(const HParams& hparams, const TrainerOptions& options, int64_t ranks,
           const AfterSave& after_save = nullptr) {
  Job job(ranks);
  job.StartAll([&](ProcessGroup* group) {
    at::set_num_threads(1);
    TrainerOptions own = options;
    own.group = group;
    std::unique_ptr<ToyModel> model;
    // Rank 0 has its parameters, or no rank has.
    const bool none = own.zero_stage == 3 && ranks % 2 == 0;
    if (none ||
        (own.zero_stage == 3 && group != nullptr && group->rank() > 0)) {
      const AbsentParameters absent;
      model = std::make_unique<ToyModel>(hparams);
      if (none) own.initial_values = absent.draws();
    } else {
      model = std::make_unique<ToyModel>(hparams);
    }
    Trainer trainer(model.get(), own, [](uint64_t seed) {
      return std::make_unique<ToyInput>(seed);
    });
    const int64_t start = trainer.Restore();
    if (none && own.warm_start_from.empty() &&
        (start == 0 || own.sharded_checkpoints)) {
      // No rank has ever had all of them.
      for (const at::Tensor& parameter : model->params().Trainable()) {
        EXPECT_FALSE(HasMemory(parameter));
      }
    }
    trainer.Train([&](int64_t step) {
      return after_save == nullptr || after_save(&trainer, step);
    });
    if (group != nullptr) group->Barrier("the end");
  });
  job.ExpectAllWell();
}

class ZeroTest : public ::testing::Test {
 protected:
  ZeroTest() : dir_(MakeTempDirectory("zero")) {}
  ~ZeroTest() override { RemoveTree(dir_); }

  std::string Dir(const std::string& name) const {
    return JoinPath(dir_, name);
  }

  void ExpectSameFile(const std::string& a, const std::string& b,
                      int64_t step) const {
    EXPECT_EQ(ReadFile(CheckpointPath(Dir(a), step)),
              ReadFile(CheckpointPath(Dir(b), step)))
        << a << " and " << b;
  }

  // Put together out of shards or not.
  void ExpectSameTensors(const std::string& a, const std::string& b,
                         int64_t step) const {
    const Checkpoint one = LoadCheckpoint(CheckpointPath(Dir(a), step));
    const Checkpoint other = LoadCheckpoint(CheckpointPath(Dir(b), step));
    EXPECT_EQ(one.meta.ToString(), other.meta.ToString());
    ASSERT_EQ(one.tensors.size(), other.tensors.size()) << a << " and " << b;
    for (const auto& [name, tensor] : one.tensors) {
      EXPECT_TRUE(at::equal(tensor, other.tensors.at(name)))
          << name << " of " << a << " and " << b;
    }
  }

  const std::string dir_;
};

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
    class Whole : public ToyModel {
     public:
      using ToyModel::ToyModel;
      std::vector<std::string> UnitNames() const override { return {}; }
    };
    Whole model(ToyHParams("adam"));
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
    Trainer trainer(&model, own, [](uint64_t seed) {
      return std::make_unique<ToyInput>(seed);
    });
    try {
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
