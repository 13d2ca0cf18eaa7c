// What translations are made of besides lines of two files: tables, ParaCrawl's
// files, cleaned and packed text, another problem's vocabulary, blocks.

#include <gtest/gtest.h>

#include <set>

#include "problems/problem_testing.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

class TranslateKindsTest : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = MakeTempDirectory("kinds");
    options_.tmp_dir = dir_ + "/tmp";
    options_.data_dir = dir_ + "/data";
    ::setenv("T2T_WMT_URL", ("file://" + dir_ + "/none").c_str(), 1);
  }
  void TearDown() override {
    ::unsetenv("T2T_WMT_URL");
    RemoveTree(dir_);
  }

  void Put(const std::string& name, const std::string& text) const {
    const std::string path = JoinPath(options_.tmp_dir, name);
    MakeDirectories(DirName(path));
    WriteFileAtomically(path, text);
  }

  // `lines` lines of a file and of its translation.
  void PutPair(const std::string& stem, const std::string& other,
               int lines = 3) const {
    for (const std::string& language : {std::string("en"), other}) {
      std::string text;
      for (int i = 0; i < lines; ++i) {
        text += BaseName(stem) + " " + language + std::to_string(i) + "\n";
      }
      Put(stem + "." + language, text);
    }
  }

  void PutGerman() const {
    PutPair("training-parallel-nc-v13/news-commentary-v13.de-en", "de");
    PutPair("commoncrawl.de-en", "de");
    PutPair("training/europarl-v7.de-en", "de");
    PutPair("dev/newstest2013", "de");
  }

  void PutCzech() const {
    Put("data.plaintext-format/01train.gz",
        "id1\t0.9\ttmavé ráno\tdark morning\nno row\n"
        "id2\t0.8\t \tempty\nid3\t0.7\t noc \t night \n");
    PutPair("training-parallel-nc-v13/news-commentary-v13.cs-en", "cs");
    PutPair("commoncrawl.cs-en", "cs");
    PutPair("training/europarl-v7.cs-en", "cs");
    PutPair("dev/newstest2013", "cs");
  }

  void Generate(const std::string& name) const {
    GenerateData(*MakeProblem(name), options_);
  }

  // The texts of a feature in the shards' order.
  std::vector<std::string> Texts(const std::string& name,
                                 const std::string& feature,
                                 DataSplit split = DataSplit::kTrain) const {
    const auto problem = MakeProblem(name);
    const ProblemInfo info = problem->Info(options_.data_dir);
    std::vector<std::string> texts;
    for (const Example& example :
         ReadExamples(*problem, options_.data_dir, split)) {
      texts.push_back(
          TextOf(example, feature, *info.features.at(feature).encoder));
    }
    return texts;
  }

  std::string dir_;
  GenerateOptions options_;
};

TEST_F(TranslateKindsTest, ATableGivesTwoOfItsColumns) {
  PutCzech();
  Generate("translate_encs_wmt_characters");
  const std::vector<std::string> english =
      Texts("translate_encs_wmt_characters", "inputs");
  const std::vector<std::string> czech =
      Texts("translate_encs_wmt_characters", "targets");
  // Of the table only rows with both sides.
  ASSERT_EQ(english.size(), 11u);
  const std::set<std::string> all(english.begin(), english.end());
  EXPECT_TRUE(all.count("dark morning"));
  EXPECT_TRUE(all.count("night"));
  EXPECT_FALSE(all.count("empty"));
  for (size_t i = 0; i < english.size(); ++i) {
    if (english[i] == "night") {
      EXPECT_EQ(czech[i], "noc");
    }
  }
}

TEST_F(TranslateKindsTest, ARowWithTooFewColumnsIsNamed) {
  PutCzech();
  Put("data.plaintext-format/02train.gz", "id\t0.9\tráno\tmorning\nid\t0.8\n");
  const auto [code, message] =
      ErrorOf([&] { Generate("translate_encs_wmt_characters"); });
  EXPECT_EQ(code, ExitCode::kBadData);
  EXPECT_NE(message.find("02train.gz, line 2 has 2 columns"), std::string::npos)
      << message;
}

TEST_F(TranslateKindsTest, ParaCrawlIsReadAndCleaned) {
  PutGerman();
  const auto unit = [](const std::string& english, const std::string& german) {
    return "  <tu>\n   <tuv xml:lang=\"en\">\n    <seg>" + english +
           "</seg>\n   </tuv>\n   <tuv xml:lang=\"de\">\n    <seg>" + german +
           "</seg>\n   </tuv>\n  </tu>\n";
  };
  Put("en-de.bicleaner07.tmx.gz",
      "<?xml version=\"1.0\"?>\n<tmx>\n <body>\n" +
          unit("Tom &amp; I go home.", "Tom &amp; ich gehen heim.") +
          unit("no sentence", "kein Satz") +
          unit("It rains. We stay.", "Es regnet. Wir bleiben.") +
          " </body>\n</tmx>\n");
  Generate("translate_ende_pc32k");
  EXPECT_EQ(Texts("translate_ende_pc32k", "inputs").size(), 3u);
  Generate("translate_ende_pc_clean32k");
  const std::vector<std::string> english =
      Texts("translate_ende_pc_clean32k", "inputs");
  EXPECT_EQ(
      std::set<std::string>(english.begin(), english.end()),
      (std::set<std::string>{"Tom & I go home.", "It rains.", "We stay."}));
  const std::vector<std::string> german =
      Texts("translate_ende_pc_clean32k", "targets");
  EXPECT_TRUE(std::set<std::string>(german.begin(), german.end())
                  .count("Wir bleiben."));
  // The vocabulary is the other problem's, built of its text.
  EXPECT_TRUE(Exists(options_.data_dir +
                     "/vocab.translate_ende_wmt32k.32768.subwords"));
  EXPECT_FALSE(MakeProblem("translate_ende_pc32k")->TakesVocabulary());
}

