#include "t2t/problem/picture.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "t2t/base/error.h"

namespace t2t {
namespace {

Picture Of(int64_t height, int64_t width, int64_t channels,
           std::vector<float> pixels) {
  Picture picture(height, width, channels);
  picture.pixels = std::move(pixels);
  return picture;
}

// Every `apart`-th pixel at most so far from what is expected.
void ExpectNear(const Picture& picture, const std::vector<float>& expected,
                float most) {
  ASSERT_EQ(picture.pixels.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(picture.pixels[i], expected[i], most) << "pixel " << i;
  }
}

// The values of these three are those of TensorFlow 1's own tests
// (python/ops/image_ops_test.py: testResizeUp, testResizeUpBicubic,
// testResizeDownArea), which compare so closely.
TEST(PictureTest, BilinearIsTensorFlows) {
  const Picture from = Of(3, 2, 1, {64, 32, 32, 64, 50, 100});
  ExpectNear(Resized(from, 6, 4, ResizeMethod::kBilinear),
             {64, 48,   32, 32, 48, 48, 48,  48,  32, 48, 64,  64,
              41, 61.5, 82, 82, 50, 75, 100, 100, 50, 75, 100, 100},
             1e-5F);
}

TEST(PictureTest, BicubicIsTensorFlows) {
  const Picture from =
      Of(6, 6, 1, {128, 128, 64,  64,  128, 128, 64,  64,  64, 64, 128, 128,
                   64,  64,  128, 128, 50,  50,  100, 100, 50, 50, 100, 100,
                   50,  50,  100, 100, 50,  50,  100, 100, 50, 50, 100, 100});
  ExpectNear(Resized(from, 8, 8, ResizeMethod::kBicubic),
             {128, 135, 96,  55, 64,  114, 134, 128, 78, 81, 68,  52, 57,
              118, 144, 136, 55, 49,  79,  109, 103, 89, 83, 84,  74, 70,
              95,  122, 115, 69, 49,  55,  100, 105, 75, 43, 50,  89, 105,
              100, 57,  54,  74, 96,  91,  65,  55,  58, 70, 69,  75, 81,
              80,  72,  69,  70, 105, 112, 75,  36,  45, 92, 111, 105},
             1);
}

TEST(PictureTest, AreaIsTensorFlows) {
  const Picture from =
      Of(6, 6, 1, {128, 64, 32, 16, 8,  4, 4, 8,  16, 32, 64, 128,
                   128, 64, 32, 16, 8,  4, 5, 10, 15, 20, 25, 30,
                   30,  25, 20, 15, 10, 5, 5, 10, 15, 20, 25, 30});
  ExpectNear(Resized(from, 4, 4, ResizeMethod::kArea),
             {73, 33, 23, 39, 73, 33, 23, 39, 14, 16, 19, 21, 14, 16, 19, 21},
             1);
  // Of whole blocks it is their mean.
  ExpectNear(
      Resized(from, 2, 3, ResizeMethod::kArea),
      {(128 + 64 + 4 + 8 + 128 + 64) / 6.0F,
       (32 + 16 + 16 + 32 + 32 + 16) / 6.0F, (8 + 4 + 64 + 128 + 8 + 4) / 6.0F,
       (5 + 10 + 30 + 25 + 5 + 10) / 6.0F, (15 + 20 + 20 + 15 + 15 + 20) / 6.0F,
       (25 + 30 + 10 + 5 + 25 + 30) / 6.0F},
      1e-4F);
}

// Each channel is resized by itself, rows and columns alike.
TEST(PictureTest, ChannelsDoNotMix) {
  Picture from(5, 7, 3);
  for (int64_t y = 0; y < 5; ++y) {
    for (int64_t x = 0; x < 7; ++x) {
      from.at(y, x)[0] = static_cast<float>(y * y);
      from.at(y, x)[1] = static_cast<float>(x);
      from.at(y, x)[2] = 9;
    }
  }
  for (const ResizeMethod method :
       {ResizeMethod::kBilinear, ResizeMethod::kBicubic, ResizeMethod::kArea}) {
    const Picture to = Resized(from, 3, 4, method);
    for (int64_t y = 0; y < 3; ++y) {
      for (int64_t x = 0; x < 4; ++x) {
        EXPECT_NEAR(to.at(y, x)[0], to.at(y, 0)[0], 1e-4);
        EXPECT_NEAR(to.at(y, x)[1], to.at(0, x)[1], 1e-4);
        EXPECT_NEAR(to.at(y, x)[2], 9, 1e-4);
      }
    }
    EXPECT_GT(to.at(2, 0)[0], to.at(1, 0)[0]);
  }
  // Of equal pixels the same to the last bit: T2T cuts off to whole numbers.
  for (const float pixel : Resized(Of(3, 3, 1, std::vector<float>(9, 7)), 5, 8,
                                   ResizeMethod::kBilinear)
                               .pixels) {
    EXPECT_EQ(pixel, 7);
  }
}

TEST(PictureTest, SmallerSideIsScaled) {
  const Picture tall =
      ScaledToSide(Picture(30, 20, 1), 8, ResizeMethod::kBicubic);
  EXPECT_EQ(tall.height, 12);
  EXPECT_EQ(tall.width, 8);
  const Picture wide =
      ScaledToSide(Picture(20, 33, 1), 8, ResizeMethod::kBicubic);
  EXPECT_EQ(wide.height, 8);
  EXPECT_EQ(wide.width, 13);  // 13.2
}

TEST(PictureTest, CropsWhereTheyAreSaidToBe) {
  Picture from(5, 6, 1);
  for (size_t i = 0; i < 30; ++i) from.pixels[i] = static_cast<float>(i);
  EXPECT_EQ(Cropped(from, 1, 2, 2, 3).pixels,
            (std::vector<float>{8, 9, 10, 14, 15, 16}));
  // T2T's ((size - crop) + 1) / 2, cut off.
  EXPECT_EQ(CenterCropped(from, 2, 2).pixels,
            (std::vector<float>{14, 15, 20, 21}));
  EXPECT_THROW(Cropped(from, 4, 0, 2, 2), Error);
  EXPECT_THROW(CenterCropped(from, 6, 2), Error);
  // tf.image.resize_image_with_crop_or_pad.
  EXPECT_EQ(
      CenterFitted(from, 7, 2).pixels,
      (std::vector<float>{0, 0, 2, 3, 8, 9, 14, 15, 20, 21, 26, 27, 0, 0}));
}

TEST(PictureTest, RandomCropsAreEverywhere) {
  Picture from(3, 4, 1);
  for (size_t i = 0; i < 12; ++i) from.pixels[i] = static_cast<float>(i);
  std::set<float> corners;
  Rng rng(1);
  for (int i = 0; i < 300; ++i) {
    corners.insert(RandomCropped(from, 2, 2, &rng).pixels[0]);
  }
  EXPECT_EQ(corners, (std::set<float>{0, 1, 2, 4, 5, 6}));
  EXPECT_THROW(RandomCropped(from, 4, 2, &rng), Error);
}

// tf.image.sample_distorted_bounding_box.
TEST(PictureTest, BoxesAreInsideAndOfTheirSizes) {
  Rng rng(3);
  int drawn = 0;
  double least = 1;
  double most = 0;
  double narrow = 9;
  double broad = 0;
  for (int i = 0; i < 2000; ++i) {
    PictureBox box;
    if (!DrawBox(375, 500, &rng, &box)) continue;
    ++drawn;
    EXPECT_GE(box.top, 0);
    EXPECT_GE(box.left, 0);
    EXPECT_LE(box.top + box.height, 375);
    EXPECT_LE(box.left + box.width, 500);
    const double area =
        static_cast<double>(box.height * box.width) / (375.0 * 500.0);
    const double ratio =
        static_cast<double>(box.width) / static_cast<double>(box.height);
    least = std::min(least, area);
    most = std::max(most, area);
    narrow = std::min(narrow, ratio);
    broad = std::max(broad, ratio);
  }
  // Of those that are tried a few have less than a tenth of the picture.
  EXPECT_GT(drawn, 1800);
  EXPECT_LT(drawn, 2000);
  EXPECT_GE(least, 0.1);
  EXPECT_LT(least, 0.12);
  EXPECT_GT(most, 0.85);
  EXPECT_NEAR(narrow, 0.75, 0.01);
  EXPECT_NEAR(broad, 4.0 / 3, 0.01);
  PictureBox box;
  EXPECT_FALSE(DrawBox(1, 1000, &rng, &box));
}

TEST(PictureTest, FlipTurnsPixelsNotColours) {
  Picture picture = Of(1, 3, 2, {1, 2, 3, 4, 5, 6});
  FlipLeftRight(&picture);
  EXPECT_EQ(picture.pixels, (std::vector<float>{5, 6, 3, 4, 1, 2}));
}

// By the formulas in tf.image's documentation.
TEST(PictureTest, ColoursChangeAsTheirNamesSay) {
  const Picture from = Of(1, 2, 3, {0.8F, 0.4F, 0.2F, 0.1F, 0.3F, 0.3F});
  Picture picture = from;
  AdjustBrightness(0.1F, &picture);
  ExpectNear(picture, {0.9F, 0.5F, 0.3F, 0.2F, 0.4F, 0.4F}, 1e-6F);
  picture = from;
  AdjustContrast(0.5F, &picture);  // of each channel's mean
  ExpectNear(picture, {0.625F, 0.375F, 0.225F, 0.275F, 0.325F, 0.275F}, 1e-6F);
  picture = from;
  AdjustSaturation(0, &picture);  // the value is the brightest channel
  ExpectNear(picture, {0.8F, 0.8F, 0.8F, 0.3F, 0.3F, 0.3F}, 1e-6F);
  picture = from;
  AdjustSaturation(1, &picture);
  ExpectNear(picture, from.pixels, 1e-6F);
  picture = from;
  AdjustHue(1.0F / 3, &picture);  // red becomes green, green blue, blue red
  ExpectNear(picture, {0.2F, 0.8F, 0.4F, 0.3F, 0.1F, 0.3F}, 1e-6F);
  AdjustHue(-1.0F / 3, &picture);
  ExpectNear(picture, from.pixels, 1e-6F);
}

}  // namespace
}  // namespace t2t
