#include "t2t/train/gradient_step.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <torch/csrc/autograd/autograd.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/rng.h"
#include "t2t/distributed/testing_job.h"

namespace t2t {
namespace {

constexpr int64_t kVocabulary = 11;

// Each target from the input beside it, with dropout and a further loss; one
// parameter is never used.
class ToyModel : public Model {
 public:
  explicit ToyModel(double dropout)
      : Model({}, {}, /*seed=*/1), dropout_(dropout) {
    embedding_ =
        params_.Create("embedding", {kVocabulary, 6}, NormalInit(0, 0.3));
    params_.Create("unused", {3}, OnesInit());
    kernel_ = params_.Create("kernel", {6, kVocabulary}, NormalInit(0, 0.3));
  }

  at::Tensor Logits(const Features& features, Mode mode) override {
    at::Tensor x = at::embedding(embedding_, features.at("inputs"));
    x = at::dropout(x, dropout_, mode == Mode::kTrain);
    return at::matmul(x, kernel_);
  }

  LossParts Loss(const Features& features, Mode mode) override {
    const at::Tensor targets = features.at("targets").flatten();
    const at::Tensor losses = at::cross_entropy_loss(
        Logits(features, mode).flatten(0, 1), targets, {}, at::Reduction::None);
    const at::Tensor weights = targets.ne(0).to(at::kFloat);
    LossParts parts;
    parts.numerator = losses.mul(weights).sum();
    parts.denominator = weights.sum();
    parts.extra["size"] = kernel_.square().mean();
    return parts;
  }

  std::unique_ptr<DecodeState> StartDecoding(const Features&) override {
    return nullptr;
  }
  at::Tensor DecodeStep(DecodeState*, const at::Tensor&) override { return {}; }

 private:
  const double dropout_;
  at::Tensor embedding_;
  at::Tensor kernel_;
};

// Batches of different sizes.
class ToyInput : public InputPipeline {
 public:
  explicit ToyInput(int64_t end = 1000) : end_(end) {}

  std::optional<Batch> Next() override {
    if (count_ == end_) return std::nullopt;
    Rng rng(Rng::Combine(7, static_cast<uint64_t>(count_++)));
    const auto rows = static_cast<int64_t>(1 + rng.Below(4));
    Batch batch;
    std::vector<int64_t> inputs;
    std::vector<int64_t> targets;
    for (int64_t i = 0; i < rows * 5; ++i) {
      const auto id = static_cast<int64_t>(rng.Below(kVocabulary));
      inputs.push_back(id);
      targets.push_back(id == 0 ? 0 : 1 + id * 3 % 10);
    }
    batch["inputs"] = HostTensor({rows, 5}, inputs);
    batch["targets"] = HostTensor({rows, 5}, targets);
    return batch;
  }
  std::string State() const override { return std::to_string(count_); }
  void Restore(const std::string&) override {}

