#include "t2t/problem/problem.h"

#include <gtest/gtest.h>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/problem/expected_info.h"

namespace t2t {
namespace {

using Ints = std::vector<int64_t>;

class FakeEncoder : public TextEncoder {
 public:
  explicit FakeEncoder(int64_t size) : size_(size) {}
  Ints Encode(std::string_view text) const override { return {}; }
  std::string Decode(const Ints& ids, bool strip) const override { return ""; }
  std::vector<std::string> DecodeList(const Ints& ids) const override {
    return {};
  }
  int64_t vocab_size() const override { return size_; }

 private:
  int64_t size_;
};

Problem FakeProblem() {
  Problem problem;
  FeatureSpec& inputs = problem.features["inputs"];
  inputs.vocabulary.kind = Vocabulary::Kind::kCustom;
  inputs.vocabulary.load = [](const std::string&) {
    return std::make_shared<FakeEncoder>(10);
  };
  inputs.space_id = 3;
  FeatureSpec& targets = problem.features["targets"];
  targets.modality = "class_label";
  targets.ends_at_eos = false;
  targets.vocabulary = Pixels();
  targets.vocabulary.size = 20;
  targets.space_id = 8;
  problem.steps = {CropAndPrepend()};
  problem.metrics = {"forward"};
  problem.splits = {{DataSplit::kTrain, 7, true}, {DataSplit::kDev, 1, false}};
  problem.takes_text_files = true;
  problem.loss_multiplier = 3;
  problem.dev_inputs = "dev.a";
  problem.dev_targets = "dev.b";
  problem.adjust_hparams = [](HParams* hparams) { hparams->Add("own", 1); };
  problem.on_reversed = [](Problem* reversed) {
    reversed->metrics = {"reversed"};
  };
  return problem;
}

Problem FakeLanguageModel() {
  Problem problem = FakeProblem();
  problem.features.erase("inputs");
  return problem;
}

class FakeNames : public ::testing::Environment {
 public:
  void SetUp() override {
    Problems().Add("fake_problem", FakeProblem);
    Problems().Add("fake_language_model", FakeLanguageModel);
  }
};
[[maybe_unused]] const auto* const names =
    ::testing::AddGlobalTestEnvironment(new FakeNames);

HParams DefaultHParams() {
  HParams hparams;
  hparams.Add("max_input_seq_length", 0);
  hparams.Add("max_target_seq_length", 0);
  hparams.Add("prepend_mode", "none");
  hparams.Add("split_to_length", 0);
  return hparams;
}

Example Pair(Ints inputs, Ints targets) {
  Example example;
  example.features["inputs"] = std::move(inputs);
  example.features["targets"] = std::move(targets);
  return example;
}

TEST(ProblemNameTest, TakesSuffixesOff) {
  EXPECT_EQ(ParseProblemName("a").base_name, "a");
  EXPECT_FALSE(ParseProblemName("a").was_reversed);
  const ProblemSpec rev = ParseProblemName("a_b_rev");
  EXPECT_EQ(rev.base_name, "a_b");
  EXPECT_TRUE(rev.was_reversed);
  EXPECT_FALSE(rev.was_copy);
  for (const char* const name : {"a_rev_copy", "a_copy_rev"}) {
    const ProblemSpec both = ParseProblemName(name);
    EXPECT_EQ(both.base_name, "a");
    EXPECT_TRUE(both.was_reversed);
    EXPECT_TRUE(both.was_copy);
  }
  EXPECT_THROW(ParseProblemName("a_rev_copy_rev"), Error);
  EXPECT_THROW(ParseProblemName("a_copy_copy"), Error);
}

TEST(MakeProblemTest, UnknownNameGetsAHint) {
  try {
    MakeProblem("fake_problm_rev");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_NE(std::string(error.what()).find("did you mean 'fake_problem'"),
              std::string::npos)
        << error.what();
  }
}

TEST(MakeProblemTest, ReversedChangesPlaces) {
  const auto problem = MakeProblem("fake_problem_rev");
  EXPECT_EQ(problem->name, "fake_problem_rev");
  EXPECT_TRUE(problem->was_reversed);
  const ProblemInfo info = problem->Info("");
  EXPECT_EQ(info.name, "fake_problem_rev");
  EXPECT_TRUE(info.was_reversed);
  EXPECT_EQ(info.features.at("inputs").vocab_size, 20);
  EXPECT_EQ(info.features.at("inputs").modality, "class_label");
  EXPECT_EQ(info.features.at("targets").vocab_size, 10);
  EXPECT_EQ(info.input_space_id, 8);
  EXPECT_EQ(info.target_space_id, 3);
  const std::string dir = MakeTempDirectory("problem");
  const std::string shard = dir + "/fake_problem-dev-00000-of-00001";
  WriteFileAtomically(shard, "");
  EXPECT_EQ(problem->DataFiles(dir, DataSplit::kDev),
            std::vector<std::string>{shard});
  EXPECT_EQ(problem->metrics, std::vector<std::string>{"reversed"});

  Example example = Pair({1, 2}, {3});
  example.features["inputs_position"] = Ints{0, 1};
  EXPECT_TRUE(problem->Preprocess(&example, Mode::kTrain, DefaultHParams()));
  EXPECT_EQ(example.Ints("inputs"), Ints({3}));
  EXPECT_EQ(example.Ints("targets"), Ints({1, 2}));
  EXPECT_EQ(example.Ints("targets_position"), Ints({0, 1}));
  EXPECT_FALSE(example.Has("inputs_position"));
}

// Where one fixed step doesn't say what it does to lengths, nothing is known;
// those that draw don't matter, nor do those of another mode.
TEST(ProblemTest, PlansOnLengthsWhereAllItsFixedStepsDo) {
  Problem problem = FakeProblem();
  const HParams hparams = DefaultHParams();
  const StepFunction nothing = [](Example*, const StepContext&) {
    return true;
  };
  const auto plans = [&](Mode mode) {
    return problem.FixedStepsOnLengths(mode, hparams).has_value();
  };
  problem.steps.push_back({.name = "same", .run = nothing, .draws = true});
  EXPECT_TRUE(plans(Mode::kTrain));
  problem.steps.insert(
      problem.steps.begin(),
      {.name = "silent", .run = nothing, .training_only = true});
  EXPECT_FALSE(plans(Mode::kTrain));
  EXPECT_TRUE(plans(Mode::kEval));
  problem.steps[0].lengths = KeepsLengths;
  ASSERT_TRUE(plans(Mode::kTrain));
  ExampleLengths lengths;
  lengths.Set("inputs", FeatureLength::Kind::kIntegers, 7);
  EXPECT_TRUE((*problem.FixedStepsOnLengths(Mode::kTrain, hparams))(&lengths));
  EXPECT_EQ(lengths.Find("inputs")->count, 7);
  problem.steps[0].lengths = [](Mode, const HParams&) -> LengthsStep {
    return
        [](ExampleLengths* given) { return given->Find("inputs")->count < 7; };
  };
  EXPECT_FALSE((*problem.FixedStepsOnLengths(Mode::kTrain, hparams))(&lengths));
}

TEST(MakeProblemTest, ReversedLanguageModelHasInputsOnly) {
  const auto problem = MakeProblem("fake_language_model_rev");
  Example example;
  example.features["targets"] = Ints{3};
  problem->Preprocess(&example, Mode::kTrain, DefaultHParams());
  EXPECT_EQ(example.Ints("inputs"), Ints({3}));
  EXPECT_FALSE(example.Has("targets"));
}

TEST(MakeProblemTest, CopyMakesTheInputsTheTargets) {
  const auto problem = MakeProblem("fake_problem_copy");
  const ProblemInfo info = problem->Info("");
  EXPECT_TRUE(info.was_copy);
  EXPECT_EQ(info.features.at("targets").vocab_size, 10);
  EXPECT_EQ(info.target_space_id, 3);
  Example example = Pair({1, 2}, {3});
  problem->Preprocess(&example, Mode::kTrain, DefaultHParams());
  EXPECT_EQ(example, Pair({1, 2}, {1, 2}));

  // Reversed first, then copied, whatever the order of the suffixes.
  for (const char* const name :
       {"fake_problem_rev_copy", "fake_problem_copy_rev"}) {
    Example other = Pair({1, 2}, {3});
    MakeProblem(name)->Preprocess(&other, Mode::kTrain, DefaultHParams());
    EXPECT_EQ(other, Pair({3}, {3})) << name;
    EXPECT_EQ(MakeProblem(name)->Info("").features.at("targets").vocab_size,
              20);
  }
  EXPECT_THROW(MakeProblem("fake_language_model_copy")->Info(""), Error);
}

TEST(PreprocessTest, Crops) {
  HParams hparams = DefaultHParams();
  hparams.Set("max_input_seq_length", 2);
  hparams.Set("max_target_seq_length", 3);
  Example example = Pair({5, 6, 7}, {8, 9, 10, 11});
  PreprocessExampleCommon(&example, Mode::kTrain, hparams);
  EXPECT_EQ(example, Pair({5, 6}, {8, 9, 10}));
  example = Pair({5}, {8, 9, 10});
  PreprocessExampleCommon(&example, Mode::kTrain, hparams);
  EXPECT_EQ(example, Pair({5}, {8, 9, 10}));
  // No such hparams: T2T's defaults.
  example = Pair({5, 6, 7}, {8, 9, 10, 11});
  PreprocessExampleCommon(&example, Mode::kTrain, HParams());
  EXPECT_EQ(example, Pair({5, 6, 7}, {8, 9, 10, 11}));
}

TEST(PreprocessTest, Prepends) {
  HParams hparams = DefaultHParams();
  hparams.Set("prepend_mode", "prepend_inputs_full_attention");
  hparams.Set("max_input_seq_length", 2);
  hparams.Set("max_target_seq_length", 4);
  // The inputs are cropped first, and the target crop counts what was
  // prepended.
  Example example = Pair({5, 6, 7}, {8, 9});
  PreprocessExampleCommon(&example, Mode::kEval, hparams);
  EXPECT_EQ(example, Pair({5, 6}, {5, 6, 0, 8}));
  example = Pair({5, 6, 7}, {8, 9});
  PreprocessExampleCommon(&example, Mode::kPredict, hparams);
  EXPECT_EQ(example.Ints("partial_targets"), Ints({5, 6, 0}));
  EXPECT_EQ(example.Ints("targets"), Ints({8, 9}));
}

TEST(PreprocessTest, SplitToLengthNeedsThatLength) {
  HParams hparams = DefaultHParams();
  hparams.Set("split_to_length", 2);
  Example example = Pair({5, 6}, {8, 9});
  PreprocessExampleCommon(&example, Mode::kTrain, hparams);
  EXPECT_EQ(example, Pair({5, 6}, {8, 9}));
  example = Pair({5, 6}, {8, 9, 10, 11});
  EXPECT_THROW(PreprocessExampleCommon(&example, Mode::kTrain, hparams), Error);
}

// "_rev" and "_copy" change the data, so nothing of a problem is lost under
// such a name.
TEST(ProblemTest, ModifiedNamesKeepAllElse) {
  for (const char* const name :
       {"fake_problem", "fake_problem_rev", "fake_problem_copy",
        "fake_problem_rev_copy"}) {
    const auto problem = MakeProblem(name);
    EXPECT_TRUE(problem->takes_text_files) << name;
    EXPECT_EQ(problem->data_name, "fake_problem");
    EXPECT_EQ(problem->splits.size(), 2u);
    EXPECT_EQ(problem->Info("").loss_multiplier, 3.0);
    HParams hparams;
    problem->AdjustHParams(&hparams);
    EXPECT_TRUE(hparams.Has("own"));
  }
  EXPECT_EQ(MakeProblem("fake_problem_rev")->dev_inputs, "dev.b");
  EXPECT_EQ(MakeProblem("fake_problem_rev")->dev_targets, "dev.a");
  EXPECT_EQ(MakeProblem("fake_problem_rev_copy")->dev_targets, "dev.b");
}

TEST(ProblemTest, OneVocabularyForAllTextMayBeGiven) {
  const Vocabulary shared = SharedSubwords("p", 8192);
  EXPECT_EQ(shared.file, "vocab.p.8192.subwords");
  Problem problem;
  problem.features["inputs"].vocabulary = shared;
  problem.features["targets"].vocabulary = shared;
  EXPECT_TRUE(problem.TakesVocabulary());
  problem.features["inputs"].vocabulary = SubwordsOf("en", "p", 8192);
  problem.features["targets"].vocabulary = SubwordsOf("zh", "p", 8192);
  EXPECT_FALSE(problem.TakesVocabulary());
  EXPECT_EQ(problem.features["targets"].vocabulary.file,
            "vocab.p.8192.subwords.zh");
  problem.features["inputs"].vocabulary = Bytes();
  problem.features["targets"].vocabulary = Bytes();
  EXPECT_FALSE(problem.TakesVocabulary());
}

Step Count(const std::string& name, bool draws, bool training_only,
           std::vector<std::string>* seen) {
  return {name,
          [=](Example* example, const StepContext& context) {
            seen->push_back(name);
            if (draws) {
              example->features["drawn"] =
                  Ints{static_cast<int64_t>(context.rng.Below(1000000))};
            }
            return true;
          },
          draws, training_only};
}

TEST(StepsTest, WhatIsFixedEndsAtTheFirstStepThatDraws) {
  std::vector<std::string> seen;
  Problem problem;
  problem.steps = {Count("a", false, false, &seen),
                   Count("b", true, true, &seen),
                   Count("c", false, false, &seen)};
  const HParams hparams;
  Example example;
  EXPECT_TRUE(problem.Draws(Mode::kTrain));
  EXPECT_TRUE(problem.RunFixedSteps(&example, Mode::kTrain, hparams));
  EXPECT_EQ(seen, std::vector<std::string>{"a"});
  problem.RunDrawnSteps(&example, Mode::kTrain, hparams, 5);
  EXPECT_EQ(seen, (std::vector<std::string>{"a", "b", "c"}));
  // In evaluations the step isn't run: all is fixed.
  seen.clear();
  EXPECT_FALSE(problem.Draws(Mode::kEval));
  EXPECT_TRUE(problem.RunFixedSteps(&example, Mode::kEval, hparams));
  EXPECT_EQ(seen, (std::vector<std::string>{"a", "c"}));
}

TEST(StepsTest, ASeedSaysWhatIsDrawn) {
  std::vector<std::string> seen;
  Problem problem;
  problem.steps = {Count("b", true, false, &seen)};
  const HParams hparams;
  const auto drawn = [&](uint64_t seed) {
    Example example;
    problem.Preprocess(&example, Mode::kTrain, hparams, seed);
    return example.Ints("drawn")[0];
  };
  EXPECT_EQ(drawn(5), drawn(5));
  EXPECT_NE(drawn(5), drawn(6));
}

TEST(StepsTest, AStepThatDropsAfterADrawIsABug) {
  std::vector<std::string> seen;
  Problem problem;
  problem.steps = {
      Count("b", true, false, &seen),
      {"drop", [](Example*, const StepContext&) { return false; }}};
  Example example;
  EXPECT_THROW(problem.RunDrawnSteps(&example, Mode::kTrain, HParams(), 1),
               Error);
}

TEST(ProblemTest, WhatAShownFeatureEndsWithGoesWithIt) {
  const ProblemInfo forward = MakeProblem("fake_problem")->Info("");
  const ProblemInfo reversed = MakeProblem("fake_problem_rev")->Info("");
  const ProblemInfo copied = MakeProblem("fake_problem_copy")->Info("");
  EXPECT_TRUE(forward.features.at("inputs").ends_at_eos);
  EXPECT_FALSE(forward.features.at("targets").ends_at_eos);
  EXPECT_TRUE(reversed.features.at("targets").ends_at_eos);
  EXPECT_TRUE(copied.features.at("targets").ends_at_eos);
}

TEST(ExpectInfoTest, SaysHowLargeVocabulariesWillBe) {
  Problem problem;
  problem.name = problem.data_name = "p";
  problem.features["inputs"].vocabulary = SharedSubwords("p", 1000);
  problem.features["targets"].vocabulary = Bytes();
  const std::string folder = MakeTempDirectory("expect");
  for (const std::string& data_dir : {std::string(), folder}) {
    const ExpectedInfo expected = ExpectInfo(problem, data_dir);
    EXPECT_FALSE(expected.vocabulary_known);
    EXPECT_EQ(expected.info.features.at("inputs").vocab_size, 1000);
    EXPECT_EQ(expected.info.features.at("inputs").encoder, nullptr);
    EXPECT_EQ(expected.info.features.at("targets").vocab_size, 258);
  }
  WriteFileAtomically(JoinPath(folder, "vocab.p.1000.subwords"),
                      "'<pad>_'\n'<EOS>_'\n'a_'\n");
  const ExpectedInfo known = ExpectInfo(problem, folder);
  EXPECT_TRUE(known.vocabulary_known);
  EXPECT_EQ(known.info.features.at("inputs").vocab_size, 3);
  // One that is there and can't be read is no missing one.
  WriteFileAtomically(JoinPath(folder, "vocab.p.1000.subwords"), "\xff");
  EXPECT_THROW(ExpectInfo(problem, folder), Error);
  RemoveTree(folder);
}

// Nobody says how many labels a text will have.
TEST(ExpectInfoTest, ThrowsWhereNoSizeIsSaid) {
  Problem problem;
  problem.name = problem.data_name = "p";
  Vocabulary& labels = problem.features["targets"].vocabulary;
  labels.kind = Vocabulary::Kind::kLabelFile;
  labels.file = "labels";
  try {
    ExpectInfo(problem, "");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kMissing);
    EXPECT_NE(std::string(error.what()).find("t2t-datagen --problem=p"),
              std::string::npos);
  }
}

}  // namespace
}  // namespace t2t