TEST_F(TranslateKindsTest, AnothersVocabularyIsNeverBuiltAnew) {
  PutGerman();
  Generate("translate_ende_wmt8k");
  const std::string path =
      options_.data_dir + "/vocab.translate_ende_wmt8k.8192.subwords";
  const std::string before = ReadFile(path);
  PutPair("commoncrawl.de-en", "de", 50);
  options_.overwrite = true;
  Generate("translate_ende_wmt8k_packed");
  EXPECT_EQ(ReadFile(path), before);
}

TEST_F(TranslateKindsTest, PackedExamplesHoldAllOfTheText) {
  PutGerman();
  options_.num_shards = 1;
  const std::string name = "translate_ende_wmt8k_packed";
  Generate(name);
  const auto problem = MakeProblem(name);
  const std::vector<Example> packed =
      ReadExamples(*problem, options_.data_dir, DataSplit::kTrain);
  ASSERT_EQ(packed.size(), 1u);  // nine short lines
  for (const std::string feature : {"inputs", "targets"}) {
    const std::vector<int64_t>& ids = packed[0].Ints(feature);
    const std::vector<int64_t>& segments =
        packed[0].Ints(feature + "_segmentation");
    const std::vector<int64_t>& positions =
        packed[0].Ints(feature + "_position");
    ASSERT_LE(ids.size(), 256u);
    ASSERT_EQ(segments.size(), ids.size());
    ASSERT_EQ(positions.size(), ids.size());
    EXPECT_EQ(segments.back(), 9);
    for (size_t i = 0; i < ids.size(); ++i) {
      const bool first = i == 0 || ids[i - 1] == kEosId;
      EXPECT_EQ(positions[i], first ? 0 : positions[i - 1] + 1);
      EXPECT_EQ(segments[i], i == 0 ? 1 : segments[i - 1] + (first ? 1 : 0));
    }
  }
}

TEST_F(TranslateKindsTest, AuthenticTextFollowsEachBackTranslatedBlock) {
  PutCzech();
  for (const std::string end : {"0", "1", "2"}) {
    Put("cs_mono_en.txt" + end, "back " + end + "\n");
    Put("cs_mono_cs.txt" + end, "zpět " + end + "\n");
  }
  const std::string name = "translate_encs_cubbitt";
  Generate(name);
  const std::vector<std::string> english = Texts(name, "inputs");
  ASSERT_EQ(english.size(), 3u * (1 + 11));
  EXPECT_EQ(english[0], "back 0");
  EXPECT_EQ(english[1], "dark morning");
  EXPECT_EQ(english[11], "europarl-v7.cs-en en2");
  EXPECT_EQ(english[12], "back 1");
  EXPECT_EQ(english[24], "back 2");
}

TEST_F(TranslateKindsTest, APrefixGoesBeforeTheText) {
  PutPair("europarl-v7.ro-en", "ro", 40);
  PutPair("SETIMES.en-ro", "ro", 40);
  for (const std::string language : {"en", "ro"}) {
    const std::string side = language == "en" ? "ref" : "src";
    Put("dev/newsdev2016-roen-" + side + "." + language + ".sgm",
        "<seg id=\"1\">dev " + language + "</seg>\n");
    for (const std::string part : {"train", "eval", "test"}) {
      for (const std::string wiki : {"de", "en", "fr", "ro"}) {
        Put(wiki + "wiki_" + part + ".txt",
            std::string(900, 'a') + " translate English Romanian\n" +
                std::string(3300, 'b') + "\n");
      }
    }
  }
  const std::string name = "translate_enro_wmt_multi_tiny64k_packed1k";
  // (Of 80 pairs none is among one in a thousand.)
  const auto [code, message] = ErrorOf([&] { Generate(name); });
  EXPECT_EQ(code, ExitCode::kBadData);
  EXPECT_NE(message.find("has no example for train"), std::string::npos)
      << message;
  Generate("translate_enro_wmt_multi64k");
  EXPECT_EQ(Texts("translate_enro_wmt_multi64k", "inputs").size(), 80u);
  EXPECT_EQ(MakeProblem(name + "_rev")->features.at("inputs").prefix,
            "translate Romanian English ");
}

}  // namespace
}  // namespace t2t
