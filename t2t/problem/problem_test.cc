#include "t2t/problem/problem.h"

#include <gtest/gtest.h>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"

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

class FakeProblem : public Problem {
 public:
  void Generate(const GenerateOptions& options) const override {}
  ProblemInfo Info(const std::string& data_dir) const override {
    ProblemInfo info;
    info.name = name();
    info.input_space_id = 3;
    info.target_space_id = 8;
    if (name() != "fake_language_model") {
      info.features["inputs"].vocab_size = 10;
      info.features["inputs"].encoder = std::make_shared<FakeEncoder>(10);
    }
    info.features["targets"].vocab_size = 20;
    info.features["targets"].modality = "class_label";
    info.features["targets"].ends_at_eos = false;
    return info;
  }
  std::vector<std::string> DataFiles(const std::string& data_dir,
                                     DataSplit split) const override {
    return {data_dir + "/" + name() + "-" + SplitName(split)};
  }
  bool Preprocess(Example* example, Mode mode,
                  const HParams& hparams) const override {
    PreprocessExampleCommon(example, mode, hparams);
    return true;
  }
  std::vector<std::string> EvalMetrics() const override {
    return {was_reversed() ? "reversed" : "forward"};
  }
};

class FakeNames : public ::testing::Environment {
 public:
  void SetUp() override {
    AddProblem<FakeProblem>(Problems(), "fake_problem");
    AddProblem<FakeProblem>(Problems(), "fake_language_model");
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
  EXPECT_EQ(problem->name(), "fake_problem_rev");
  EXPECT_TRUE(problem->was_reversed());
  const ProblemInfo info = problem->Info("");
  EXPECT_EQ(info.name, "fake_problem_rev");
  EXPECT_TRUE(info.was_reversed);
  EXPECT_EQ(info.features.at("inputs").vocab_size, 20);
  EXPECT_EQ(info.features.at("inputs").modality, "class_label");
  EXPECT_EQ(info.features.at("targets").vocab_size, 10);
  EXPECT_EQ(info.input_space_id, 8);
  EXPECT_EQ(info.target_space_id, 3);
  EXPECT_EQ(problem->DataFiles("d", DataSplit::kDev),
            std::vector<std::string>{"d/fake_problem-dev"});
  EXPECT_EQ(problem->EvalMetrics(), std::vector<std::string>{"reversed"});

  Example example = Pair({1, 2}, {3});
  example.features["inputs_position"] = Ints{0, 1};
  EXPECT_TRUE(problem->Preprocess(&example, Mode::kTrain, DefaultHParams()));
  EXPECT_EQ(example.Ints("inputs"), Ints({3}));
  EXPECT_EQ(example.Ints("targets"), Ints({1, 2}));
  EXPECT_EQ(example.Ints("targets_position"), Ints({0, 1}));
  EXPECT_FALSE(example.Has("inputs_position"));
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

// A virtual that a name with "_rev" or "_copy" would not pass on to its problem
// would be the base class's there, without a word.
TEST(ProblemTest, ModifiedNamesForwardEveryVirtual) {
  const std::string header = ReadFile("t2t/problem/problem.h");
  const std::string source = ReadFile("t2t/problem/problem.cc");
  const size_t begin = header.find("\nclass Problem {");
  ASSERT_NE(begin, std::string::npos);
  const std::string body =
      header.substr(begin, header.find("\n};", begin) - begin);
  int found = 0;
  for (size_t at = 0; (at = body.find("virtual ", at)) != std::string::npos;) {
    const size_t end = body.find('(', at);
    const std::string head = body.substr(at, end - at);
    at = end;
    const std::string name = head.substr(head.find_last_of(" ~") + 1);
    if (head.find('~') != std::string::npos) continue;
    ++found;
    EXPECT_NE(source.find("base_->" + name + "("), std::string::npos) << name;
  }
  EXPECT_GE(found, 8);
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

}  // namespace
}  // namespace t2t
