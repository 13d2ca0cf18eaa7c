#ifndef PROBLEMS_ARCHIVE_TESTING_H_
#define PROBLEMS_ARCHIVE_TESTING_H_

#include <gtest/gtest.h>

#include <cstdlib>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "problems/problem_testing.h"

namespace t2t {

// A tmp_dir in which a test makes the archives that a problem reads, in the
// layout of the original ones, and a data_dir.
class ArchiveTest : public testing::Test {
 protected:
  using NamedText = std::pair<std::string, std::string>;

  void SetUp() override {
    dir_ = MakeTempDirectory("archive");
    options_.tmp_dir = dir_ + "/tmp";
    options_.data_dir = dir_ + "/data";
    MakeDirectories(options_.tmp_dir);
  }
  void TearDown() override { RemoveTree(dir_); }

  void Put(const std::string& name, const std::string& text) const {
    PutIn(options_.tmp_dir, name, text);
  }

  // (A tar, whatever the name says: the reader looks at the contents.)
  void PutArchive(const std::string& name,
                  const std::vector<NamedText>& files) const {
    const std::string folder = MakeTempDirectory("members");
    for (const auto& [file, text] : files) PutIn(folder, file, text);
    ASSERT_EQ(std::system(("tar -czf '" + options_.tmp_dir + "/" + name +
                           "' -C " + folder + " .")
                              .c_str()),
              0);
    RemoveTree(folder);
  }

  void Generate(const std::string& name) const {
    GenerateData(*MakeProblem(name), options_);
  }

  std::vector<Example> Examples(const std::string& name,
                                DataSplit split = DataSplit::kTrain) const {
    return ReadExamples(*MakeProblem(name), options_.data_dir, split);
  }

  // A feature's text in each example, in the shards' order.
  std::vector<std::string> Texts(const std::string& name,
                                 const std::string& feature,
                                 DataSplit split = DataSplit::kTrain) const {
    const ProblemInfo info = MakeProblem(name)->Info(options_.data_dir);
    const TextEncoder& encoder = *info.features.at(feature).encoder;
    std::vector<std::string> texts;
    for (const Example& example : Examples(name, split)) {
      texts.push_back(TextOf(example, feature, encoder));
    }
    return texts;
  }

  // The same without their order, in which training examples are shuffled.
  std::multiset<std::string> Set(const std::string& name,
                                 const std::string& feature,
                                 DataSplit split = DataSplit::kTrain) const {
    const std::vector<std::string> texts = Texts(name, feature, split);
    return {texts.begin(), texts.end()};
  }

  std::string dir_;
  GenerateOptions options_;

 private:
  static void PutIn(const std::string& folder, const std::string& name,
                    const std::string& text) {
    const std::string path = JoinPath(folder, name);
    MakeDirectories(DirName(path));
    WriteFileAtomically(path, text);
  }
};

using TextSet = std::multiset<std::string>;

}  // namespace t2t

#endif  // PROBLEMS_ARCHIVE_TESTING_H_
