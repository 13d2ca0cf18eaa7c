#include "t2t/train/trainer.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "t2t/base/crc32c.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/progress.h"
#include "t2t/base/rng.h"
#include "t2t/base/stop.h"
#include "t2t/base/strings.h"
#include "t2t/formats/tfrecord.h"
#include "t2t/train/cost.h"

namespace t2t {
namespace {

constexpr int64_t kVocabulary = 11;

HParams ToyHParams() {
  HParams h;
  h.Add("optimizer", "adam");
  h.Add("optimizer_adam_beta1", 0.9);
  h.Add("optimizer_adam_beta2", 0.98);
  h.Add("optimizer_adam_epsilon", 1e-9);
  h.Add("optimizer_multistep_accumulate_steps", 0);
  h.Add("learning_rate_schedule", "constant");
  h.Add("learning_rate_constant", 0.05);
  h.Add("clip_grad_norm", 1.0);
  h.Add("hidden_size", 6);
  return h;
}

ProblemInfo ToyInfo() {
  ProblemInfo info;
  info.features["targets"].vocab_size = kVocabulary;
  return info;
}

// Each target from the input beside it, with dropout.
class ToyModel : public Model {
 public:
  explicit ToyModel(const HParams& hparams) : Model(hparams, ToyInfo(), 1) {
    const int64_t size = hparams.GetInt("hidden_size");
    embedding_ = params_.Create("toy/embedding", {kVocabulary, size},
                                NormalInit(0, 0.3));
    kernel_ = params_.Create("toy/body/kernel", {size, kVocabulary},
                             NormalInit(0, 0.3));
    params_.CreateBuffer("toy/counter", {2}, OnesInit());
  }

  at::Tensor Logits(const Features& features, Mode mode) override {
    at::Tensor x = at::embedding(embedding_, features.at("inputs"));
    x = at::dropout(x, 0.2, mode == Mode::kTrain);
    return at::matmul(x, kernel_);
  }

  LossParts Loss(const Features& features, Mode mode) override {
    const at::Tensor targets = features.at("targets").flatten();
    const at::Tensor losses = at::cross_entropy_loss(
        Logits(features, mode).flatten(0, 1), targets, {}, at::Reduction::None);
    const at::Tensor weights = targets.ne(0).to(at::kFloat);
    LossParts parts;
    parts.numerator = losses.mul(weights).sum() * spoil_;
    parts.denominator = weights.sum();
    return parts;
  }

  std::unique_ptr<DecodeState> StartDecoding(const Features&) override {
    return nullptr;
  }
  at::Tensor DecodeStep(DecodeState*, const at::Tensor&) override { return {}; }

  double spoil_ = 1.0;

 private:
  at::Tensor embedding_;
  at::Tensor kernel_;
};

class ToyInput : public InputPipeline {
 public:
  explicit ToyInput(uint64_t seed, int64_t end = -1) : seed_(seed), end_(end) {}

  std::optional<Batch> Next() override {
    if (end_ >= 0 && count_ >= end_) return std::nullopt;
    if (count_ == stop_at_) ::raise(SIGTERM);
    Rng rng(Rng::Combine(seed_, static_cast<uint64_t>(count_++)));
    Batch batch;
    std::vector<int64_t> inputs;
    std::vector<int64_t> targets;
    for (int i = 0; i < 20; ++i) {
      const int64_t id = static_cast<int64_t>(rng.Below(kVocabulary));
      inputs.push_back(id);
      targets.push_back(id == 0 ? 0 : 1 + id * 3 % 10);
    }
    batch["inputs"] = HostTensor({4, 5}, inputs);
    batch["targets"] = HostTensor({4, 5}, targets);
    return batch;
  }
  std::string State() const override { return std::to_string(count_); }
  void Restore(const std::string& state) override {
    ASSERT_TRUE(ParseInt(state, &count_));
  }

  int64_t stop_at_ = -1;

 private:
  uint64_t seed_;
  int64_t end_;
  int64_t count_ = 0;
};

std::unique_ptr<InputPipeline> MakeToyInput(uint64_t seed) {
  return std::make_unique<ToyInput>(seed);
}

class TrainerTest : public ::testing::Test {
 protected:
  TrainerTest() : dir_(MakeTempDirectory("trainer")) { UseThreads(2); }
  ~TrainerTest() override { RemoveTree(dir_); }

