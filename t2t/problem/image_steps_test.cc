#include "t2t/problem/image_steps.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "t2t/base/error.h"
#include "t2t/formats/jpeg.h"
#include "t2t/formats/png.h"
#include "t2t/problem/picture_steps.h"
#include "t2t/problem/problem.h"

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
  // What image/format says is no matter.
  Example other = example;
  other.features["image/format"] = std::vector<std::string>{"jpeg"};
  EXPECT_EQ(RunStep(DecodeImage(kShape), other, 0), expected);
  other.features["image/encoded"] = std::vector<std::string>{EncodeJpeg(whole)};
  EXPECT_EQ(RunStep(DecodeImage(kShape), other, 0).Bytes("inputs").size(), 18u);
  other.features["image/encoded"] = std::vector<std::string>{"GIF89a"};
  EXPECT_THROW(RunStep(DecodeImage(kShape), other, 0), Error);
}

TEST(ImageStepsTest, TranslationIsOfATenthAtMost) {
  const ImageShape shape = {10, 20, 1};
  Ints pixels(200, 0);
  pixels[5 * 20 + 10] = 9;
  std::set<std::pair<int64_t, int64_t>> moves;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    Example example;
    example.features["inputs"] = pixels;
    const Ints moved =
        RunStep(RandomTranslation(shape, 0.1), example, seed).Ints("inputs");
    const auto place = std::ranges::find(moved, 9) - moved.begin();
    moves.emplace(place / 20 - 5, place % 20 - 10);
  }
  EXPECT_EQ(moves.size(), 15u);  // 3 of rows, 5 of columns
  EXPECT_EQ(moves.begin()->first, -1);
  EXPECT_EQ(moves.rbegin()->second, 2);
}

// An image of `height` x `width` whose red is the column and whose green is the
// row.
Image Grid(int64_t height, int64_t width) {
  Image image = {height, width, 3, {}};
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      image.pixels.insert(image.pixels.end(), {static_cast<uint8_t>(x),
                                               static_cast<uint8_t>(y), 7});
    }
  }
  return image;
}

Example Recorded(const Image& image) {
  Example example;
  example.features["image/encoded"] =
      std::vector<std::string>{EncodePng(image)};
  example.features["image/format"] = std::vector<std::string>{"png"};
  example.features["image/class/label"] = Ints{3};
  example.features["image/width"] = Ints{image.width};
  return example;
}

Example RunAs(Mode mode, const std::vector<Step>& steps, Example example,
              uint64_t seed = 0) {
  const HParams hparams;
  Rng rng(seed);
  EXPECT_TRUE(RunSteps(steps, 0, steps.size(), &example, {mode, hparams, rng}));
  return example;
}

TEST(PictureStepsTest, AnImageBecomesTwoFeatures) {
  const std::vector<Step> steps = {
      TakeFields({{"image/class/label", "label"}}),
      MakePictures({Crop(1, 2, 4, 4)},
                   {{"inputs", {2, 2, 3}, {Resize(2, 2, ResizeMethod::kArea)}},
                    {"targets", {4, 4, 3}, {}}},
                   /*draws=*/false)};
  const Example made = RunAs(Mode::kEval, steps, Recorded(Grid(6, 8)));
  EXPECT_EQ(made.features.size(), 3u);
  EXPECT_EQ(made.Ints("label"), Ints{3});
  // Means of 2 and 3, of 4 and 5, cut off.
  EXPECT_EQ(made.Bytes("inputs"),
            (std::vector<uint8_t>{2, 1, 7, 4, 1, 7, 2, 3, 7, 4, 3, 7}));
  EXPECT_EQ(made.Bytes("targets")[3 * 5], 3);
  EXPECT_EQ(made.Bytes("targets")[3 * 5 + 1], 2);
  // An image that is too small says so.
  EXPECT_THROW(RunAs(Mode::kEval, steps, Recorded(Grid(4, 8))), Error);
}

