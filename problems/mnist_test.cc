#include <gtest/gtest.h>

#include <cmath>

#include "problems/problem_testing.h"
#include "problems/synthetic_mnist.h"

namespace t2t {
namespace {

class MnistTest : public testing::Test {
 protected:
  void SetUp() override {
    options_.tmp_dir = MakeTempDirectory("mnist");
    options_.data_dir = options_.tmp_dir + "/data";
  }

  std::pair<ExitCode, std::string> GenerateError() {
    return ErrorOf(
        [&] { GenerateData(*MakeProblem("image_mnist"), options_); });
  }

  GenerateOptions options_;
};

TEST_F(MnistTest, PixelsAndLabels) {
  WriteSyntheticMnist(options_.tmp_dir, 120, 30, 1);
  const auto problem = MakeProblem("image_mnist");
  GenerateData(*problem, options_);
  EXPECT_EQ(WrongDataFacts("image_mnist", options_.data_dir), "");
  EXPECT_EQ(ReadExamples(*problem, options_.data_dir, DataSplit::kTrain).size(),
            120u);
  std::vector<Example> dev =
      ReadExamples(*problem, options_.data_dir, DataSplit::kDev);
  ASSERT_EQ(dev.size(), 30u);
  const std::string images =
      ReadFile(options_.tmp_dir + "/t10k-images-idx3-ubyte");
  const std::string labels =
      ReadFile(options_.tmp_dir + "/t10k-labels-idx1-ubyte");
  double sum = 0;
  double squares = 0;
  for (size_t i = 0; i < dev.size(); ++i) {
    ASSERT_EQ(dev[i].Ints("inputs").size(), 784u);
    for (size_t p = 0; p < 784; ++p) {
      ASSERT_EQ(dev[i].Ints("inputs")[p],
                static_cast<unsigned char>(images[16 + i * 784 + p]));
    }
    EXPECT_EQ(dev[i].Ints("targets"), std::vector<int64_t>{labels[8 + i]});
  }
  // Read as T2T reads it: standardized.
  EXPECT_TRUE(problem->Preprocess(&dev[0], Mode::kTrain, HParams()));
  for (const float pixel : dev[0].Floats("inputs")) {
    sum += pixel;
    squares += pixel * pixel;
  }
  EXPECT_NEAR(sum / 784, 0, 1e-5);
  EXPECT_NEAR(squares / 784, 1, 1e-4);

  const ProblemInfo info = problem->Info(options_.data_dir);
  EXPECT_EQ(info.features.at("inputs").modality, "image");
  EXPECT_EQ(info.features.at("inputs").shape,
            (std::vector<int64_t>{28, 28, 1}));
  EXPECT_EQ(info.features.at("targets").vocab_size, 10);
  EXPECT_EQ(info.features.at("targets").encoder->Decode({7}), "7");
  EXPECT_EQ(info.loss_multiplier, 3.0);
}

TEST_F(MnistTest, OneColourStaysFinite) {
  Example example;
  example.features["inputs"] = std::vector<int64_t>(784, 200);
  MakeProblem("image_mnist")->Preprocess(&example, Mode::kTrain, HParams());
  for (const float pixel : example.Floats("inputs")) EXPECT_EQ(pixel, 0);
  example.features["inputs"] = std::vector<int64_t>(784, 200);
  MakeProblem("image_fashion_mnist")
      ->Preprocess(&example, Mode::kTrain, HParams());
  EXPECT_EQ(example.Ints("inputs")[0], 200);
}

TEST_F(MnistTest, TuneHoldsOutTrainingImages) {
  WriteSyntheticMnist(options_.tmp_dir, 120, 30, 1);
  const auto problem = MakeProblem("image_mnist_tune");
  GenerateData(*problem, options_);
  EXPECT_EQ(ReadExamples(*problem, options_.data_dir, DataSplit::kTrain).size(),
            110u);
  EXPECT_EQ(ReadExamples(*problem, options_.data_dir, DataSplit::kDev).size(),
            10u);
}

TEST_F(MnistTest, NamesWhatIsWrong) {
  const auto [code, message] = GenerateError();
  EXPECT_EQ(code, ExitCode::kMissing);
  EXPECT_NE(message.find("train-images-idx3-ubyte.gz"), std::string::npos)
      << message;
  EXPECT_NE(message.find(options_.tmp_dir), std::string::npos) << message;

  const std::string images = options_.tmp_dir + "/train-images-idx3-ubyte";
  const std::string labels = options_.tmp_dir + "/train-labels-idx1-ubyte";
  WriteSyntheticMnist(options_.tmp_dir, 12, 3, 1);
  const std::string whole = ReadFile(images);
  const std::string good_labels = ReadFile(labels);
  WriteFileAtomically(images, whole.substr(0, whole.size() - 1));
  EXPECT_EQ(GenerateError().first, ExitCode::kBadData);
  WriteFileAtomically(images, whole.substr(0, 3));
  EXPECT_EQ(GenerateError().first, ExitCode::kBadData);
  std::string count = whole;
  count[4] = '\xff';
  WriteFileAtomically(images, count);
  EXPECT_EQ(GenerateError().first, ExitCode::kBadData);
  WriteFileAtomically(images, good_labels);
  EXPECT_EQ(GenerateError().first, ExitCode::kBadData);
  WriteFileAtomically(images, whole);
  std::string bad_label = good_labels;
  bad_label.back() = 10;
  WriteFileAtomically(labels, bad_label);
  EXPECT_EQ(GenerateError().first, ExitCode::kBadData);
  EXPECT_FALSE(Exists(options_.data_dir));
  WriteFileAtomically(labels, good_labels);
  EXPECT_EQ(GenerateError().first, ExitCode::kOk);
}

}  // namespace
}  // namespace t2t
