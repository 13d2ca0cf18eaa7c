#ifndef T2T_TRAIN_ZERO_TESTING_H_
#define T2T_TRAIN_ZERO_TESTING_H_

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "t2t/base/fs.h"
#include "t2t/base/rng.h"
#include "t2t/distributed/testing_job.h"
#include "t2t/nn/fsdp.h"
#include "t2t/ops/tensor_memory.h"
#include "t2t/train/trainer.h"

namespace t2t {

// A small model and its runs, for the tests of ZeRO.

inline constexpr int64_t kVocabulary = 900;
inline constexpr char kUnit[] = "toy/body";

inline HParams ToyHParams(const std::string& optimizer) {
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
class ToyModel : public Model {
 public:
  explicit ToyModel(const HParams& hparams, const ParamOptions& params = 1,
                    bool has_units = true)
      : Model(hparams, {}, params) {
    if (has_units) params_.AddFsdpUnit(kUnit);
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
    FsdpHooks* const fsdp = params_.fsdp();
    if (fsdp != nullptr) x = fsdp->Enter(kUnit, x);
    x = at::matmul(x, kernel_) + bias_;
    return fsdp != nullptr ? fsdp->Leave(kUnit, x) : x;
  }

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
    std::vector<int64_t> inputs;
    std::vector<int64_t> targets;
    for (int i = 0; i < 15; ++i) {
      const auto id = static_cast<int64_t>(rng.Below(kVocabulary));
      inputs.push_back(id);
      targets.push_back(id * 3 % kVocabulary);
    }
    batch["inputs"] = HostTensor({3, 5}, inputs);
    batch["targets"] = HostTensor({3, 5}, targets);
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

constexpr int64_t kMicroBatches = 4;

inline TrainerOptions Options(const std::string& dir, int64_t steps) {
  TrainerOptions options;
  options.output_dir = dir;
  options.train_steps = steps;
  options.save_steps = 2;
  options.log_steps = 100;
  options.seed = 5;
  options.threads = 1;
  options.ema_decay = 0.9;
  options.micro_batches = kMicroBatches;
  options.bucket_bytes = 64 << 10;
  options.deterministic = true;
  return options;
}

// A run with these ranks, to its last checkpoint.
using AfterSave = std::function<bool(Trainer*, int64_t step)>;
inline void Train(const HParams& hparams, const TrainerOptions& options,
                  int64_t ranks, const AfterSave& after_save = nullptr) {
  Job job(ranks);
  job.StartAll([&](ProcessGroup* group) {
    at::set_num_threads(1);
    TrainerOptions own = options;
    own.group = group;
    // Rank 0 has its parameters, or no rank has.
    const bool none = own.zero_stage == 3 && ranks % 2 == 0;
    ParamOptions params(1);
    params.meta =
        none || (own.zero_stage == 3 && group != nullptr && group->rank() > 0);
    ToyModel model(hparams, params);
    if (none) own.initial_values = model.params().draws();
    Trainer trainer(&model, own, [](uint64_t seed) {
      return std::make_unique<ToyInput>(seed);
    });
    const int64_t start = trainer.Restore();
    if (none && own.warm_start_from.empty() &&
        (start == 0 || own.sharded_checkpoints)) {
      // No rank has ever had all of them.
      for (const at::Tensor& parameter : model.params().Trainable()) {
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

}  // namespace t2t

#endif  // T2T_TRAIN_ZERO_TESTING_H_