  TrainerOptions Options(const std::string& name, int64_t steps) const {
    TrainerOptions options;
    options.output_dir = JoinPath(dir_, name);
    options.train_steps = steps;
    options.save_steps = 4;
    options.log_steps = 5;
    options.seed = 5;
    options.ema_decay = 0.9;
    return options;
  }

  std::map<std::string, at::Tensor> Run(const HParams& hparams,
                                        const TrainerOptions& options) {
    ToyModel model(hparams);
    Trainer trainer(&model, options, MakeToyInput);
    trainer.Restore();
    trainer.Train();
    return LoadCheckpoint(
               CheckpointPath(options.output_dir, options.train_steps))
        .tensors;
  }

  const std::string dir_;
};

void ExpectEqual(const std::map<std::string, at::Tensor>& a,
                 const std::map<std::string, at::Tensor>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [name, tensor] : a) {
    EXPECT_TRUE(at::equal(tensor, b.at(name))) << name;
  }
}

TEST_F(TrainerTest, Learns) {
  ToyModel model(ToyHParams());
  TrainerOptions options = Options("learns", 200);
  options.save_steps = 50;
  Trainer trainer(&model, options, MakeToyInput);
  EXPECT_EQ(trainer.Restore(), 0);
  std::vector<int64_t> saved;
  trainer.Train([&](int64_t step) {
    saved.push_back(step);
    return true;
  });
  EXPECT_EQ(saved, (std::vector<int64_t>{50, 100, 150, 200}));
  ToyInput input(99, 3);
  std::map<std::string, double> results =
      EvaluateModel(&model, &input, {"accuracy", "neg_log_perplexity"}, 0);
  EXPECT_GT(results.at("accuracy"), 0.95);
  EXPECT_LT(results.at("loss"), 0.3);
  EXPECT_DOUBLE_EQ(results.at("loss"), -results.at("neg_log_perplexity"));
  // The averages are what WithAverages() shows, and it puts all back.
  const at::Tensor before = model.params().Get("toy/body/kernel").clone();
  trainer.WithAverages([&] {
    EXPECT_FALSE(at::equal(before, model.params().Get("toy/body/kernel")));
  });
  EXPECT_TRUE(at::equal(before, model.params().Get("toy/body/kernel")));
}

TEST_F(TrainerTest, ResumedRunIsTheSameBits) {
  for (const int accumulate : {0, 3}) {
    HParams hparams = ToyHParams();
    hparams.Set("optimizer_multistep_accumulate_steps", accumulate);
    const std::string tag = std::to_string(accumulate);
    const auto whole = Run(hparams, Options("whole" + tag, 12));
    Run(hparams, Options("parts" + tag, 5));
    Run(hparams, Options("parts" + tag, 6));
    ExpectEqual(Run(hparams, Options("parts" + tag, 12)), whole);
  }
}

TEST_F(TrainerTest, GoesOnFromBeforeADamagedCheckpoint) {
  const auto whole = Run(ToyHParams(), Options("whole", 10));
  Run(ToyHParams(), Options("parts", 8));
  const std::string path = CheckpointPath(JoinPath(dir_, "parts"), 8);
  const std::string bytes = ReadFile(path);
  WriteFileAtomically(path, bytes.substr(0, bytes.size() / 2));
  ExpectEqual(Run(ToyHParams(), Options("parts", 10)), whole);
}

TEST_F(TrainerTest, AccumulationIsTheMean) {
  // Twice the same batch is that batch; a step is a batch.
  class Twice : public ToyInput {
   public:
    using ToyInput::ToyInput;
    std::optional<Batch> Next() override {
      if (!kept_) {
        kept_ = ToyInput::Next();
        return kept_;
      }
      return std::exchange(kept_, std::nullopt);
    }
    std::optional<Batch> kept_;
  };
  HParams hparams = ToyHParams();
  hparams.Set("optimizer", "sgd");
  hparams.Set("clip_grad_norm", 0.0);
  const auto results = [&](bool twice) {
    ToyModel model(hparams);
    // No dropout in this comparison.
    Trainer trainer(&model, Options(twice ? "two" : "one", twice ? 2 : 1),
                    [&](uint64_t seed) -> std::unique_ptr<InputPipeline> {
                      if (twice) return std::make_unique<Twice>(seed);
                      return std::make_unique<ToyInput>(seed);
                    });
    trainer.Restore();
    trainer.Train();
    return model.params().Get("toy/body/kernel").detach().clone();
  };
  const at::Tensor one = results(false);
  hparams.Set("optimizer_multistep_accumulate_steps", 2);
  const at::Tensor two = results(true);
  // (Dropout differs from part to part; the step's size is the same.)
  EXPECT_LT((one - two).abs().max().item<double>(), 0.02);
  EXPECT_FALSE(
      at::equal(one, ToyModel(hparams).params().Get("toy/body/kernel")));
}

TEST_F(TrainerTest, DivergedLeavesTheCheckpoints) {
  ToyModel model(ToyHParams());
  const TrainerOptions options = Options("diverged", 10);
  Trainer trainer(&model, options, MakeToyInput);
  trainer.Restore();
  try {
    trainer.Train([&](int64_t step) {
      if (step == 8) model.spoil_ = std::numeric_limits<double>::quiet_NaN();
      return true;
    });
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kDiverged);
    const std::string what = error.what();
    EXPECT_NE(what.find("step 8"), std::string::npos) << what;
    EXPECT_NE(what.find("model.ckpt-8"), std::string::npos) << what;
  }
  EXPECT_EQ(ListCheckpoints(options.output_dir), (std::vector<int64_t>{4, 8}));
  EXPECT_NO_THROW(LoadCheckpoint(CheckpointPath(options.output_dir, 8)));
}

