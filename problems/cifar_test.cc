#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "problems/problem_testing.h"
#include "t2t/base/sha256.h"
#include "t2t/formats/png.h"
#include "t2t/problem/image_steps.h"

namespace t2t {
namespace {

constexpr char kFolder[] = "cifar-10-batches-bin";

class CifarTest : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = MakeTempDirectory("cifar");
    options_.tmp_dir = dir_ + "/tmp";
    options_.data_dir = dir_ + "/data";
    ::unsetenv("T2T_CIFAR_URL");
  }
  void TearDown() override {
    ::unsetenv("T2T_CIFAR_URL");
    RemoveTree(dir_);
  }

  // Image `number`: its label is the number modulo 10, red grows from left to
  // right, green from top to bottom, blue is the number.
  static std::string Record(int number) {
    std::string record(1, static_cast<char>(number % 10));
    for (int plane = 0; plane < 3; ++plane) {
      for (int y = 0; y < 32; ++y) {
        for (int x = 0; x < 32; ++x) {
          record += static_cast<char>(plane == 0 ? x : plane == 1 ? y : number);
        }
      }
    }
    return record;
  }

  static void PutBatches(const std::string& folder) {
    MakeDirectories(folder);
    int number = 0;
    for (const char* const name :
         {"data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4",
          "data_batch_5", "test_batch"}) {
      std::string records;
      for (int i = 0; i < 12; ++i) records += Record(number++);
      WriteFileAtomically(folder + "/" + name + ".bin", records);
    }
  }

  std::string dir_;
  GenerateOptions options_;
};

TEST_F(CifarTest, PngsInT2TsFields) {
  PutBatches(options_.tmp_dir + "/" + kFolder);
  const auto problem = MakeProblem("image_cifar10");
  GenerateData(*problem, options_);
  EXPECT_EQ(WrongDataFacts("image_cifar10", options_.data_dir), "");
  EXPECT_EQ(problem->DataFiles(options_.data_dir, DataSplit::kTrain).size(),
            10u);
  EXPECT_EQ(ReadExamples(*problem, options_.data_dir, DataSplit::kTrain).size(),
            60u);
  const std::vector<Example> dev =
      ReadExamples(*problem, options_.data_dir, DataSplit::kDev);
  ASSERT_EQ(dev.size(), 12u);
  // The first test image is the 61st of all.
  const Example& first = dev[0];
  EXPECT_EQ(first.features.size(), 5u);
  EXPECT_EQ(first.Strings("image/format"), std::vector<std::string>{"png"});
  EXPECT_EQ(first.Ints("image/class/label"), std::vector<int64_t>{0});
  EXPECT_EQ(first.Ints("image/height"), std::vector<int64_t>{32});
  EXPECT_EQ(first.Ints("image/width"), std::vector<int64_t>{32});
  const Image image = DecodePng(first.Strings("image/encoded")[0], 3);
  ASSERT_EQ(image.pixels.size(), 3072u);
  EXPECT_EQ(image.pixels[(5 * 32 + 7) * 3 + 0], 7);
  EXPECT_EQ(image.pixels[(5 * 32 + 7) * 3 + 1], 5);
  EXPECT_EQ(image.pixels[(5 * 32 + 7) * 3 + 2], 60);

  const ProblemInfo info = problem->Info(options_.data_dir);
  EXPECT_EQ(info.features.at("inputs").modality, "image");
  EXPECT_EQ(info.features.at("inputs").shape,
            (std::vector<int64_t>{32, 32, 3}));
  EXPECT_EQ(info.features.at("targets").vocab_size, 10);
  // What a decoder shows of a class.
  EXPECT_EQ(info.features.at("targets").encoder->Decode({6}), "frog");
  EXPECT_EQ(info.loss_multiplier, 3.0);
  EXPECT_EQ(info.input_space_id, 25);
  EXPECT_EQ(info.target_space_id, 1);
}

