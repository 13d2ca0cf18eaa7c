#include <gtest/gtest.h>

#include <cstdlib>

#include "problems/problem_testing.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

constexpr char kNews[] = "training-parallel-nc-v13/news-commentary-v13.de-en";
constexpr char kWeb[] = "commoncrawl.de-en";
constexpr char kEuroparl[] = "training/europarl-v7.de-en";
constexpr char kDev[] = "dev/newstest2013";

class TranslateWmtTest : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = MakeTempDirectory("wmt");
    options_.tmp_dir = dir_ + "/tmp";
    options_.data_dir = dir_ + "/data";
    ::setenv("T2T_WMT_URL", ("file://" + dir_ + "/mirror").c_str(), 1);
  }
  void TearDown() override { RemoveTree(dir_); }

  // Twelve lines; the third has no English, the fifth no German.
  static void PutPair(const std::string& stem) {
    MakeDirectories(DirName(stem));
    for (const std::string language : {"en", "de"}) {
      std::string text;
      for (int i = 0; i < 12; ++i) {
        if (i != (language == "en" ? 2 : 4)) {
          text += BaseName(stem) + " " + language + " " + std::to_string(i);
        }
        text += i % 2 == 0 ? " \n" : "\n";
      }
      WriteFileAtomically(stem + "." + language, text);
    }
  }

  void PutAll() {
    for (const char* const stem : {kNews, kWeb, kEuroparl, kDev}) {
      PutPair(JoinPath(options_.tmp_dir, stem));
    }
  }

  void PutArchive(const std::string& name, const std::string& stem) {
    PutPair(dir_ + "/raw/" + stem);
    MakeDirectories(dir_ + "/mirror");
    // As some archives are made, with "./" before the names.
    const std::string command = "tar -czf " + dir_ + "/mirror/" + name +
                                " -C " + dir_ + "/raw ./" + stem + ".en ./" +
                                stem + ".de";
    ASSERT_EQ(std::system(command.c_str()), 0);
  }

  std::string dir_;
  GenerateOptions options_;
};

TEST_F(TranslateWmtTest, GeneratesFromTmpDir) {
  PutAll();
  // Without the archive's folder, too.
  Rename(options_.tmp_dir + "/" + kEuroparl + ".de",
         options_.tmp_dir + "/europarl-v7.de-en.de");
  for (const std::string name :
       {"translate_ende_wmt8k", "translate_ende_wmt32k"}) {
    const auto problem = MakeProblem(name);
    GenerateData(*problem, options_);
    EXPECT_EQ(WrongDataFacts(name, options_.data_dir), "");
    EXPECT_TRUE(DataFactsOf(name).downloads);
    EXPECT_EQ(DataFactsOf(name).dev_inputs, "");
    EXPECT_TRUE(Exists(options_.data_dir + "/vocab." + name +
                       (EndsWith(name, "8k") ? ".8192" : ".32768") +
                       ".subwords"));
    EXPECT_EQ(problem->DataFiles(options_.data_dir, DataSplit::kTrain).size(),
              100u);
    EXPECT_EQ(
        ReadExamples(*problem, options_.data_dir, DataSplit::kTrain).size(),
        30u);
    const std::vector<Example> dev =
        ReadExamples(*problem, options_.data_dir, DataSplit::kDev);
    ASSERT_EQ(dev.size(), 10u);
    const ProblemInfo info = problem->Info(options_.data_dir);
    EXPECT_EQ(info.input_space_id, 0);
    const TextEncoder& encoder = *info.features.at("inputs").encoder;
    // Lines 2 and 4 are left out, the others in order.
    EXPECT_EQ(TextOf(dev[2], "inputs", encoder), "newstest2013 en 3");
    EXPECT_EQ(TextOf(dev[2], "targets", encoder), "newstest2013 de 3");
    EXPECT_EQ(TextOf(dev[9], "targets", encoder), "newstest2013 de 11");
  }
}

TEST_F(TranslateWmtTest, UnpacksAndDownloads) {
  PutArchive("training-parallel-nc-v13.tgz", kNews);
  PutArchive("training-parallel-commoncrawl.tgz", kWeb);
  PutArchive("training-parallel-europarl-v7.tgz", kEuroparl);
  PutArchive("dev.tgz", kDev);
  MakeDirectories(options_.tmp_dir);
  Rename(dir_ + "/mirror/dev.tgz", options_.tmp_dir + "/dev.tgz");
  const auto problem = MakeProblem("translate_ende_wmt8k_rev");
  GenerateData(*problem, options_);
  EXPECT_EQ(ReadExamples(*problem, options_.data_dir, DataSplit::kTrain).size(),
            30u);
  EXPECT_TRUE(Exists(options_.tmp_dir + "/" + kNews + ".en"));
  for (const std::string& name : ListDirectory(options_.tmp_dir)) {
    EXPECT_EQ(name.find(".tmp-"), std::string::npos) << name;
  }
}

TEST_F(TranslateWmtTest, SaysWhatIsMissing) {
  PutAll();
  RemoveFile(options_.tmp_dir + "/" + kEuroparl + ".de");
  const auto generate = [&] {
    GenerateData(*MakeProblem("translate_ende_wmt8k"), options_);
  };
  const auto [code, message] = ErrorOf(generate);
  EXPECT_EQ(code, ExitCode::kMissing);
  for (const std::string& part :
       {std::string("training/europarl-v7.de-en.de"), options_.tmp_dir,
        std::string("https://www.statmt.org/wmt13/"
                    "training-parallel-europarl-v7.tgz")}) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  }
  EXPECT_EQ(message.find("newstest2013"), std::string::npos) << message;
  EXPECT_FALSE(Exists(options_.data_dir));

  // An archive that is cut, or has other files in it.
  const std::string archive =
      options_.tmp_dir + "/training-parallel-europarl-v7.tgz";
  PutArchive("training-parallel-europarl-v7.tgz", kEuroparl);
  const std::string whole =
      ReadFile(dir_ + "/mirror/training-parallel-europarl-v7.tgz");
  PutArchive("training-parallel-europarl-v7.tgz", kWeb);
  const std::string other =
      ReadFile(dir_ + "/mirror/training-parallel-europarl-v7.tgz");
  for (const std::string& bytes : {whole.substr(0, whole.size() / 2), other}) {
    WriteFileAtomically(archive, bytes);
    const auto [bad_code, bad_message] = ErrorOf(generate);
    EXPECT_EQ(bad_code, ExitCode::kBadData);
    EXPECT_NE(bad_message.find(archive), std::string::npos) << bad_message;
    EXPECT_FALSE(Exists(options_.data_dir));
  }
}

TEST_F(TranslateWmtTest, LinesThatDoNotPair) {
  PutAll();
  const std::string path = options_.tmp_dir + "/" + kWeb + ".de";
  WriteFileAtomically(path, ReadFile(path) + "one more\n");
  const auto [code, message] = ErrorOf(
      [&] { GenerateData(*MakeProblem("translate_ende_wmt32k"), options_); });
  EXPECT_EQ(code, ExitCode::kBadData);
  EXPECT_NE(message.find("has 13 lines"), std::string::npos) << message;
}

}  // namespace
}  // namespace t2t