TEST_F(TrainerTest, MismatchNamesTheParameter) {
  Run(ToyHParams(), Options("mismatch", 4));
  HParams hparams = ToyHParams();
  hparams.Set("hidden_size", 7);
  ToyModel model(hparams);
  Trainer trainer(&model, Options("mismatch", 8), MakeToyInput);
  try {
    trainer.Restore();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kMismatch);
    EXPECT_NE(std::string(error.what()).find("toy/embedding"),
              std::string::npos);
  }
}

TEST_F(TrainerTest, SigtermSavesAndSaysSo) {
  const auto whole = Run(ToyHParams(), Options("whole", 9));
  ToyModel model(ToyHParams());
  const TrainerOptions options = Options("stopped", 9);
  Trainer trainer(&model, options, [](uint64_t seed) {
    auto input = std::make_unique<ToyInput>(seed);
    input->stop_at_ = 6;
    return input;
  });
  trainer.Restore();
  CatchStopSignals();
  try {
    trainer.Train();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kPreempted);
  }
  EXPECT_EQ(ListCheckpoints(options.output_dir).back(), 7);
  ResetStopSignal();
  ExpectEqual(Run(ToyHParams(), options), whole);
}

TEST_F(TrainerTest, SomeCheckpointsStayForGood) {
  // So short a time that every checkpoint is one to keep, or so long that none
  // is; the run goes on in between.
  for (const double seconds : {1e-9, 1e9}) {
    TrainerOptions options = Options(seconds < 1 ? "all" : "newest", 8);
    options.keep_checkpoint_max = 1;
    options.keep_every_seconds = seconds;
    Run(ToyHParams(), options);
    options.train_steps = 16;
    Run(ToyHParams(), options);
    EXPECT_EQ(ListCheckpoints(options.output_dir),
              seconds < 1 ? (std::vector<int64_t>{4, 8, 12, 16})
                          : (std::vector<int64_t>{16}));
  }
  // The time counts on where a run goes on: two halves make up a whole.
  TrainerOptions options = Options("halves", 4);
  options.keep_checkpoint_max = 1;
  options.keep_every_seconds = 1e9;
  Run(ToyHParams(), options);
  const std::string path = CheckpointPath(options.output_dir, 4);
  Checkpoint checkpoint = LoadCheckpoint(path);
  Json extra = *checkpoint.meta.Find("extra");
  EXPECT_GT(extra.At("kept_ago").AsDouble(), 0.0);
  extra.Set("kept_ago", 1e9);
  checkpoint.meta.Set("extra", extra);
  SaveCheckpoint(options.output_dir, checkpoint, 0);
  options.train_steps = 12;
  Run(ToyHParams(), options);
  EXPECT_EQ(ListCheckpoints(options.output_dir), (std::vector<int64_t>{8, 12}));
}

TEST_F(TrainerTest, WarmStart) {
  Run(ToyHParams(), Options("first", 4));
  TrainerOptions options = Options("second", 4);
  options.warm_start_from = JoinPath(dir_, "first");
  ToyModel model(ToyHParams());
  Trainer trainer(&model, options, MakeToyInput);
  EXPECT_EQ(trainer.Restore(), 0);
  EXPECT_TRUE(at::equal(model.params().Get("toy/embedding"),
                        LoadLatestCheckpoint(JoinPath(dir_, "first"))
                            ->tensors.at("toy/embedding")));
  options.warm_start_from = JoinPath(dir_, "nowhere");
  options.output_dir = JoinPath(dir_, "third");
  Trainer other(&model, options, MakeToyInput);
  EXPECT_THROW(other.Restore(), Error);
}

