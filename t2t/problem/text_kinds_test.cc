// What is done to pairs and examples on the way into shards, against what T2T's
// own cleaner_en_xx.py and generator_utils.py make of the same.

#include <gtest/gtest.h>

#include "t2t/problem/clean_pairs.h"
#include "t2t/problem/pack.h"

namespace t2t {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;
using Ids = std::vector<int64_t>;

TEST(CleanPairsTest, KeepsWhatLooksLikeASentence) {
  for (const char* const english :
       {"A plain sentence.", "It's his dog's bone, don't take it.",
        "Both (are) here.", "USA- It rains."}) {
    EXPECT_EQ(CleanPairs(english, "x."), (Pairs{{english, "x."}}));
  }
}

TEST(CleanPairsTest, LeavesOutWhatDoesNot) {
  for (const char* const english :
       {"no capital.", "No stop", "Mr. Smith: He said it.", "Speaker: I agree.",
        "It cost 5 000 euros.", "He said \"yes.", "\"All of it is quoted.\"",
        "A \"b\" and \"c\" d.", "An 'a' and 'b' c.", "Two '' in a row.",
        "A mark , alone.", "© 2018 All rights.", "Copyright by us.",
        "(C) by us.", "Open (only here.", "Closed only) here.",
        "NEW YORK - It rains.", "ABCdef_x is a name.", "“Well,” he said.”"}) {
    EXPECT_TRUE(CleanPairs(english, "x.").empty()) << english;
  }
}

TEST(CleanPairsTest, CutsWhereBothSidesHaveAsManySentences) {
  EXPECT_EQ(CleanPairs("It rains. We stay.", "Es regnet. Wir bleiben."),
            (Pairs{{"It rains.", "Es regnet."}, {"We stay.", "Wir bleiben."}}));
  EXPECT_TRUE(
      CleanPairs("It rains. We stay.", "Es regnet, wir bleiben.").empty());
  EXPECT_EQ(CleanPairs("Go! Now? Yes.", "Los! Jetzt? Ja.").size(), 3u);
  // After a number only English may begin a new one.
  EXPECT_TRUE(
      CleanPairs("It was 5. Then we left.", "Es war 5. Dann gingen wir.")
          .empty());
  // One of three is no sentence.
  EXPECT_EQ(CleanPairs("One a. Two: b. Three c.", "Eins a. Zwei b. Drei c."),
            (Pairs{{"One a.", "Eins a."}, {"Three c.", "Drei c."}}));
}

// The features of what comes out, in order.
std::vector<Example> Pack(const std::vector<Example>& examples,
                          int64_t length) {
  std::vector<Example> packed;
  ExamplePacker packer(
      length, [&](const Example& example) { packed.push_back(example); });
  for (const Example& example : examples) packer.Add(example);
  packer.Finish();
  return packed;
}

Ids Counted(int64_t first, int64_t count) {
  Ids ids;
  for (int64_t i = 0; i < count; ++i) ids.push_back(first + i);
  return ids;
}

TEST(ExamplePackerTest, TheFirstOneWithRoomTakesAPair) {
  std::vector<Example> examples;
  const std::pair<int64_t, int64_t> lengths[] = {
      {3, 2}, {4, 1}, {2, 5}, {9, 1}, {1, 1}};
  for (const auto& [inputs, targets] : lengths) {
    const auto first = static_cast<int64_t>(10 + examples.size() * 10);
    Example example;
    example.features["inputs"] = Counted(first, inputs);
    example.features["targets"] = Counted(first + 1, targets);
    examples.push_back(std::move(example));
  }
  const std::vector<Example> packed = Pack(examples, 8);
  ASSERT_EQ(packed.size(), 3u);
  EXPECT_EQ(packed[0].Ints("inputs"), (Ids{10, 11, 12, 20, 21, 22, 23, 50}));
  EXPECT_EQ(packed[0].Ints("inputs_segmentation"),
            (Ids{1, 1, 1, 2, 2, 2, 2, 3}));
  EXPECT_EQ(packed[0].Ints("inputs_position"), (Ids{0, 1, 2, 0, 1, 2, 3, 0}));
  EXPECT_EQ(packed[0].Ints("targets"), (Ids{11, 12, 21, 51}));
  EXPECT_EQ(packed[0].Ints("targets_segmentation"), (Ids{1, 1, 2, 3}));
  EXPECT_EQ(packed[1].Ints("targets"), (Ids{31, 32, 33, 34, 35}));
  // Too long for any: alone, and whole.
  EXPECT_EQ(packed[2].Ints("inputs"), Counted(40, 9));
}

TEST(ExamplePackerTest, LongTextAloneIsCut) {
  std::vector<Example> examples;
  for (const int64_t length : {3, 20, 5, 2}) {
    Example example;
    example.features["targets"] = Counted(10, length);
    examples.push_back(std::move(example));
  }
  const std::vector<Example> packed = Pack(examples, 8);
  ASSERT_EQ(packed.size(), 4u);
  EXPECT_EQ(packed[0].Ints("targets"), Counted(10, 8));
  EXPECT_EQ(packed[1].Ints("targets"), Counted(18, 8));
  EXPECT_EQ(packed[2].Ints("targets"), (Ids{10, 11, 12, 26, 27, 28, 29}));
  EXPECT_EQ(packed[2].Ints("targets_position"), (Ids{0, 1, 2, 0, 1, 2, 3}));
  EXPECT_EQ(packed[3].Ints("targets"), (Ids{10, 11, 12, 13, 14, 10, 11}));
  EXPECT_FALSE(packed[3].Has("inputs"));
}

}  // namespace
}  // namespace t2t
