#include <gtest/gtest.h>

#include <cstdlib>

#include "problems/problem_testing.h"
#include "t2t/base/sha256.h"

namespace t2t {
namespace {

constexpr char kNews[] = "training-parallel-nc-v13/news-commentary-v13.zh-en";
constexpr char kName[] = "translate_enzh_wmt32k";

class TranslateEnzhTest : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = MakeTempDirectory("enzh");
    options_.tmp_dir = dir_ + "/tmp";
    options_.data_dir = dir_ + "/data";
    ::setenv("T2T_WMT_URL", ("file://" + dir_ + "/mirror").c_str(), 1);
  }
  void TearDown() override {
    ::unsetenv("T2T_WMT_URL");
    RemoveTree(dir_);
  }

  static void Put(const std::string& path, const std::string& text) {
    MakeDirectories(DirName(path));
    WriteFileAtomically(path, text);
  }

  static void PutPair(const std::string& source, const std::string& target,
                      const std::string& what) {
    std::string english;
    std::string chinese;
    for (int i = 0; i < 8; ++i) {
      english += what + " line " + std::to_string(i) + "\n";
      chinese += i == 3 ? "\n" : "\u8bdd " + std::to_string(i) + " \u4e2d\n";
    }
    Put(source, english);
    Put(target, chinese);
  }

  // The training text and a development set of two segments, in `folder`.
  static void PutRequired(const std::string& folder) {
    PutPair(folder + "/" + kNews + ".en", folder + "/" + kNews + ".zh", "news");
    const std::string stem = folder + "/dev/newsdev2017-enzh-";
    Put(stem + "src.en.sgm",
        "<srcset setid=\"newsdev2017\" srclang=\"any\">\n<doc docid=\"a\">\n"
        "<p>\n<seg id=\"1\">Tom &amp; I</seg>\n<seg id=\"2\">two</seg>\n</p>\n"
        "</doc>\n</srcset>\n");
    Put(stem + "ref.zh.sgm",
        "<refset setid=\"newsdev2017\" srclang=\"any\" trglang=\"zh\">\n"
        "<doc docid=\"a\">\n<hl>\n</hl>\n<p>\n"
        "<seg id=\"1\">\u6211</seg>\n<seg id=\"2\">\u4e8c</seg>\n</p>\n</doc>\n"
        "</refset>\n");
  }

  void PutArchive(const std::string& to, const std::string& folder) {
    MakeDirectories(DirName(to));
    ASSERT_EQ(
        std::system(
            ("tar -czf " + to + " -C " + dir_ + "/raw " + folder).c_str()),
        0);
  }

  std::string dir_;
  GenerateOptions options_;
};

TEST_F(TranslateEnzhTest, TwoVocabulariesAndSgml) {
  PutRequired(options_.tmp_dir);
  const auto problem = MakeProblem(kName);
  EXPECT_FALSE(problem->TakesVocabulary());
  GenerateData(*problem, options_);
  EXPECT_EQ(WrongDataFacts(kName, options_.data_dir), "");
  EXPECT_TRUE(DataFactsOf(kName).downloads);
  const std::string stem =
      options_.data_dir + "/vocab.translate_enzh_wmt32k.32768.subwords";
  EXPECT_EQ(ReadFile(stem + ".zh").find("line"), std::string::npos);
  EXPECT_NE(ReadFile(stem + ".en").find("line"), std::string::npos);
  const ProblemInfo info = problem->Info(options_.data_dir);
  const FeatureInfo& inputs = info.features.at("inputs");
  const FeatureInfo& targets = info.features.at("targets");
  EXPECT_EQ(inputs.vocab_path, stem + ".en");
  EXPECT_EQ(targets.vocab_path, stem + ".zh");
  EXPECT_NE(inputs.vocab_size, targets.vocab_size);
  EXPECT_EQ(info.input_space_id, 0);
  EXPECT_EQ(problem->metrics.size(), 7u);
  // The line without Chinese is left out.
  EXPECT_EQ(ReadExamples(*problem, options_.data_dir, DataSplit::kTrain).size(),
            7u);
  const std::vector<Example> dev =
      ReadExamples(*problem, options_.data_dir, DataSplit::kDev);
  ASSERT_EQ(dev.size(), 2u);
  // T2T leaves entities as they are.
  EXPECT_EQ(TextOf(dev[0], "inputs", *inputs.encoder), "Tom &amp; I");
  EXPECT_EQ(TextOf(dev[0], "targets", *targets.encoder), "\u6211");
  EXPECT_EQ(TextOf(dev[1], "targets", *targets.encoder), "\u4e8c");

  // The other way round each side keeps its vocabulary: what a decoder reads a
  // line with, and writes one with.
  const auto reversed = MakeProblem("translate_enzh_wmt32k_rev");
  const ProblemInfo back = reversed->Info(options_.data_dir);
  EXPECT_EQ(back.features.at("inputs").vocab_path, stem + ".zh");
  EXPECT_EQ(back.features.at("targets").vocab_path, stem + ".en");
  Example example = dev[1];
  reversed->Preprocess(&example, Mode::kPredict, HParams());
  EXPECT_EQ(TextOf(example, "inputs", *back.features.at("inputs").encoder),
            "\u4e8c");
  EXPECT_EQ(TextOf(example, "targets", *back.features.at("targets").encoder),
            "two");
}