TEST_F(TrainerTest, EventsAreFramedRecords) {
  const std::string folder = JoinPath(dir_, "events");
  {
    EventWriter writer(folder, 3);
    writer.Write(7, {{"loss", 1.5}});
  }
  const std::vector<std::string> names = ListDirectory(folder);
  ASSERT_EQ(names.size(), 1u);
  const std::string bytes = ReadFile(JoinPath(folder, names[0]));
  size_t at = 0;
  std::vector<std::string> records;
  while (at < bytes.size()) {
    uint64_t length;
    uint32_t crc;
    std::memcpy(&length, &bytes[at], 8);
    std::memcpy(&crc, &bytes[at + 8], 4);
    EXPECT_EQ(UnmaskCrc(crc), Crc32c(bytes.substr(at, 8)));
    records.push_back(bytes.substr(at + 12, length));
    std::memcpy(&crc, &bytes[at + 12 + length], 4);
    EXPECT_EQ(UnmaskCrc(crc), Crc32c(records.back()));
    at += 16 + length;
  }
  ASSERT_EQ(records.size(), 3u);
  // wall_time; step 7; summary { value { tag: "loss" simple_value: 1.5 } }
  EXPECT_EQ(records[2].substr(9),
            std::string("\x10\x07\x2a\x0d\x0a\x0b\x0a\x04loss\x15", 13) +
                std::string("\x00\x00\xc0\x3f", 4));
}

// The events' files in the order of their names, and of each event the step and
// whether it marks a start (as TensorBoard reads them, which then drops what it
// has read from that step on).
std::vector<std::pair<int64_t, bool>> EventSteps(const std::string& folder) {
  std::vector<std::pair<int64_t, bool>> steps;
  for (const std::string& name : ListDirectory(folder)) {
    if (!StartsWith(name, "events.out.tfevents.")) continue;
    TfRecordReader reader(JoinPath(folder, name));
    std::string event;
    while (reader.Next(&event)) {
      // wall_time, step (below 128 here), then what it is.
      const bool start = event.size() > 11 && event[11] == '\x3a';
      const bool values = event.size() > 11 && event[11] == '\x2a';
      if (start || values) steps.emplace_back(event[10], start);
    }
  }
  return steps;
}

TEST_F(TrainerTest, TensorBoardShowsEveryPointOfAResumedRun) {
  const std::string folder = JoinPath(dir_, "points");
  Run(ToyHParams(), Options("points", 10));
  // A file of a host whose clock is ahead.
  WriteFileAtomically(JoinPath(folder, "events.out.tfevents.9000000000.x.1"),
                      "");
  Run(ToyHParams(), Options("points", 15));
  std::vector<int64_t> shown;
  for (const auto& [step, start] : EventSteps(folder)) {
    if (start) {
      std::erase_if(shown, [&, first = step](int64_t s) { return s >= first; });
    } else {
      shown.push_back(step);
    }
  }
  EXPECT_EQ(shown, (std::vector<int64_t>{5, 10, 15}));
  EXPECT_TRUE(HasEventsAt(folder, 10));
  EXPECT_FALSE(HasEventsAt(folder, 11));
  EXPECT_FALSE(HasEventsAt(JoinPath(dir_, "nowhere"), 10));
}

TEST(CostTest, CountsMatrixProducts) {
  ToyModel model(ToyHParams());
  ToyInput input(1);
  const StepCost cost = MeasureStep(&model, ToFeatures(*input.Next()));
  EXPECT_DOUBLE_EQ(cost.flops, 3.0 * 2.0 * 20 * 6 * kVocabulary);
}

TEST(ProgressTest, Texts) {
  EXPECT_EQ(GroupedText(0), "0");
  EXPECT_EQ(GroupedText(999), "999");
  EXPECT_EQ(GroupedText(1234567), "1,234,567");
  EXPECT_EQ(GroupedText(-1234), "-1,234");
  EXPECT_EQ(DurationText(7.4), "7s");
  EXPECT_EQ(DurationText(65), "1m05s");
  EXPECT_EQ(DurationText(7620), "2h07m");
  EXPECT_EQ(DurationText(-1), "?");
}

}  // namespace
}  // namespace t2t