TEST_F(CifarTest, TrainingShiftsAndFlipsEvaluationDoesNot) {
  PutBatches(options_.tmp_dir + "/" + kFolder);
  const auto problem = MakeProblem("image_cifar10");
  GenerateData(*problem, options_);
  EXPECT_EQ(WrongLengths("image_cifar10", options_.data_dir), "");
  const Example record =
      ReadExamples(*problem, options_.data_dir, DataSplit::kDev)[1];
  const auto read = [&](const Problem& by, Mode mode, uint64_t seed) {
    Example example = record;
    EXPECT_TRUE(by.Preprocess(&example, mode, HParams(), seed));
    EXPECT_EQ(example.features.size(), 2u);
    EXPECT_EQ(IntegersOf(example.features.at("targets")).size() +
                  (by.was_reversed ? example.Ints("inputs").size() : 1),
              by.was_reversed ? 3073u : 2u);
    return example;
  };
  // Read to be evaluated: as it is, standardized.
  const Example plain = read(*problem, Mode::kEval, 1);
  EXPECT_EQ(plain, read(*problem, Mode::kPredict, 2));
  double sum = 0;
  double squares = 0;
  for (const float pixel : plain.Floats("inputs")) {
    sum += pixel;
    squares += pixel * pixel;
  }
  EXPECT_NEAR(sum / 3072, 0, 1e-5);
  EXPECT_NEAR(squares / 3072, 1, 1e-4);
  // In training the seed says how: the same for the same, else mostly another.
  EXPECT_EQ(read(*problem, Mode::kTrain, 3), read(*problem, Mode::kTrain, 3));
  int others = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    others += !(read(*problem, Mode::kTrain, seed) == plain);
  }
  EXPECT_GT(others, 15);
  // As targets, images stay pixels.
  const auto reversed = MakeProblem("image_cifar10_rev");
  EXPECT_EQ(reversed->loss_multiplier, 1.0);
  EXPECT_EQ(read(*reversed, Mode::kEval, 1).Bytes("targets")[2], 61);
}

TEST_F(CifarTest, DownloadsTheArchive) {
  PutBatches(dir_ + "/raw/" + kFolder);
  MakeDirectories(dir_ + "/mirror");
  ASSERT_EQ(
      std::system(("tar -czf " + dir_ + "/mirror/cifar-10-binary.tar.gz -C " +
                   dir_ + "/raw ./" + kFolder)
                      .c_str()),
      0);
  ::setenv("T2T_CIFAR_URL", ("file://" + dir_ + "/mirror").c_str(), 1);
  const auto problem = MakeProblem("image_cifar10");
  GenerateData(*problem, options_);
  EXPECT_EQ(ReadExamples(*problem, options_.data_dir, DataSplit::kTrain).size(),
            60u);
  // The data outlive what they were made of.
  RemoveTree(options_.tmp_dir);
  RemoveTree(dir_ + "/mirror");
  GenerateData(*problem, options_);
  EXPECT_FALSE(Exists(options_.tmp_dir));
}

TEST_F(CifarTest, NamesWhatIsWrong) {
  PutBatches(options_.tmp_dir + "/" + kFolder);
  const std::string path =
      options_.tmp_dir + "/" + kFolder + "/data_batch_3.bin";
  std::string records = ReadFile(path);
  const auto generate = [&] {
    GenerateData(*MakeProblem("image_cifar10"), options_);
  };
  for (const std::string& bad :
       {records.substr(0, 100), "\x0a" + records.substr(1)}) {
    WriteFileAtomically(path, bad);
    const auto [code, message] = ErrorOf(generate);
    EXPECT_EQ(code, ExitCode::kBadData);
    EXPECT_NE(message.find("data_batch_3.bin"), std::string::npos) << message;
    EXPECT_FALSE(Exists(options_.data_dir));
  }
}

}  // namespace
}  // namespace t2t