TEST_F(TranslateEnzhTest, OptionalCorporaAreTakenWhereTheyLie) {
  PutRequired(dir_ + "/raw");
  PutArchive(dir_ + "/mirror/training-parallel-nc-v13.tgz",
             "training-parallel-nc-v13");
  PutArchive(dir_ + "/mirror/dev.tgz", "dev");
  PutPair(dir_ + "/raw/en-zh/UNv1.0.en-zh.en",
          dir_ + "/raw/en-zh/UNv1.0.en-zh.zh", "nations");
  PutArchive(options_.tmp_dir + "/UNv1.0.en-zh.tar.gz", "en-zh");
  const auto problem = MakeProblem(kName);
  GenerateData(*problem, options_);
  EXPECT_EQ(ReadExamples(*problem, options_.data_dir, DataSplit::kTrain).size(),
            14u);
  EXPECT_NE(ReadFile(options_.data_dir +
                     "/vocab.translate_enzh_wmt32k.32768.subwords.en")
                .find("nations"),
            std::string::npos);
  // (CWMT, which isn't there, is left out.)
  EXPECT_FALSE(Exists(options_.tmp_dir + "/cwmt"));

  // Data of more or less text are other data.
  RemoveFile(options_.tmp_dir + "/UNv1.0.en-zh.tar.gz");
  RemoveTree(options_.tmp_dir + "/en-zh");
  const auto [code, message] =
      ErrorOf([&] { GenerateData(*problem, options_); });
  EXPECT_EQ(code, ExitCode::kUsage);
  EXPECT_NE(message.find("made with another '"), std::string::npos) << message;
}

TEST_F(TranslateEnzhTest, APartOfAnOptionalCorpusIsNamed) {
  PutRequired(options_.tmp_dir);
  PutPair(options_.tmp_dir + "/cwmt/neu2017/NEU_en.txt",
          options_.tmp_dir + "/cwmt/neu2017/NEU_cn.txt", "neu");
  const auto [code, message] =
      ErrorOf([&] { GenerateData(*MakeProblem(kName), options_); });
  EXPECT_EQ(code, ExitCode::kMissing);
  EXPECT_NE(message.find("cwmt/datum2017/Book20_cn.txt"), std::string::npos)
      << message;
  EXPECT_FALSE(Exists(options_.data_dir));
}

// An archive in tmp_dir that is not the one that was published: both sums, the
// address, and how to take it all the same.
TEST_F(TranslateEnzhTest, AnotherChecksumIsNamedAndMayBeAccepted) {
  ::unsetenv("T2T_WMT_URL");
  PutRequired(dir_ + "/raw");
  const std::string archive =
      options_.tmp_dir + "/training-parallel-nc-v13.tgz";
  PutArchive(archive, "training-parallel-nc-v13");
  PutArchive(options_.tmp_dir + "/dev.tgz", "dev");
  const std::string sum = Sha256(ReadFile(archive));
  const auto generate = [&] { GenerateData(*MakeProblem(kName), options_); };
  const auto [code, message] = ErrorOf(generate);
  EXPECT_EQ(code, ExitCode::kBadData);
  for (const std::string& part :
       {archive, sum, "--accept_checksum=" + sum,
        std::string("17992b7e919cfb754c60f4e754148bc23b80706ad0ed7b34150831a55"
                    "4b40c91"),
        std::string("https://data.statmt.org/wmt18/translation-task/"
                    "training-parallel-nc-v13.tgz")}) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  }
  EXPECT_FALSE(Exists(options_.data_dir));
  options_.accepted_sums = {sum};
  generate();
  EXPECT_TRUE(Exists(options_.data_dir));
}

TEST_F(TranslateEnzhTest, AnArchiveWithALinkIsRefused) {
  PutRequired(dir_ + "/raw");
  RemoveFile(dir_ + "/raw/" + kNews + ".zh");
  ASSERT_EQ(
      std::system(
          ("ln -s /etc/passwd " + dir_ + "/raw/" + kNews + ".zh").c_str()),
      0);
  PutArchive(dir_ + "/mirror/training-parallel-nc-v13.tgz",
             "training-parallel-nc-v13");
  PutArchive(dir_ + "/mirror/dev.tgz", "dev");
  const auto [code, message] =
      ErrorOf([&] { GenerateData(*MakeProblem(kName), options_); });
  EXPECT_EQ(code, ExitCode::kBadData);
  EXPECT_NE(message.find("news-commentary-v13.zh-en.zh"), std::string::npos);
  EXPECT_NE(message.find("/etc/passwd"), std::string::npos) << message;
  EXPECT_FALSE(Exists(options_.data_dir));
}

}  // namespace
}  // namespace t2t
