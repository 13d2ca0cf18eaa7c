#include "t2t/train/step_monitor.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/base/rng.h"
#include "t2t/distributed/testing_job.h"
#include "t2t/train/peak_record.h"
#include "t2t/train/profiler.h"
#include "t2t/train/slow_rank.h"
#include "t2t/train/trainer.h"

namespace t2t {
namespace {

TEST(SlowRankTest, EachEpisodeIsToldOnce) {
  SlowRankFinder finder(/*window=*/3);
  const auto feed = [&](const std::vector<double>& seconds) {
    std::vector<std::string> told;
    for (int i = 0; i < 3; ++i) {
      for (const std::string& text : finder.Add(seconds)) {
        EXPECT_EQ(i, 2) << text;
        told.push_back(text);
      }
    }
    return told;
  };
  EXPECT_TRUE(feed({0.1, 0.11, 0.1, 0.14}).empty());
  const std::vector<std::string> told = feed({0.1, 0.1, 0.18, 0.1});
  ASSERT_EQ(told.size(), 1u);
  EXPECT_NE(told[0].find("rank 2 is slow: 1.8x the median"), std::string::npos)
      << told[0];
  EXPECT_TRUE(feed({0.1, 0.1, 0.2, 0.1}).empty());
  EXPECT_TRUE(feed({0.1, 0.1, 0.14, 0.1}).empty());  // not yet well again
  EXPECT_EQ(feed({0.1, 0.1, 0.1, 0.1}),
            (std::vector<std::string>{"rank 2 is no longer slow"}));
  EXPECT_EQ(feed({0.1, 0.1, 0.18, 0.1}).size(), 1u);
}

TEST(SlowRankTest, OfTwoTheSlowerOne) {
  SlowRankFinder finder(1);
  const std::vector<std::string> told = finder.Add({0.3, 0.1});
  ASSERT_EQ(told.size(), 1u);
  EXPECT_NE(told[0].find("rank 0 is slow: 3.0x"), std::string::npos);
}

StepMonitor::Step TwoRanks() {
  StepMonitor::Step step;
  step.tokens = 1000;
  step.waited = 0.2;
  step.under_way = 0.8;
  step.times = {0.1, 0.2, 0.3, 0.1};
  step.own_tokens = 400;
  step.own_flops = 4e6;
  step.rank_seconds = {0.6, 0.8};
  step.rank_batches = {1, 1};
  step.rank_tokens = {400, 600};
  return step;
}

TEST(StepMonitorTest, NumbersByHand) {
  StepMonitor monitor({2, 1e8, 0});
  EXPECT_TRUE(monitor.WantsFlops());
  monitor.Add(TwoRanks());
  monitor.Add(TwoRanks());
  EXPECT_FALSE(monitor.WantsFlops());
  const double seconds = 2.0;
  // Rank 0 is busy for 0.7 of each second, rank 1 for 0.9.
  EXPECT_NEAR(monitor.Efficiency(seconds), 0.8, 1e-12);
  // 10,000 FLOPs a token, 1000 tokens a second, over 2e8.
  EXPECT_NEAR(monitor.Utilisation(seconds), 0.05, 1e-12);
  std::map<std::string, double> values = monitor.Values(seconds);
  EXPECT_NEAR(values.at("tokens_per_second_per_rank"), 500, 1e-9);
  EXPECT_NEAR(values.at("rank_1/tokens_per_second"), 600, 1e-9);
  EXPECT_NEAR(values.at("rank_1/compute_seconds"), 0.8, 1e-12);
  EXPECT_NEAR(values.at("exposed_communication_seconds"), 0.2, 1e-12);
  EXPECT_NEAR(values.at("communication_seconds"), 0.8, 1e-12);
  EXPECT_NEAR(values.at("hidden_communication_fraction"), 0.75, 1e-12);
  EXPECT_NEAR(values.at("step_seconds/backward"), 0.3, 1e-12);
  EXPECT_EQ(monitor.LineText(seconds),
            "  500 a rank  efficiency 80%  MFU 5.0%  in 10% fw 20% bw 30% "
            "wait 20% (hidden 75%) opt 10%");
  // What was counted goes on to hold.
  monitor.Reset();
  StepMonitor::Step step = TwoRanks();
  step.own_flops = 0;
  monitor.Add(step);
  EXPECT_NEAR(monitor.Utilisation(1.0), 0.05, 1e-12);
}

TEST(StepMonitorTest, AgainstOneRank) {
  StepMonitor monitor({2, 0, 625});
  EXPECT_FALSE(monitor.WantsFlops());
  monitor.Add(TwoRanks());
  EXPECT_NEAR(monitor.Efficiency(1.0), 0.8, 1e-12);
  EXPECT_EQ(monitor.Values(1.0).count("model_flops_utilisation"), 0u);
  // It is not known what was under way.
  monitor.Reset();
  StepMonitor::Step step = TwoRanks();
  step.under_way = 0;
  monitor.Add(step);
  EXPECT_EQ(monitor.Values(1.0).count("hidden_communication_fraction"), 0u);
  EXPECT_EQ(monitor.LineText(1.0).find("hidden"), std::string::npos);
}

TEST(ProfilerTest, StepsAndPaths) {
  EXPECT_EQ(ParseProfileSteps("3-7").begin, 2);
  EXPECT_EQ(ParseProfileSteps("3-7").end, 7);
  EXPECT_EQ(ParseProfileSteps("1").begin, 0);
  EXPECT_EQ(ParseProfileSteps("1").end, 1);
  for (const char* const bad :
       {"", "0", "0-3", "5-4", "1-2-3", "a", "1-", "-3", "1-101"}) {
    EXPECT_THROW(ParseProfileSteps(bad), Error) << bad;
  }
  EXPECT_EQ(ProfilePath("a/b.json", 0), "a/b.json");
  EXPECT_EQ(ProfilePath("a/b.json", 2), "a/b.rank2.json");
  EXPECT_EQ(ProfilePath("a/b", 2), "a/b.rank2");
}

TEST(ProfilerTest, AFileThatCannotBeIsKnownAtOnce) {
  const std::string folder = MakeTempDirectory("profile");
  WriteFileAtomically(JoinPath(folder, "file"), "x");
  EXPECT_THROW(StepProfiler(JoinPath(folder, "file/p.json"), {0, 1}, 0), Error);
}

// A model whose loss takes as long as it is told.
class SleepyModel : public Model {
 public:
  SleepyModel(const HParams& hparams, int64_t milliseconds)
      : Model(hparams, {}, 1), milliseconds_(milliseconds) {
    kernel_ = params_.Create("kernel", {8, 8}, NormalInit(0, 0.3));
  }
  at::Tensor Logits(const Features&, Mode) override { return {}; }
  LossParts Loss(const Features& features, Mode) override {
    ::usleep(static_cast<useconds_t>(milliseconds_ * 1000));
    LossParts parts;
    parts.numerator =
        at::mm(features.at("inputs").to(at::kFloat), kernel_).square().sum();
    parts.denominator = at::scalar_tensor(4.0);
    return parts;
  }
  std::unique_ptr<DecodeState> StartDecoding(const Features&) override {
    return nullptr;
  }
  at::Tensor DecodeStep(DecodeState*, const at::Tensor&) override { return {}; }

