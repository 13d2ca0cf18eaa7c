#include "t2t/train/evaluate_model.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/stop.h"
#include "t2t/distributed/testing_job.h"

namespace t2t {
namespace {

// Knows which of the ids comes next, but for some.
class ToyModel : public Model {
 public:
  explicit ToyModel(const ProblemInfo& info = {}) : Model({}, info, 1) {}

  at::Tensor Logits(const Features& features, Mode) override {
    if (before_batch_ != nullptr) before_batch_(batches_);
    ++batches_;
    const at::Tensor targets = features.at("targets");
    return at::one_hot(targets * targets % 10, 10).to(at::kFloat);
  }
  LossParts Loss(const Features&, Mode) override { return {}; }
  std::unique_ptr<DecodeState> StartDecoding(const Features&) override {
    return nullptr;
  }
  at::Tensor DecodeStep(DecodeState*, const at::Tensor&) override { return {}; }

  // Called with the number of batches before this one.
  std::function<void(int64_t)> before_batch_;
  int64_t batches_ = 0;
};

class SomeInput : public InputPipeline {
 public:
  explicit SomeInput(int64_t end) : end_(end) {}

  std::optional<Batch> Next() override {
    if (count_ == end_) return std::nullopt;
    ++count_;
    Batch batch;
    std::vector<int64_t> targets;
    for (int64_t i = 0; i < 4 * (count_ % 3 + 1); ++i) {
      targets.push_back((i + count_) % 10);
    }
    batch["targets"] = HostTensor({count_ % 3 + 1, 4}, targets);
    return batch;
  }
  std::string State() const override { return ""; }
  void Restore(const std::string&) override {}

 private:
  const int64_t end_;
  int64_t count_ = 0;
};

const std::vector<std::string>& Metrics() {
  static const auto* const metrics = new std::vector<std::string>{
      "accuracy",       "accuracy_per_sequence", "edit_distance",
      "rouge_2_fscore", "rouge_L_fscore",        "approx_bleu_score"};
  return *metrics;
}

EvaluationRanks All(ProcessGroup* group) {
  EvaluationRanks ranks;
  ranks.group = group;
  ranks.place = group->rank();
  ranks.places = group->size();
  return ranks;
}

TEST(EvaluateModelTest, RanksShareTheBatches) {
  for (const int64_t batches : {1, 2, 3, 8}) {
    Job job(3);
    job.StartAll([&](ProcessGroup* group) {
      at::set_num_threads(1);
      for (const int64_t most : {0, 5}) {
        ToyModel alone;
        SomeInput alone_input(batches);
        const auto expected =
            EvaluateModel(&alone, &alone_input, Metrics(), most);
        EXPECT_EQ(alone.batches_,
                  most == 0 ? batches : std::min(most, batches));
        EXPECT_GT(expected.at("edit_distance"), 0);
        EXPECT_GT(expected.at("approx_bleu_score"), 0);
        ToyModel model;
        SomeInput input(batches);
        EXPECT_EQ(EvaluateModel(&model, &input, Metrics(), most, All(group)),
                  expected);
        EXPECT_EQ(model.batches_, (alone.batches_ + 2 - group->rank()) / 3);
      }
      // Two of them share a model.
      ToyModel model;
      SomeInput input(batches);
      EvaluationRanks split;
      split.group = group;
      split.counts = group->rank() == 0;
      SomeInput alone_input(batches);
      EXPECT_EQ(EvaluateModel(&model, &input, Metrics(), 0, split),
                EvaluateModel(&model, &alone_input, Metrics(), 0));
      group->Barrier("the end");
    });
    job.ExpectAllWell();
  }
}

TEST(EvaluateModelTest, RanksTakeTheFirstOnesRunningAverages) {
  Job job(2);
  job.StartAll([](ProcessGroup* group) {
    ToyModel model;
    const at::Tensor mean = model.params().CreateBuffer(
        "toy/norm/moving_mean", {2}, ConstantInit(1.0 + group->rank()));
    const at::Tensor memory = model.params().CreateBuffer(
        "toy/memory", {2}, ConstantInit(1.0 + group->rank()));
    SomeInput input(2);
    EvaluateModel(&model, &input, Metrics(), 0, All(group));
    EXPECT_EQ(mean[1].item<double>(), 1.0);
    EXPECT_EQ(memory[1].item<double>(), 1.0 + group->rank());
    group->Barrier("the end");
  });
  job.ExpectAllWell();
}

// Three images of 2 x 2 in colours, twice.
class ImageInput : public SomeInput {
 public:
  ImageInput() : SomeInput(2) {}

