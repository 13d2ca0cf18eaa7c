#include <gtest/gtest.h>

#include <cstdlib>

#include "problems/problem_testing.h"

namespace t2t {
namespace {

class Multi30kTest : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = MakeTempDirectory("multi30k");
    options_.tmp_dir = dir_ + "/tmp";
    options_.data_dir = dir_ + "/data";
    ::setenv("T2T_MULTI30K_URL", ("file://" + dir_ + "/mirror").c_str(), 1);
  }

  // Small text in the layout of the repository.
  void PutText(const std::string& folder, const std::string& target) {
    MakeDirectories(folder);
    for (const std::string set : {"train", "val", "test_2016_flickr"}) {
      for (const std::string& language : {std::string("en"), target}) {
        std::string text;
        for (int i = 0; i < 20; ++i) {
          text += set + " " + language + " " + std::to_string(i) + ".\n";
        }
        WriteFileAtomically(JoinPath(folder, set + "." + language), text);
      }
    }
  }

  std::string dir_;
  GenerateOptions options_;
};

TEST_F(Multi30kTest, GeneratesFromTmpDir) {
  for (const std::string target : {"de", "fr", "cs"}) {
    for (const std::string folder : {"/flat", "/full/data/task1/raw"}) {
      PutText(dir_ + folder, target);
      options_.tmp_dir = dir_ + folder.substr(0, 5);
      options_.data_dir = dir_ + folder.substr(0, 5) + "_data" + target;
      const std::string name = "translate_en" + target + "_multi30k";
      const auto problem = MakeProblem(name + "_rev");
      GenerateData(*problem, options_);
      EXPECT_TRUE(
          Exists(options_.data_dir + "/vocab." + name + ".8192.subwords"));
      EXPECT_EQ(WrongDataFacts(name + "_rev", options_.data_dir), "");
      EXPECT_EQ(DataFactsOf(name + "_rev").dev_inputs, name + ".val." + target);
      EXPECT_EQ(DataFactsOf(name + "_rev").dev_targets, name + ".val.en");
      EXPECT_EQ(DataFactsOf(name + "_rev_copy").dev_targets,
                name + ".val." + target);
      EXPECT_EQ(
          ReadExamples(*problem, options_.data_dir, DataSplit::kTrain).size(),
          20u);
      const auto encoder =
          problem->Info(options_.data_dir).features.at("inputs").encoder;
      for (const auto& [split, set] :
           {std::pair(DataSplit::kDev, "val"),
            std::pair(DataSplit::kTest, "test_2016_flickr")}) {
        std::vector<Example> examples =
            ReadExamples(*problem, options_.data_dir, split);
        ASSERT_EQ(examples.size(), 20u);
        // In the order of the text.
        problem->Preprocess(&examples[7], Mode::kEval, HParams());
        EXPECT_EQ(TextOf(examples[7], "inputs", *encoder),
                  std::string(set) + " " + target + " 7.");
        EXPECT_EQ(TextOf(examples[7], "targets", *encoder),
                  std::string(set) + " en 7.");
        const std::string file = std::string(set) + "." + target;
        EXPECT_EQ(ReadFile(options_.data_dir + "/" + name + "." + file),
                  ReadFile(dir_ + folder + "/" + file));
      }
    }
  }
}

TEST_F(Multi30kTest, Downloads) {
  PutText(dir_ + "/mirror", "de");
  for (const std::string& name : ListDirectory(dir_ + "/mirror")) {
    Rename(dir_ + "/mirror/" + name, dir_ + "/mirror/" + name + ".gz");
  }
  const auto problem = MakeProblem("translate_ende_multi30k");
  GenerateData(*problem, options_);
  EXPECT_EQ(ListDirectory(options_.tmp_dir).size(), 6u);
  EXPECT_EQ(ReadExamples(*problem, options_.data_dir, DataSplit::kTest).size(),
            20u);
  // Nothing is fetched again for data that are there.
  RemoveTree(options_.tmp_dir);
  GenerateData(*problem, options_);
  EXPECT_FALSE(Exists(options_.tmp_dir));
}

TEST_F(Multi30kTest, SaysWhatToPutWhere) {
  PutText(dir_ + "/tmp", "de");
  RemoveFile(dir_ + "/tmp/val.de");
  const auto [code, message] = ErrorOf(
      [&] { GenerateData(*MakeProblem("translate_ende_multi30k"), options_); });
  EXPECT_EQ(code, ExitCode::kMissing);
  for (const std::string& part :
       {std::string("val.de.gz"), std::string("github.com/multi30k/dataset"),
        options_.tmp_dir}) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  }
  EXPECT_EQ(message.find("train.en.gz"), std::string::npos) << message;
  EXPECT_FALSE(Exists(options_.data_dir));
}

}  // namespace
}  // namespace t2t