 private:
  const int64_t milliseconds_;
  at::Tensor kernel_;
};

class SameInput : public InputPipeline {
 public:
  std::optional<Batch> Next() override {
    Batch batch;
    batch["inputs"] = HostTensor({4, 8}, std::vector<int64_t>(32, 1));
    return batch;
  }
  std::string State() const override { return ""; }
  void Restore(const std::string&) override {}
};

int Count(const std::string& text, const std::string& part) {
  int count = 0;
  for (size_t at = text.find(part); at != std::string::npos;
       at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

// Names of the events that have a duration.
std::vector<std::string> TraceNames(const std::string& path) {
  std::vector<std::string> names;
  const Json trace = Json::Parse(ReadFile(path));
  for (const Json& event : trace.At("traceEvents").items()) {
    const Json* const kind = event.Find("ph");
    if (kind == nullptr || kind->AsString() != "X") continue;
    EXPECT_GE(event.At("dur").AsDouble(), 0.0);
    names.push_back(event.At("name").AsString());
  }
  return names;
}

TEST(StepMonitorTest, ASlowRankIsNamedAndEveryRankIsProfiled) {
  const std::string folder = MakeTempDirectory("monitor");
  const std::string profile = JoinPath(folder, "trace/p.json");
  Job job(3);
  job.StartAll([&](ProcessGroup* group) {
    at::set_num_threads(1);
    const int64_t rank = group->rank();
    if (::freopen(JoinPath(folder, "rank" + std::to_string(rank)).c_str(), "w",
                  stderr) == nullptr) {
      ::abort();
    }
    HParams hparams;
    hparams.Add("optimizer", "sgd");
    hparams.Add("learning_rate_schedule", "constant");
    hparams.Add("learning_rate_constant", 1e-6);
    SleepyModel model(hparams, rank == 2 ? 40 : 10);
    TrainerOptions options;
    options.output_dir = JoinPath(folder, "out");
    options.train_steps = 45;
    options.log_steps = 45;
    options.group = group;
    options.monitor.ranks = 3;
    options.monitor.peak_flops = 1e9;
    options.profile = ProfilePath(profile, rank);
    options.profile_steps = {2, 4};
    Trainer trainer(&model, options,
                    [](uint64_t) { return std::make_unique<SameInput>(); });
    trainer.Restore();
    trainer.Train();
    group->Barrier("the end");
  });
  job.ExpectAllWell();
  const std::string output = ReadFile(JoinPath(folder, "rank0"));
  EXPECT_EQ(Count(output, " is slow: "), 1) << output;
  EXPECT_EQ(Count(output, "rank 2 is slow: "), 1) << output;
  for (const char* const part : {"tokens/s", " a rank", "efficiency", "MFU",
                                 "in ", "fw ", "bw ", "wait ", "opt "}) {
    EXPECT_EQ(Count(output, part) > 0, true) << part << " in: " << output;
  }
  EXPECT_EQ(Count(ReadFile(JoinPath(folder, "rank1")), "slow"), 0);
  for (int64_t rank = 0; rank < 3; ++rank) {
    const std::vector<std::string> names =
        TraceNames(ProfilePath(profile, rank));
    // Two steps, of which each has one of these.
    for (const char* const name : {"forward", "backward", "optimizer"}) {
      EXPECT_EQ(std::count(names.begin(), names.end(), name), 2)
          << name << " of rank " << rank;
    }
    // Forwards one, backwards one.
    EXPECT_GE(std::count(names.begin(), names.end(), "aten::mm"), 4) << rank;
  }
  EXPECT_EQ(ListDirectory(JoinPath(folder, "trace")).size(), 3u);
}

TEST(PeakRecordTest, KeepsTheBestOfAllStarts) {
  const std::string dir = MakeTempDirectory("peak");
  const std::string path = JoinPath(dir, "peak_flops.json");
  double now = 5;
  const auto measure = [&] { return now; };
  {
    PeakRecord peak(dir, "a", measure);
    EXPECT_EQ(peak.Measure(), 5);
    EXPECT_FALSE(Exists(path));
    peak.Save();
  }
  now = 3;  // the machine is busy
  PeakRecord again(dir, "a", measure);
  EXPECT_EQ(again.Measure(), 5);
  PeakRecord other(dir, "b", measure);
  EXPECT_EQ(other.Measure(), 3);
  other.Save();
  now = 7;
  EXPECT_EQ(again.Measure(), 7);
  again.Save();
  EXPECT_EQ(PeakRecord(dir, "a", measure).best(), 7);
  EXPECT_EQ(PeakRecord(dir, "b", measure).best(), 3);
  WriteFileAtomically(path, "{damaged");
  EXPECT_EQ(PeakRecord(dir, "a", measure).best(), 0);
  RemoveTree(dir);
}

}  // namespace
}  // namespace t2t