 private:
  const int64_t end_;
  int64_t count_ = 0;
};

GradientStep::Options Options(int64_t micro_batches, bool deterministic) {
  GradientStep::Options options;
  options.micro_batches = micro_batches;
  options.sum.deterministic = deterministic;
  options.sum.bucket_bytes = 128;
  return options;
}

void ExpectResult(const GradientStep::Result& got, double loss, double weight,
                  const std::vector<at::Tensor>& gradients, bool same_bits) {
  EXPECT_EQ(got.weight, weight);
  if (same_bits) {
    EXPECT_EQ(got.loss, loss);
  } else {
    EXPECT_NEAR(got.loss, loss, 1e-6);
  }
  ASSERT_EQ(got.gradients.size(), gradients.size());
  for (size_t i = 0; i < gradients.size(); ++i) {
    ASSERT_EQ(got.gradients[i].defined(), gradients[i].defined()) << i;
    if (!gradients[i].defined()) continue;
    EXPECT_TRUE(same_bits
                    ? at::equal(got.gradients[i], gradients[i])
                    : at::allclose(got.gradients[i], gradients[i], 1e-5, 1e-7))
        << i;
  }
}

// Without dropout: all batches of a step as one loss.
// What a batch's integers are as, is not seen by a model.
TEST(ToFeaturesTest, IntegersAreLongWhateverTheBatchHolds) {
  Batch batch;
  batch["u8"] = HostTensor({1, 2}, std::vector<uint8_t>{3, 255});
  batch["i32"] = HostTensor({1, 2}, std::vector<int32_t>{3, -70000});
  batch["i64"] = HostTensor({1, 2}, std::vector<int64_t>{3, int64_t{1} << 40});
  batch["f32"] = HostTensor({1, 2}, std::vector<float>{3, 0.5F});
  const void* const floats = batch["f32"].bytes().data();
  const Features features = ToFeatures(std::move(batch));
  const auto longs = [](int64_t second) {
    return at::tensor({int64_t{3}, second}).view({1, 2});
  };
  EXPECT_TRUE(at::equal(features.at("u8"), longs(255)));
  EXPECT_TRUE(at::equal(features.at("i32"), longs(-70000)));
  EXPECT_TRUE(at::equal(features.at("i64"), longs(int64_t{1} << 40)));
  EXPECT_EQ(features.at("u8").scalar_type(), at::kLong);
  EXPECT_EQ(features.at("f32").scalar_type(), at::kFloat);
  // The buffer itself.
  EXPECT_EQ(features.at("f32").const_data_ptr(), floats);
}

TEST(GradientStepTest, RanksGiveTheLossAndGradientsOfOneProcess) {
  for (const bool deterministic : {false, true}) {
    for (const int64_t size : {1, 2, 4}) {
      for (const int64_t batches : {4, 12}) {
        Job job(size);
        job.StartAll([=](ProcessGroup* group) {
          at::set_num_threads(1);
          ToyModel model(0);
          at::Tensor total = at::zeros({});
          at::Tensor weight = at::zeros({});
          ToyInput all;
          for (int64_t i = 0; i < batches; ++i) {
            const LossParts parts =
                model.Loss(ToFeatures(*all.Next()), Mode::kTrain);
            total = total + parts.numerator +
                    parts.extra.at("size") * parts.denominator;
            weight = weight + parts.denominator;
          }
          total = total / weight;
          const std::vector<at::Tensor> gradients = torch::autograd::grad(
              {total}, model.params().Trainable(), {}, std::nullopt, false,
              /*allow_unused=*/true);
          GradientStep step(&model, group, Options(batches, deterministic));
          ToyInput input;
          ExpectResult(step.Run(&input, 3, {}), total.item<double>(),
                       weight.item<double>(), gradients, false);
          // Every rank has read the whole step.
          EXPECT_EQ(input.State(), std::to_string(batches));
          if (group != nullptr) group->Barrier("the end");
        });
        job.ExpectAllWell();
      }
    }
  }
}

TEST(GradientStepTest, TheSameBitsAtAnySize) {
  for (const int64_t size : {2, 3, 4}) {
    for (const int64_t batches : {5, 10}) {
      Job job(size);
      job.StartAll([=](ProcessGroup* group) {
        at::set_num_threads(1);
        ToyModel model(0.3);
        ToyModel same(0.3);
        GradientStep alone(&model, nullptr, Options(batches, true));
        GradientStep step(&same, group, Options(batches, true));
        ToyInput alone_input;
        ToyInput input;
        for (uint64_t seed = 1; seed < 4; ++seed) {
          const GradientStep::Result expected =
              alone.Run(&alone_input, seed, {});
          ExpectResult(step.Run(&input, seed, {}), expected.loss,
                       expected.weight, expected.gradients, true);
        }
        group->Barrier("the end");
      });
      job.ExpectAllWell();
    }
  }
}

TEST(GradientStepTest, SignalsReachAll) {
  Job job(2);
  job.StartAll([](ProcessGroup* group) {
    ToyModel model(0);
    GradientStep step(&model, group, Options(2, false));
    ToyInput input;
    const bool first = group->rank() == 0;
    GradientStep::Signals signals = step.Run(&input, 1, {}).signals;
    EXPECT_EQ(signals.stop, 0);
    EXPECT_FALSE(signals.save);
    // Rank 1's clock does not count.
    signals = step.Run(&input, 2, {first ? 0 : SIGTERM, !first}).signals;
    EXPECT_EQ(signals.stop, SIGTERM);
    EXPECT_FALSE(signals.save);
    signals = step.Run(&input, 3, {first ? SIGINT : SIGTERM, first}).signals;
    EXPECT_EQ(signals.stop, SIGINT);
    EXPECT_TRUE(signals.save);
    group->Barrier("the end");
  });
  job.ExpectAllWell();
}

TEST(GradientStepTest, TheDataEnds) {
  ToyModel model(0);
  GradientStep step(&model, nullptr, Options(2, false));
  ToyInput input(3);
  step.Run(&input, 1, {});
  EXPECT_THROW(step.Run(&input, 1, {}), Error);
}

// What one process has always computed: the mean first, then its gradients.
TEST(GradientStepTest, OneBatchOfOneProcessIsTheMeanToTheBit) {
  at::set_num_threads(1);
  ToyModel model(0.3);
  ToyInput all;
  at::manual_seed(3);
  const LossParts parts = model.Loss(ToFeatures(*all.Next()), Mode::kTrain);
  const std::vector<at::Tensor> gradients = torch::autograd::grad(
      {parts.Total()}, model.params().Trainable(), {}, std::nullopt, false,
      /*allow_unused=*/true);
  GradientStep step(&model, nullptr, Options(1, false));
  EXPECT_TRUE(step.one_batch());
  ToyInput input;
  at::manual_seed(3);
  const GradientStep::Result result = step.Run(&input, 7, {});
  ExpectResult(result, parts.Total().item<double>(),
               parts.denominator.item<double>(), gradients, true);
  EXPECT_TRUE(result.rank_seconds.empty());
  EXPECT_EQ(result.own_tokens, result.weight);
}

}  // namespace
}  // namespace t2t