TEST(PictureStepsTest, ImagenetIsTheMiddleToEvaluateAndAPartToTrain) {
  const std::vector<Step> steps = {
      TakeFields({}), MakePictures({},
                                   {{.name = "inputs",
                                     .shape = {32, 32, 3},
                                     .changes = {ForImagenet(32, false)},
                                     .floats = true}},
                                   /*draws=*/true)};
  // 64 x 128 becomes 64 x 128: its middle starts at row 16, column 48.
  const Example record = Recorded(Grid(64, 128));
  const std::vector<float> middle =
      RunAs(Mode::kEval, steps, record).Floats("inputs");
  EXPECT_EQ(middle[0], 48);
  EXPECT_EQ(middle[1], 16);
  EXPECT_EQ(middle.back(), 7);
  EXPECT_EQ(middle[3 * 33], 49);
  int flipped = 0;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const std::vector<float> part =
        RunAs(Mode::kTrain, steps, record, seed).Floats("inputs");
    ASSERT_EQ(part.size(), middle.size());
    EXPECT_EQ(part, RunAs(Mode::kTrain, steps, record, seed).Floats("inputs"));
    EXPECT_LT(part[1], part[31 * 32 * 3 + 1]);  // never upside down
    flipped += part[0] > part[31 * 3];
  }
  EXPECT_NEAR(flipped, 100, 30);
}

TEST(PictureStepsTest, NormalizedColoursAreImagenets) {
  Image grey = {40, 40, 3, std::vector<uint8_t>(4800, 0)};
  for (size_t i = 0; i < 4800; ++i) grey.pixels[i] = 51;  // 0.2
  const std::vector<Step> steps = {
      TakeFields({}), MakePictures({},
                                   {{.name = "inputs",
                                     .shape = {8, 8, 3},
                                     .changes = {ForImagenet(8, true)},
                                     .floats = true}},
                                   /*draws=*/true)};
  for (const Mode mode : {Mode::kTrain, Mode::kEval}) {
    const std::vector<float> made =
        RunAs(mode, steps, Recorded(grey)).Floats("inputs");
    EXPECT_NEAR(made[0], (0.2 - 0.485) / 0.229, 1e-5);
    EXPECT_NEAR(made[1], (0.2 - 0.456) / 0.224, 1e-5);
    EXPECT_NEAR(made[2], (0.2 - 0.406) / 0.225, 1e-5);
  }
}

TEST(PictureStepsTest, ResolutionsAreOneBelowTheOther) {
  const ImageShape whole = MultiscaleShape({4, 8}, 3);
  EXPECT_EQ(whole, (ImageShape{10, 8, 3}));
  const Example made = RunAs(
      Mode::kEval,
      {TakeFields({}),
       MakePictures({}, {{"inputs", whole, {Multiscale({4, 8})}}}, false)},
      Recorded(Grid(8, 8)));
  const std::vector<uint8_t>& pixels = made.Bytes("inputs");
  // Rows 0 and 1 are the 4 x 4 picture's 16 pixels; the rest is the 8 x 8 one.
  EXPECT_EQ(pixels[3], 2);
  for (size_t i = 0; i < 64; ++i) {
    EXPECT_EQ(pixels[(16 + i) * 3], i % 8);
    EXPECT_EQ(pixels[(16 + i) * 3 + 1], i / 8);
  }
}

TEST(PictureStepsTest, APaintedSquareIsBlack) {
  Image grey = {20, 20, 3, std::vector<uint8_t>(1200, 9)};
  std::set<int64_t> places;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const Example made =
        RunAs(Mode::kEval,
              {TakeFields({}),
               MakePictures({}, {{"inputs", {20, 20, 3}, {PaintSquare(0.01)}}},
                            /*draws=*/true)},
              Recorded(grey), seed);
    const std::vector<uint8_t>& pixels = made.Bytes("inputs");
    EXPECT_EQ(std::ranges::count(pixels, 0), 2 * 2 * 3);
    places.insert(std::ranges::find(pixels, 0) - pixels.begin());
  }
  EXPECT_GT(places.size(), 30u);
}

// An image that is decoded by a step that draws is planned on lengths alone.
TEST(PictureStepsTest, LengthsAreKnownBeforeAnImageIsDecoded) {
  Problem problem;
  problem.steps = {TakeFields({{"image/class/label", "targets"}}),
                   MakePictures({}, {{"inputs", {6, 8, 3}, {}}}, false)};
  const auto on_lengths = problem.FixedStepsOnLengths(Mode::kTrain, HParams());
  ASSERT_TRUE(on_lengths);
  const std::string record = SerializeExample(Recorded(Grid(6, 8)));
  ExampleLengths lengths;
  lengths.Read(record);
  EXPECT_TRUE((*on_lengths)(&lengths));
  ASSERT_EQ(lengths.features().size(), 2u);
  EXPECT_EQ(lengths.Find("inputs")->count, 144);
  EXPECT_EQ(lengths.Find("targets")->count, 1);
}

}  // namespace
}  // namespace t2t