  std::optional<Batch> Next() override {
    std::optional<Batch> batch = SomeInput::Next();
    if (!batch) return batch;
    std::vector<int64_t> pixels(36);
    for (size_t i = 0; i < pixels.size(); ++i) {
      pixels[i] = static_cast<int64_t>(i % 10);
    }
    (*batch)["targets"] = HostTensor({3, 2, 2, 3}, pixels);
    return batch;
  }
};

TEST(EvaluateModelTest, TheFirstImagesAreKept) {
  ProblemInfo info;
  info.features["targets"].modality = "image";
  ToyModel model(info);
  ImageInput input;
  std::vector<Image> images;
  EvaluateModel(&model, &input, {}, 0, {}, &images);
  ASSERT_EQ(images.size(), 4u);  // two that are drawn, the same as they are
  EXPECT_EQ(images[2].height, 2);
  EXPECT_EQ(images[2].channels, 3);
  EXPECT_EQ(images[2].pixels,
            (std::vector<uint8_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1}));
  EXPECT_EQ(images[0].pixels,
            (std::vector<uint8_t>{0, 1, 4, 9, 6, 5, 6, 9, 4, 1, 0, 1}));
  EXPECT_EQ(images[3].pixels[0], 2);
  // Text is no image.
  ToyModel of_text;
  SomeInput text(2);
  images.clear();
  EvaluateModel(&of_text, &text, {}, 0, {}, &images);
  EXPECT_TRUE(images.empty());
}

TEST(EvaluateModelTest, NothingToEvaluate) {
  Job job(2);
  job.StartAll([](ProcessGroup* group) {
    ToyModel model;
    SomeInput input(0);
    try {
      EvaluateModel(&model, &input, {}, 0, All(group));
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kBadData);
    }
    group->Barrier("the end");
  });
  job.ExpectAllWell();
}

TEST(EvaluateModelTest, OtherDataOnARank) {
  Job job(3);
  job.StartAll([](ProcessGroup* group) {
    ToyModel model;
    SomeInput input(group->rank() == 1 ? 4 : 5);
    try {
      EvaluateModel(&model, &input, {}, 0, All(group));
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kBadData);
      EXPECT_NE(std::string(error.what()).find("rank 1 has not as many"),
                std::string::npos)
          << error.what();
    }
    group->Barrier("the end");
  });
  job.ExpectAllWell();
}

// A signal to one rank ends it on all of them, after the same batch.
TEST(EvaluateModelTest, AllStopTogether) {
  for (const int signal : {SIGTERM, SIGINT}) {
    Job job(3);
    job.StartAll([&](ProcessGroup* group) {
      CatchStopSignals();
      ToyModel model;
      SomeInput input(1000);
      if (group->rank() == 1) {
        model.before_batch_ = [&](int64_t batches) {
          if (batches == 4) ::raise(signal);
        };
      }
      try {
        EvaluateModel(&model, &input, {}, 0, All(group));
        ADD_FAILURE();
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), signal == SIGTERM ? ExitCode::kPreempted
                                                  : ExitCode::kInterrupted);
      }
      EXPECT_EQ(model.batches_, 5);
      EXPECT_EQ(StopSignal(), signal);
      group->Barrier("the end");
    });
    job.ExpectAllWell();
  }
}

TEST(EvaluateModelTest, ALostRankIsNamed) {
  Job job(3);
  job.StartAll([](ProcessGroup* group) {
    ToyModel model;
    SomeInput input(1000);
    if (group->rank() == 2) {
      model.before_batch_ = [&](int64_t batches) {
        if (batches == 4) ::raise(SIGKILL);
      };
    }
    EvaluateModel(&model, &input, {}, 0, All(group));
  });
  for (const size_t rank : {0, 1}) {
    const Job::End end = job.Wait(rank);
    EXPECT_EQ(end.code, static_cast<int>(ExitCode::kRetry)) << end.message;
    EXPECT_NE(end.message.find("rank 2"), std::string::npos) << end.message;
  }
  EXPECT_EQ(job.Wait(2).code, -SIGKILL);
}

}  // namespace
}  // namespace t2t
