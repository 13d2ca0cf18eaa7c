#include "t2t/problem/mixture.h"

#include <gtest/gtest.h>

#include <cmath>

#include "t2t/base/error.h"
#include "t2t/problem/problem.h"

namespace t2t {
namespace {

using Ids = std::vector<int64_t>;
using Doubles = std::vector<double>;

Mixture OfTasks(size_t members) {
  Mixture mixture;
  for (size_t i = 0; i < members; ++i) {
    mixture.members.push_back("m" + std::to_string(i));
  }
  return mixture;
}

HParams Schedule(const std::string& name, double most, double share) {
  HParams hparams;
  hparams.Add("multiproblem_mixing_schedule", name);
  hparams.Add("multiproblem_schedule_max_examples", most);
  hparams.Add("multiproblem_schedule_threshold", share);
  hparams.Add("multiproblem_per_task_threshold", "");
  return hparams;
}

void ExpectRates(const Doubles& rates, const Doubles& expected) {
  ASSERT_EQ(rates.size(), expected.size());
  for (size_t i = 0; i < rates.size(); ++i) {
    EXPECT_NEAR(rates[i], expected[i], 1e-9) << i;
  }
}

TEST(MixtureTest, T2TsSchedules) {
  const Mixture three = OfTasks(3);
  const Rates constant = RatesOf(three, Schedule("constant", 100, 0.6));
  ExpectRates(constant(0, 0), {0.4, 0.3, 0.3});
  ExpectRates(constant(1000, 9), {0.4, 0.3, 0.3});
  // 1e-4 of the threshold at the start, all of it at the end; between them
  // 1e-4 ** (the share that is left).
  const Rates grows = RatesOf(three, Schedule("exponential", 100, 0.6));
  ExpectRates(grows(49, 0), {1 - 0.6 * 0.01, 0.3 * 0.01, 0.3 * 0.01});
  EXPECT_NEAR(grows(0, 0)[1], 0.3 * std::pow(1e-4, 0.99), 1e-12);
  ExpectRates(grows(99, 0), {0.4, 0.3, 0.3});
  ExpectRates(grows(5000, 0), {0.4, 0.3, 0.3});
  const Rates first = RatesOf(three, Schedule("pretrain", 100, 0.6));
  ExpectRates(first(99, 0), {1, 0, 0});
  ExpectRates(first(100, 0), {0, 0.5, 0.5});
  // transformer_tall's fine-tuning: from the first example on the tasks.
  ExpectRates(RatesOf(three, Schedule("pretrain", 0, 0.6))(0, 0),
              {0, 0.5, 0.5});
  ExpectRates(RatesOf(three, Schedule("exponential", 0, 0.6))(0, 0),
              {0.4, 0.3, 0.3});
}

TEST(MixtureTest, ThresholdsOfEachTaskGoBeforeTheSchedule) {
  HParams hparams = Schedule("pretrain", 100, 0.5);
  hparams.Set("multiproblem_per_task_threshold", "320, 80,0");
  ExpectRates(RatesOf(OfTasks(3), hparams)(0, 0), {0.8, 0.2, 0});
  for (const char* const wrong : {"320,80", "320,80,x", "0,0,0", "1,-1,2"}) {
    hparams.Set("multiproblem_per_task_threshold", wrong);
    EXPECT_THROW(RatesOf(OfTasks(3), hparams), Error) << wrong;
  }
  EXPECT_THROW(RatesOf(OfTasks(3), Schedule("sometimes", 1, 0.5)), Error);
}

TEST(MixtureTest, RatesOverSteps) {
  const RateSchedule steps = ParseRateSchedule("step @10 1 0 @20 1 3", 2);
  ExpectRates(steps.At(0), {1, 0});
  ExpectRates(steps.At(19), {1, 0});
  ExpectRates(steps.At(20), {0.25, 0.75});
  ExpectRates(steps.At(999), {0.25, 0.75});
  const RateSchedule line =
      ParseRateSchedule("linear @0 1.0 0.0 @100 0.5 0.5 @300 0 1", 2);
  ExpectRates(line.At(50), {0.75, 0.25});
  ExpectRates(line.At(100), {0.5, 0.5});
  ExpectRates(line.At(200), {0.25, 0.75});
  ExpectRates(line.At(301), {0, 1});
  for (const char* const wrong :
       {"", "0 1", "cubic @0 1 1", "step 1 1", "step @0 1", "step @0 1 1 1",
        "step @5 1 1 @5 1 1", "step @0 0 0", "step @x 1 1", "step @0 1 -1"}) {
    EXPECT_THROW(ParseRateSchedule(wrong, 2), Error) << wrong;
  }
}

Problem Text(bool has_inputs) {
  Problem problem;
  if (has_inputs) problem.features["inputs"].vocabulary = Bytes();
  problem.features["targets"].vocabulary = Bytes();
  return problem;
}

// A language model, texts to texts and texts to one of three classes, all of
// bytes.
Problem MixtureOfThree() {
  if (!Problems().Has("mixed_text")) {
    Problems().Add("mixed_text", [] { return Text(false); });
    Problems().Add("mixed_pairs", [] { return Text(true); });
    Problems().Add("mixed_classes", [] {
      Problem problem = Text(true);
      problem.features["targets"].modality = "class_label";
      problem.features["targets"].vocabulary = Labels({"a", "b", "c"});
      return problem;
    });
    Problems().Add("mixed", [] {
      Problem problem = Text(false);
      problem.mixture =
          Mixture{.kind = Mixture::Kind::kTasks,
                  .members = {"mixed_text", "mixed_pairs", "mixed_classes"},
                  .rates = {}};
      return problem;
    });
  }
  return *MakeProblem("mixed");
}

Example Pair(Ids inputs, Ids targets) {
  Example example;
  if (!inputs.empty()) example.features["inputs"] = std::move(inputs);
  example.features["targets"] = std::move(targets);
  return example;
}

TEST(MixtureTest, TasksAndClassesHaveIdsBehindTheVocabulary) {
  const ProblemInfo info = MixtureOfThree().Info("");
  ASSERT_EQ(info.tasks.size(), 3u);
  EXPECT_EQ(info.tasks[2].member, "mixed_classes");
  EXPECT_EQ(info.tasks[0].id, 258);
  EXPECT_EQ(info.tasks[2].id, 260);
  EXPECT_EQ(info.tasks[1].first_label, -1);
  // The byte "0".
  EXPECT_EQ(info.tasks[2].first_label, 50);
  EXPECT_EQ(info.features.at("targets").vocab_size, 258 + 3 + 3);
  EXPECT_FALSE(info.has_inputs());
  HParams hparams;
  ProblemInfo wide = info;
  WidenVocabulary(hparams, &wide);
  EXPECT_EQ(wide.features.at("targets").vocab_size, 264);
  hparams.Add("multiproblem_vocab_size", 1 << 16);
  WidenVocabulary(hparams, &wide);
  EXPECT_EQ(wide.features.at("targets").vocab_size, 1 << 16);
  EXPECT_THROW(MakeProblem("mixed_rev"), Error);
}

// What member i makes of an example, and that its lengths are as it says.
Example Made(size_t i, Example example, const HParams& hparams, Mode mode) {
  const Problem mixture = MixtureOfThree();
  const Problem member = MixtureMember(mixture, i, mixture.Info(""));
  ExampleLengths lengths;
  const std::string record = SerializeExample(example);
  lengths.Read(record);
  EXPECT_TRUE(member.FixedStepsOnLengths(mode, hparams).value()(&lengths));
  EXPECT_TRUE(member.RunFixedSteps(&example, mode, hparams));
  EXPECT_EQ(lengths.features().size(), example.features.size());
  for (const auto& [name, feature] : example.features) {
    EXPECT_EQ(lengths.Find(name)->count,
              static_cast<int64_t>(std::get<Ids>(feature).size()));
  }
  return example;
}

TEST(MixtureTest, AnExampleIsInputsTaskTargets) {
  const HParams none;
  EXPECT_EQ(Made(0, Pair({}, {7, 8, 1}), none, Mode::kTrain).Ints("targets"),
            (Ids{258, 7, 8, 1}));
  const Example pair = Pair({5, 6, 1}, {7, 8, 1});
  const Example joined = Made(1, pair, none, Mode::kEval);
  EXPECT_EQ(joined.Ints("targets"), (Ids{5, 6, 259, 7, 8, 1}));
  EXPECT_FALSE(joined.Has("inputs"));
  const Example asked = Made(1, pair, none, Mode::kPredict);
  EXPECT_EQ(asked.Ints("inputs"), (Ids{5, 6, 259}));
  EXPECT_EQ(asked.Ints("targets"), (Ids{7, 8, 1}));
  EXPECT_EQ(Made(2, Pair({5, 1}, {2}), none, Mode::kTrain).Ints("targets"),
            (Ids{5, 260, 52}));
}

TEST(MixtureTest, TextsAreCutAndFilledUp) {
  HParams hparams;
  hparams.Add("multiproblem_max_input_length", 2);
  hparams.Add("multiproblem_max_target_length", 1);
  hparams.Add("multiproblem_fixed_train_length", 6);
  const Example pair = Pair({4, 5, 6, 1}, {7, 8, 1});
  EXPECT_EQ(Made(1, pair, hparams, Mode::kTrain).Ints("targets"),
            (Ids{4, 5, 259, 7, 0, 0}));
  EXPECT_EQ(Made(1, pair, hparams, Mode::kPredict).Ints("targets"),
            (Ids{7, 8, 1}));
  // A class' inputs are not cut.
  EXPECT_EQ(
      Made(2, Pair({4, 5, 6, 1}, {0}), hparams, Mode::kTrain).Ints("targets"),
      (Ids{4, 5, 6, 260, 50, 0}));
  hparams.Set("multiproblem_fixed_train_length", 2);
  EXPECT_EQ(Made(0, Pair({}, {7, 8, 1}), hparams, Mode::kTrain).Ints("targets"),
            (Ids{258, 7}));
}

TEST(MixtureTest, MembersThatAreEvaluated) {
  HParams hparams;
  EXPECT_EQ(EvaluatedMembers(OfTasks(3), hparams),
            (std::vector<size_t>{0, 1, 2}));
  hparams.Add("multiproblem_target_eval_only", true);
  EXPECT_EQ(EvaluatedMembers(OfTasks(3), hparams), (std::vector<size_t>{1}));
}

}  // namespace
}  // namespace t2t
