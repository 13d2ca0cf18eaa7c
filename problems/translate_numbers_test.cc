#include "problems/translate_numbers.h"

#include <gtest/gtest.h>

#include <set>

#include "problems/number_names.h"
#include "problems/problem_testing.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

TEST(TranslateNumbersTest, SplitsAreDisjoint) {
  std::map<DataSplit, std::set<int64_t>> numbers;
  std::map<DataSplit, int> lines_of_four;
  for (const DataSplit split :
       {DataSplit::kTrain, DataSplit::kDev, DataSplit::kTest}) {
    for (int64_t i = 0; i < 500; ++i) {
      const std::vector<int64_t> line = NumbersOfLine(42, split, i);
      EXPECT_GE(line.size(), 1u);
      EXPECT_LE(line.size(), 4u);
      lines_of_four[split] += line.size() == 4;
      for (const int64_t number : line) {
        EXPECT_EQ(SplitOfNumber(number), split);
        numbers[split].insert(number);
      }
    }
    EXPECT_GT(lines_of_four[split], 20);
  }
  for (int64_t number = 0; number < 100; ++number) {
    EXPECT_EQ(SplitOfNumber(number), DataSplit::kTrain);
  }
  EXPECT_TRUE(numbers[DataSplit::kTrain].count(7));
  EXPECT_TRUE(numbers[DataSplit::kTrain].count(kLargestNamedNumber));
  EXPECT_GT(numbers[DataSplit::kTest].size(), 500u);
}

TEST(TranslateNumbersTest, GeneratesWithoutAnyFile) {
  const std::string dir = MakeTempDirectory("numbers");
  GenerateOptions options;
  options.data_dir = dir;
  options.max_cases = 300;
  const auto problem = MakeProblem("translate_numbers_ende");
  GenerateData(*problem, options);
  EXPECT_EQ(WrongDataFacts("translate_numbers_ende", dir), "");
  EXPECT_EQ(DataFactsOf("translate_numbers_ende").dev_inputs,
            "translate_numbers_ende.dev.en");
  const ProblemInfo info = problem->Info(dir);
  const TextEncoder& encoder = *info.features.at("inputs").encoder;
  EXPECT_EQ(info.features.at("targets").vocab_size, encoder.vocab_size());
  EXPECT_LT(encoder.vocab_size(), 256);

  for (const DataSplit split : {DataSplit::kDev, DataSplit::kTest}) {
    const std::string stem =
        dir + "/translate_numbers_ende." + SplitName(split);
    const std::vector<std::string> english =
        Split(ReadFile(stem + ".en"), '\n');
    const std::vector<std::string> german = Split(ReadFile(stem + ".de"), '\n');
    const std::vector<Example> examples = ReadExamples(*problem, dir, split);
    ASSERT_EQ(examples.size(), 300u);
    for (size_t i = 0; i < examples.size(); ++i) {
      EXPECT_EQ(TextOf(examples[i], "inputs", encoder), english[i]);
      EXPECT_EQ(TextOf(examples[i], "targets", encoder), german[i]);
    }
  }
  EXPECT_EQ(ReadExamples(*problem, dir, DataSplit::kTrain).size(), 300u);
}

TEST(TranslateNumbersTest, NamesAreCutIntoTheirParts) {
  const std::string dir = MakeTempDirectory("numbers");
  GenerateOptions options;
  options.data_dir = dir;
  options.max_cases = 1;
  const auto problem = MakeProblem("translate_numbers_ende");
  GenerateData(*problem, options);
  const auto encoder = problem->Info(dir).features.at("inputs").encoder;
  EXPECT_EQ(
      encoder->DecodeList(
          encoder->Encode("tausendeinhundertsechzehn, "
                          "siebenunddreißigtausendzweiundsechzig")),
      (std::vector<std::string>{"tausend", "ein", "hundert", "sech", "zehn_",
                                ", _", "sieben", "und", "drei", "ßig",
                                "tausend", "zwei", "und", "sech", "zig_"}));
  for (int64_t number = 0; number <= kLargestNamedNumber; number += 101) {
    for (const std::string& name :
         {EnglishNumberName(number), GermanNumberName(number)}) {
      const std::vector<int64_t> ids = encoder->Encode(name);
      EXPECT_EQ(encoder->Decode(ids), name);
      // No letter stands alone.
      for (const std::string& part : encoder->DecodeList(ids)) {
        EXPECT_GT(part.size(), 1u) << name;
      }
    }
  }
  const std::string other = "42 Dinge: \"\\ö\" – 日本";
  EXPECT_EQ(encoder->Decode(encoder->Encode(other)), other);
}

}  // namespace
}  // namespace t2t
