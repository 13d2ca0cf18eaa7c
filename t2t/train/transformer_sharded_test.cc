// ZeRO stage 3: a transformer whose parameters are spread over several ranks
// computes what one process does, to the last bit.

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/rng.h"
#include "t2t/distributed/partition.h"
#include "t2t/distributed/testing_job.h"
#include "t2t/input/input.h"
#include "t2t/model/model.h"
#include "t2t/ops/tensor_memory.h"
#include "t2t/parallel/sharded_parameters.h"
#include "t2t/train/gradient_step.h"

namespace t2t {
namespace {

constexpr int64_t kVocab = 21;
constexpr double kRate = 0.5;

struct Case {
  const char* overrides;
  const char* model = "transformer";
  bool has_inputs = true;
};

std::unique_ptr<Model> MakeModel(const Case& given,
                                 const ParamOptions& params = 3) {
  ProblemInfo info;
  if (given.has_inputs) info.features["inputs"].vocab_size = kVocab;
  info.features["targets"].vocab_size = kVocab;
  HParams hparams =
      MakeHParams("transformer_base",
                  "num_hidden_layers=2,hidden_size=16,filter_size=26,"
                  "num_heads=4,layer_prepostprocess_dropout=0.2,"
                  "attention_dropout=0.1,relu_dropout=0.1");
  hparams.Parse(given.overrides);
  return Models().Get(given.model)(hparams, info, params);
}

// Batches with padding, of different sizes; some are too long to go without.
class SomeInput : public InputPipeline {
 public:
  explicit SomeInput(bool one_length) : one_length_(one_length) {}

  std::optional<Batch> Next() override {
    Rng rng(Rng::Combine(7, static_cast<uint64_t>(count_++)));
    const bool long_ones = !one_length_ && count_ == 3;
    const auto rows = long_ones ? 1 : static_cast<int64_t>(1 + rng.Below(3));
    const auto length = static_cast<int64_t>(4 + rng.Below(4));
    Batch batch;
    for (const char* const name : {"inputs", "targets"}) {
      std::vector<int64_t> ids;
      const int64_t width = long_ones                     ? 520
                            : one_length_ || *name == 'i' ? length
                                                          : length + 1;
      for (int64_t i = 0; i < rows; ++i) {
        const auto used =
            1 + static_cast<int64_t>(rng.Below(static_cast<uint64_t>(length)));
        for (int64_t j = 0; j < width; ++j) {
          ids.push_back(
              j < used ? static_cast<int64_t>(2 + rng.Below(kVocab - 2)) : 0);
        }
      }
      batch[name] = HostTensor({rows, width}, ids);
    }
    return batch;
  }
  std::string State() const override { return ""; }
  void Restore(const std::string&) override {}

 private:
  const bool one_length_;
  int64_t count_ = 0;
};

// A model's parameters, spread over the group.
class Sharded {
 public:
  Sharded(Model* model, ProcessGroup* group, int64_t bucket_bytes,
          int64_t cut = 64) {
    std::vector<std::string> names;
    std::vector<int64_t> sizes;
    for (const ParamStore::Entry& entry : model->params().entries()) {
      names.push_back(entry.name);
      sizes.push_back(entry.tensor.numel());
    }
    const std::vector<std::string>& units = model->params().fsdp_units();
    Partition::Options options;
    options.ranks = group->size();
    options.bucket_bytes = bucket_bytes;
    options.shards = Partition::Shards::kOwners;
    options.cut = cut;
    options.groups = ShardedParameters::Groups(names, units);
    partition_ = std::make_shared<Partition>(sizes, options);
    parameters_ = std::make_unique<ShardedParameters>(
        model->params().Trainable(), options.groups, units, partition_, group);
    model->params().set_fsdp(parameters_.get());
    parameters_->Scatter();
  }

  ShardedParameters* parameters() { return parameters_.get(); }

  GradientStep::Options Options(GradientStep::Options options) const {
    options.sum.owners = partition_;
    options.sum.release = true;
    options.sum.in_step = true;
    options.parameters = parameters_.get();
    return options;
  }

  // Of a whole tensor's numbers, those of a run.
  static at::Tensor Part(const at::Tensor& whole, const Partition::Run& run) {
    return whole.detach().flatten().narrow(0, run.begin, run.size);
  }

