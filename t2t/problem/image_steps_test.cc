#include "t2t/problem/image_steps.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "t2t/base/error.h"
#include "t2t/formats/png.h"

namespace t2t {
namespace {

using Ints = std::vector<int64_t>;

const ImageShape kShape = {2, 3, 3};

Ints Ramp() {
  Ints pixels;
  for (int64_t i = 0; i < 18; ++i) pixels.push_back(10 + i);
  return pixels;
}

std::vector<uint8_t> Bytes(const Ints& pixels) {
  return {pixels.begin(), pixels.end()};
}

Example RunStep(const Step& step, Example example, uint64_t seed) {
  const HParams hparams;
  Rng rng(seed);
  EXPECT_TRUE(step.run(&example, {Mode::kTrain, hparams, rng}));
  return example;
}

Ints Pixels(const Step& step, uint64_t seed) {
  Example example;
  example.features["inputs"] = Ramp();
  const Ints pixels = RunStep(step, example, seed).Ints("inputs");
  // The same of bytes, which stay bytes.
  example.features["inputs"] = Bytes(Ramp());
  EXPECT_EQ(RunStep(step, example, seed).Bytes("inputs"), Bytes(pixels));
  return pixels;
}

TEST(ImageStepsTest, FlipTurnsPixelsNotColours) {
  const Ints flipped = {16, 17, 18, 13, 14, 15, 10, 11, 12,
                        25, 26, 27, 22, 23, 24, 19, 20, 21};
  int turned = 0;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    const Ints pixels = Pixels(RandomFlip(kShape), seed);
    EXPECT_TRUE(pixels == Ramp() || pixels == flipped);
    turned += pixels == flipped;
  }
  EXPECT_NEAR(turned, 200, 40);
}

// All (2 * 1 + 1)^2 shifts of one pixel, each as often: an image in a frame of
// zeros, and a window of its own size somewhere in it.
TEST(ImageStepsTest, ShiftIsAWindowOfAFramedImage) {
  std::set<Ints> expected;
  for (int64_t top = 0; top <= 2; ++top) {
    for (int64_t left = 0; left <= 2; ++left) {
      Ints window;
      for (int64_t y = top - 1; y < top + 1; ++y) {
        for (int64_t x = left - 1; x < left + 2; ++x) {
          const bool inside = y >= 0 && y < 2 && x >= 0 && x < 3;
          for (int64_t c = 0; c < 3; ++c) {
            window.push_back(inside ? Ramp()[(y * 3 + x) * 3 + c] : 0);
          }
        }
      }
      expected.insert(window);
    }
  }
  std::map<Ints, int> seen;
  for (uint64_t seed = 0; seed < 900; ++seed) {
    ++seen[Pixels(RandomShift(kShape, 1), seed)];
  }
  EXPECT_EQ(seen.size(), 9u);
  for (const auto& [pixels, count] : seen) {
    EXPECT_TRUE(expected.count(pixels));
    EXPECT_GT(count, 60);
  }
}

TEST(ImageStepsTest, AShiftBeyondTheImageLeavesNothing) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    for (const int64_t pixel : Pixels(RandomShift(kShape, 9), seed)) {
      EXPECT_TRUE(pixel == 0 || (pixel >= 10 && pixel < 28));
    }
  }
}

TEST(ImageStepsTest, StandardizesBytesAsIntegers) {
  Example ints;
  ints.features["inputs"] = Ramp();
  Example bytes;
  bytes.features["inputs"] = Bytes(Ramp());
  const Example standardized = RunStep(Standardize(), ints, 0);
  EXPECT_EQ(standardized, RunStep(Standardize(), bytes, 0));
  // Of 10, 11, ..., 27: mean 18.5, variance (18^2 - 1) / 12.
  EXPECT_FLOAT_EQ(standardized.Floats("inputs")[0],
                  static_cast<float>(-8.5 / std::sqrt(323.0 / 12)));
  EXPECT_THROW(RunStep(Standardize(), standardized, 0), Error);
}

TEST(ImageStepsTest, DecodesT2TsFields) {
  Example example;
  Image whole = {2, 3, 3, {}};
  whole.pixels = Bytes(Ramp());
  example.features["image/encoded"] =
      std::vector<std::string>{EncodePng(whole)};
  example.features["image/format"] = std::vector<std::string>{"png"};
  example.features["image/class/label"] = Ints{7};
  example.features["image/height"] = Ints{2};
  example.features["image/width"] = Ints{3};
  Example expected;
  expected.features["inputs"] = Bytes(Ramp());
  expected.features["targets"] = Ints{7};
  EXPECT_EQ(RunStep(DecodeImage(kShape), example, 0), expected);
  // An image as numbers stays.
  EXPECT_EQ(RunStep(DecodeImage(kShape), expected, 0), expected);

  EXPECT_THROW(RunStep(DecodeImage({3, 2, 3}), example, 0), Error);
  Example jpeg = example;
  jpeg.features["image/format"] = std::vector<std::string>{"jpeg"};
  EXPECT_THROW(RunStep(DecodeImage(kShape), jpeg, 0), Error);
}

}  // namespace
}  // namespace t2t
