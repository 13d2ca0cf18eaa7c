#include "t2t/problem/datagen.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/formats/shards.h"
#include "t2t/formats/tfrecord.h"

namespace t2t {
namespace {

class CountingSource : public ExampleSource {
 public:
  explicit CountingSource(int64_t size) : size_(size) {}

  size_t Read(size_t count) override {
    first_ = next_;
    next_ = std::min<int64_t>(size_, next_ + static_cast<int64_t>(count));
    return static_cast<size_t>(next_ - first_);
  }
  Example Make(size_t i) const override {
    Example example;
    example.features["targets"] =
        std::vector<int64_t>{first_ + static_cast<int64_t>(i)};
    return example;
  }

 private:
  int64_t size_;
  int64_t first_ = 0;
  int64_t next_ = 0;
};

// `train` training examples, of which `there` are there; five of dev.
class NumberSource : public Source {
 public:
  NumberSource(int64_t train, int64_t there) : train_(train), there_(there) {}

  int64_t size(DataSplit split) const override {
    return split == DataSplit::kTrain ? train_ : 5;
  }
  std::unique_ptr<ExampleSource> Open(DataSplit split) const override {
    return std::make_unique<CountingSource>(split == DataSplit::kTrain ? there_
                                                                       : 5);
  }

 private:
  int64_t train_;
  int64_t there_;
};

Problem Numbers(int64_t train, int64_t there) {
  Problem problem;
  problem.name = "p";
  problem.data_name = "p";
  problem.open = [=](const SourceContext&) {
    return std::make_unique<NumberSource>(train, there);
  };
  problem.splits = {{DataSplit::kTrain, 3, true}, {DataSplit::kDev, 1, false}};
  return problem;
}

GenerateOptions Options(const std::string& data_dir) {
  GenerateOptions options;
  options.data_dir = data_dir;
  return options;
}

std::vector<int64_t> ReadShard(const std::string& path) {
  TfRecordReader reader(path);
  std::vector<int64_t> numbers;
  for (std::string record; reader.Next(&record);) {
    numbers.push_back(ParseExample(record).Ints("targets").at(0));
  }
  return numbers;
}

// By name, all files.
std::map<std::string, std::string> Contents(const std::string& dir) {
  std::map<std::string, std::string> contents;
  for (const std::string& name : ListDirectory(dir)) {
    contents[name] = ReadFile(JoinPath(dir, name));
  }
  return contents;
}

TEST(GenerateTest, DealsAndShuffles) {
  const std::string dir = MakeTempDirectory("generate");
  GenerateData(Numbers(20000, 20000), Options(dir));
  for (int shard = 0; shard < 3; ++shard) {
    std::vector<int64_t> numbers =
        ReadShard(FindShards(dir, "p", "train")[shard]);
    EXPECT_FALSE(std::is_sorted(numbers.begin(), numbers.end()));
    std::sort(numbers.begin(), numbers.end());
    ASSERT_EQ(numbers.size(), shard < 2 ? 6667u : 6666u);
    for (size_t i = 0; i < numbers.size(); ++i) {
      ASSERT_EQ(numbers[i], static_cast<int64_t>(3 * i) + shard);
    }
  }
  EXPECT_EQ(ReadShard(FindShards(dir, "p", "dev")[0]),
            (std::vector<int64_t>{0, 1, 2, 3, 4}));
}

TEST(GenerateTest, ThreadsAndTasksMakeTheSameShards) {
  const std::string dir = MakeTempDirectory("generate");
  GenerateOptions options = Options(dir + "/one");
  options.threads = 1;
  GenerateData(Numbers(20000, 20000), options);
  options = Options(dir + "/four");
  options.threads = 4;
  GenerateData(Numbers(20000, 20000), options);
  options = Options(dir + "/tasks");
  for (options.task_id = 0; options.task_id < 4; ++options.task_id) {
    GenerateData(Numbers(20000, 20000), options);
  }
  EXPECT_EQ(Contents(dir + "/one"), Contents(dir + "/four"));
  EXPECT_EQ(Contents(dir + "/one"), Contents(dir + "/tasks"));
  EXPECT_EQ(Contents(dir + "/one").size(), 5u);
  EXPECT_THROW(GenerateData(Numbers(20000, 20000), options), Error);  // task 4

  options = Options(dir + "/other_seed");
  options.seed = 1;
  GenerateData(Numbers(20000, 20000), options);
  EXPECT_NE(Contents(dir + "/one"), Contents(dir + "/other_seed"));
}

TEST(GenerateTest, KeepsWhatIsWholeAndMendsWhatIsNot) {
  const std::string dir = MakeTempDirectory("generate");
  GenerateData(Numbers(300, 300), Options(dir));
  const auto first = Contents(dir);
  // Whole sets are not touched, whatever is in them.
  const std::string dev = FindShards(dir, "p", "dev")[0];
  WriteFileAtomically(dev, "");
  GenerateData(Numbers(300, 300), Options(dir));
  EXPECT_EQ(ReadFile(dev), "");
  // As after a kill between two renames.
  RemoveFile(FindShards(dir, "p", "train")[1]);
  GenerateData(Numbers(300, 300), Options(dir));
  EXPECT_EQ(ReadFile(dev), "");
  RemoveFile(dev);
  GenerateData(Numbers(300, 300), Options(dir));
  EXPECT_EQ(Contents(dir), first);
}

TEST(GenerateTest, OtherOriginNeedsOverwrite) {
  const std::string dir = MakeTempDirectory("generate");
  GenerateData(Numbers(300, 300), Options(dir));
  const auto first = Contents(dir);
  GenerateOptions options = Options(dir);
  options.seed = 7;
  try {
    GenerateData(Numbers(300, 300), options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_NE(std::string(error.what()).find("'seed'"), std::string::npos);
  }
  EXPECT_EQ(Contents(dir), first);
  // Another number of shards: no old one stays.
  options.overwrite = true;
  options.num_shards = 2;
  GenerateData(Numbers(300, 300), options);
  EXPECT_EQ(FindShards(dir, "p", "train").size(), 2u);
  options.overwrite = false;
  options.num_shards = 3;
  EXPECT_THROW(GenerateData(Numbers(300, 300), options), Error);
}

TEST(GenerateTest, ShortSourceLeavesNothing) {
  const std::string dir = MakeTempDirectory("generate");
  EXPECT_THROW(GenerateData(Numbers(300, 299), Options(dir)), Error);
  EXPECT_EQ(ListDirectory(dir), std::vector<std::string>{"p.datagen.json"});
}

TEST(GenerateTest, UnwritableFolder) {
  const std::string dir = MakeTempDirectory("generate");
  WriteFileAtomically(dir + "/file", "");
  try {
    GenerateData(Numbers(3, 3), Options(dir + "/file/data"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kIo);
  }
}

}  // namespace
}  // namespace t2t
