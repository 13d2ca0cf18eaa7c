#include <algorithm>

#include "problems/archive_testing.h"
#include "problems/revision_text.h"
#include "t2t/base/json.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

using Ids = std::vector<int64_t>;

constexpr char kHistory[] = "enwiki-latest-pages-meta-history1.xml-p1p60.7z";

// tests/golden/problems/revisions.json, made by tools/golden/wiki_revision.py
// out of T2T's own functions.
TEST(RevisionTextTest, AsT2Ts) {
  const Json golden =
      Json::Parse(ReadFile("tests/golden/problems/revisions.json"));
  for (const auto& [factor, taken] : golden.At("taken").members()) {
    double number = 0;
    ASSERT_TRUE(ParseDouble(factor, &number));
    std::string ours = "[";
    for (int64_t n = 0; n < 60; ++n) {
      if (!TakesRevision(n, number)) continue;
      ours += (ours.size() > 1 ? ", " : "") + std::to_string(n);
    }
    EXPECT_EQ(ours + "]", taken.ToString()) << factor;
  }
  for (const Json& pair : golden.At("texts").items()) {
    EXPECT_EQ(ProseOf(pair.items()[0].AsString()), pair.items()[1].AsString());
  }
  const auto ids = [](const Json& list) {
    Ids values;
    for (const Json& id : list.items()) values.push_back(id.AsInt());
    return values;
  };
  for (const Json& c : golden.At("matches").items()) {
    std::vector<Match> expected;
    for (const Json& run : c.At("runs").items()) {
      const auto at = [&](size_t i) {
        return static_cast<size_t>(run.items()[i].AsInt());
      };
      expected.push_back({run.items()[0].AsBool(), at(1), at(2), at(3), at(4)});
    }
    EXPECT_EQ(MatchSequences(ids(c.At("a")), ids(c.At("b"))), expected)
        << c.ToString();
  }
}

TEST(RevisionTextTest, PiecesPutTogetherAreTheTexts) {
  Rng rng(4);
  Ids older, newer;
  for (int64_t i = 0; i < 400; ++i) {
    older.push_back(i);
    if (i % 37 != 0) newer.push_back(i);
    if (i % 50 == 0) newer.push_back(1000 + i);
  }
  size_t most = 0;
  for (int run = 0; run < 20; ++run) {
    const RevisionPieces pieces = CutRevisions(older, newer, 64, &rng);
    most = std::max(most, pieces.size());
    Ids before, after;
    for (const auto& [a, b] : pieces) {
      EXPECT_FALSE(a.empty() || b.empty());
      before.insert(before.end(), a.begin(), a.end());
      after.insert(after.end(), b.begin(), b.end());
    }
    // (A piece that has become nothing, or was nothing, is left out.)
    EXPECT_LE(before.size(), older.size());
    EXPECT_GE(before.size(), older.size() - 12);
    EXPECT_GE(after.size(), newer.size() - 12);
  }
  EXPECT_GT(most, 10u);
}

TEST(RevisionTextTest, MisspellsAFewCharacters) {
  Rng rng(7);
  std::string text;
  for (int i = 0; i < 4000; ++i) text += "\u00e9a";
  EXPECT_EQ(Misspelled(text, 0, &rng), text);
  EXPECT_EQ(Misspelled("", 1, &rng), "");
  const std::string misspelled = Misspelled(text, 0.01, &rng);
  EXPECT_NE(misspelled, text);
  EXPECT_NE(misspelled.find("|?|"), std::string::npos);
  EXPECT_NEAR(static_cast<double>(misspelled.size()),
              static_cast<double>(text.size()), 400);
}

// 60 pages of four revisions each, three of them talk; made of words at random,
// in the layout of a dump, and compressed by `cmake -E tar cf X.7z
// --format=7zip X`.
TEST_F(ArchiveTest, RevisionsBecomePiecesOfTwoTexts) {
  Put(kHistory, ReadFile(std::string("tests/golden/problems/") + kHistory));
  Generate("wiki_revision");
  const std::vector<Example> train = Examples("wiki_revision");
  const std::vector<Example> dev = Examples("wiki_revision", DataSplit::kDev);
  EXPECT_GT(train.size(), 100u);
  EXPECT_GT(dev.size(), 0u);
  EXPECT_LT(dev.size(), train.size() / 10);
  double unchanged = 0;
  for (const Example& example : train) {
    const Ids& inputs = example.Ints("inputs");
    const Ids& targets = example.Ints("targets");
    EXPECT_LE(std::max(inputs.size(), targets.size()), 256u);
    EXPECT_EQ(inputs.back(), 1);
    EXPECT_EQ(targets.back(), 1);
    unchanged += inputs == targets;
  }
  EXPECT_LT(unchanged / static_cast<double>(train.size()), 0.06);
  std::string all;
  for (const std::string& text : Texts("wiki_revision", "targets")) all += text;
  EXPECT_EQ(all.find('{'), std::string::npos);
  EXPECT_EQ(all.find("things"), std::string::npos);
  Generate("wiki_revision_packed256");
  const std::vector<Example> packed = Examples("wiki_revision_packed256");
  EXPECT_LT(packed.size(), train.size() / 2);
  EXPECT_TRUE(packed[0].Has("inputs_segmentation"));
}

TEST_F(ArchiveTest, AHistoryThatIsCutIsNamed) {
  const std::string path = options_.tmp_dir + "/" + kHistory;
  const std::string whole =
      ReadFile(std::string("tests/golden/problems/") + kHistory);
  Put(kHistory, whole.substr(0, whole.size() / 2));
  const auto [code, message] = ErrorOf([&] { Generate("wiki_revision"); });
  EXPECT_EQ(code, ExitCode::kBadData);
  EXPECT_NE(message.find("can't read " + path), std::string::npos) << message;
  RemoveTree(path);
  const auto [missing, why] = ErrorOf([&] { Generate("wiki_revision"); });
  EXPECT_EQ(missing, ExitCode::kMissing);
  EXPECT_NE(why.find("pages-meta-history"), std::string::npos) << why;
}

}  // namespace
}  // namespace t2t