 private:
  std::shared_ptr<const Partition> partition_;
  std::unique_ptr<ShardedParameters> parameters_;
};

std::unique_ptr<Model> MakeSharedModel(const Case& given, ProcessGroup* group) {
  ParamOptions params(3);
  params.meta = group->rank() > 0;
  return MakeModel(given, params);
}

// A step's gradients: the runs that the rank has are those of one process.
// Takes a step down them on both sides.
void CompareGradients(const Model& model, const GradientStep::Result& expected,
                      const GradientSum& sum, const GradientStep::Result& got,
                      bool deterministic, const std::string& what,
                      Sharded* sharded) {
  const auto& runs = sum.runs();
  ASSERT_EQ(got.gradients.size(), runs.size());
  for (size_t i = 0; i < runs.size(); ++i) {
    const size_t parameter = runs[i].parameter;
    const std::string& name = model.params().entries()[parameter].name;
    ASSERT_EQ(got.gradients[i].defined(),
              expected.gradients[parameter].defined())
        << name;
    if (!got.gradients[i].defined()) continue;
    const at::Tensor wanted =
        Sharded::Part(expected.gradients[parameter], runs[i]);
    const at::Tensor gradient = got.gradients[i].flatten();
    EXPECT_TRUE(deterministic ? at::equal(gradient, wanted)
                              : at::allclose(gradient, wanted, 1e-3, 1e-6))
        << what << ", " << name << ": "
        << (gradient - wanted).abs().max().item<double>();
    sharded->parameters()->own()[i].sub_(gradient, kRate);
  }
  const auto trainable = model.params().Trainable();
  for (size_t i = 0; i < trainable.size(); ++i) {
    if (!expected.gradients[i].defined()) continue;
    trainable[i].detach().sub_(expected.gradients[i], kRate);
  }
}

void ExpectAsOneProcess(const Case& given, int64_t ranks, int64_t micro_batches,
                        bool deterministic) {
  Job job(ranks);
  job.StartAll([&](ProcessGroup* group) {
    at::set_num_threads(1);
    const auto model = MakeModel(given);
    GradientStep::Options options;
    options.micro_batches = micro_batches;
    options.sum.deterministic = deterministic;
    GradientStep alone(model.get(), nullptr, options);
    const auto own_model = MakeSharedModel(given, group);
    Sharded sharded(own_model.get(), group, 4096);
    GradientStep step(own_model.get(), group, sharded.Options(options));
    const bool one_length = std::string(given.model) != "transformer";
    SomeInput alone_input(one_length);
    SomeInput input(one_length);
    const at::NoGradGuard no_grad;
    for (uint64_t seed = 1; seed < 3; ++seed) {
      GradientStep::Result expected, got;
      {
        const at::AutoGradMode grad(true);
        expected = alone.Run(&alone_input, seed, {});
        got = step.Run(&input, seed, {});
      }
      EXPECT_EQ(got.weight, expected.weight);
      if (deterministic) {
        EXPECT_EQ(got.loss, expected.loss);
      } else {
        EXPECT_NEAR(got.loss, expected.loss, 1e-5);
      }
      CompareGradients(
          *model, expected, step.gradient_sum(), got, deterministic,
          std::string(given.overrides) + ", step " + std::to_string(seed),
          &sharded);
    }
    // All of them again on rank 0.
    sharded.parameters()->GatherToFirst();
    const auto& entries = model->params().entries();
    for (size_t i = 0; i < entries.size(); ++i) {
      const at::Tensor& own = own_model->params().entries()[i].tensor;
      EXPECT_EQ(HasMemory(own), group->rank() == 0);
      if (group->rank() > 0) continue;
      EXPECT_TRUE(deterministic
                      ? at::equal(own, entries[i].tensor)
                      : at::allclose(own, entries[i].tensor, 1e-3, 1e-5))
          << entries[i].name;
    }
    group->Barrier("the end");
  });
  job.ExpectAllWell();
}

TEST(TransformerShardedTest, TheBitsOfOneProcess) {
  const std::vector<Case> cases = {
      {""},
      {"", "transformer", false},
      {"num_hidden_layers=3", "transformer_encoder"},
      {"", "evolved_transformer"},
      {"layer_preprocess_sequence=none,layer_postprocess_sequence=dan,"
       "pos=emb,max_length=600,shared_embedding_and_softmax_weights=False"},
      {"self_attention_type=dot_product_relative_v2,max_relative_position=4,"
       "attention_variables_3d=True"},
      {"ffn_layer=local_moe,moe_num_experts=5,moe_k=2"},
      {"ffn_layer=parameter_attention,norm_type=l2"},
      {"activation_dtype=bfloat16"},
      {"ffn_layer=conv_hidden_relu_with_sepconv", "transformer", false},
      {"scheduled_sampling_prob=1.0,scheduled_sampling_warmup_steps=1,"
       "scheduled_sampling_method=parallel,scheduled_sampling_num_passes=2"}};
  for (size_t i = 0; i < cases.size(); ++i) {
    const int64_t ranks = i % 4 == 1 ? 4 : 2;
    ExpectAsOneProcess(cases[i], ranks, ranks, /*deterministic=*/true);
  }
}

// A rank without a batch, in the last round, goes along.
TEST(TransformerShardedTest, AnyNumberOfRanksAndBatches) {
  for (const int64_t ranks : {2, 3, 4}) {
    ExpectAsOneProcess({""}, ranks, 5, true);
  }
}

TEST(TransformerShardedTest, WithoutDeterministicTheLossIsNear) {
  ExpectAsOneProcess({""}, 2, 3, false);
  ExpectAsOneProcess({"ffn_layer=local_moe,moe_num_experts=5,moe_k=2"}, 4, 4,
                     false);
}

// Told by each rank.
TEST(TransformerShardedTest, ARankHasFewOfTheParametersAtATime) {
  const Case large{
      "num_hidden_layers=6,hidden_size=64,filter_size=256,num_heads=4"};
  Job job(4);
  job.StartAll([&](ProcessGroup* group) {
    at::set_num_threads(1);
    const auto model = MakeSharedModel(large, group);
    const int64_t all = 4 * model->params().NumParameters();
    Sharded sharded(model.get(), group, 64 << 10, 1024);
    GradientStep::Options options;
    options.micro_batches = 4;
    GradientStep step(model.get(), group, sharded.Options(options));
    SomeInput input(false);
    step.Run(&input, 1, {});
    const ShardedParameters& parameters = *sharded.parameters();
    const int64_t peak = parameters.peak_bytes();
    const at::Tensor told = group->AllGather(
        at::tensor({parameters.own_bytes(), peak}, at::kLong), "test");
    for (int i = 0; i < 4 && group->rank() == 0; ++i) {
      std::printf("rank %d: %d of %d bytes, in a step at most %d\n", i,
                  static_cast<int>(told[i][0].item<int64_t>()),
                  static_cast<int>(all),
                  static_cast<int>(told[i][1].item<int64_t>()));
    }
    EXPECT_EQ(parameters.bytes(), parameters.own_bytes());
    EXPECT_LT(parameters.own_bytes(), all * 27 / 100);
    EXPECT_LT(peak, all * 6 / 10);
    for (const at::Tensor& parameter : model->params().Trainable()) {
      EXPECT_FALSE(HasMemory(parameter));
    }
    group->Barrier("the end");
  });
  job.ExpectAllWell();
}

TEST(TransformerShardedTest, ALostRankIsNamed) {
  Job job(3);
  job.StartAll([&](ProcessGroup* group) {
    at::set_num_threads(1);
    const auto model = MakeSharedModel({""}, group);
    Sharded sharded(model.get(), group, 4096);
    GradientStep::Options options;
    options.micro_batches = 3;
    GradientStep step(model.get(), group, sharded.Options(options));
    SomeInput input(false);
    step.Run(&input, 1, {});
    if (group->rank() == 1) ::raise(SIGKILL);
    step.Run(&input, 2, {});
  });
  for (const size_t rank : {0, 2}) {
    const Job::End end = job.Wait(rank);
    EXPECT_EQ(end.code, static_cast<int>(ExitCode::kRetry)) << end.message;
    EXPECT_NE(end.message.find("rank 1"), std::string::npos) << end.message;
  }
  EXPECT_EQ(job.Wait(1).code, -SIGKILL);
}

}  // namespace
}  // namespace t2t
