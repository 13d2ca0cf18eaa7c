#ifndef T2T_PROBLEM_PICTURE_H_
#define T2T_PROBLEM_PICTURE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "t2t/base/rng.h"
#include "t2t/formats/image.h"

namespace t2t {

// Height, width, channels.
using ImageShape = std::vector<int64_t>;
std::string ShapeText(const ImageShape& shape);  // "32x32x3"

// An image on its way to a model, and what TensorFlow 1's tf.image does to it,
// by the same formulas.
struct Picture {
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 0;
  std::vector<float> pixels;  // [height, width, channels]

  Picture() = default;
  Picture(int64_t height, int64_t width, int64_t channels)
      : height(height),
        width(width),
        channels(channels),
        pixels(static_cast<size_t>(height * width * channels)) {}
  explicit Picture(const Image& image);

  float* at(int64_t y, int64_t x) {
    return pixels.data() + (y * width + x) * channels;
  }
  const float* at(int64_t y, int64_t x) const {
    return pixels.data() + (y * width + x) * channels;
  }
};

// tf.image.ResizeMethod: corners are not aligned, and a pixel's place is its
// upper left corner. kBicubic has a = -0.75 and a table of 1024 steps, and goes
// beyond the least and the greatest pixel; kArea is the mean of what a pixel
// covers.
enum class ResizeMethod { kBilinear, kBicubic, kArea };
Picture Resized(const Picture& from, int64_t height, int64_t width,
                ResizeMethod method);
// The smaller side becomes `side`, the other one in proportion, rounded down
// (T2T's _do_scale).
Picture ScaledToSide(const Picture& from, int64_t side, ResizeMethod method);

// Throw a DataError where the part is not inside the picture.
Picture Cropped(const Picture& from, int64_t top, int64_t left, int64_t height,
                int64_t width);
Picture CenterCropped(const Picture& from, int64_t height, int64_t width);
// tf.random_crop: every place as often.
Picture RandomCropped(const Picture& from, int64_t height, int64_t width,
                      Rng* rng);
// tf.image.resize_image_with_crop_or_pad: zeros around what is too small.
Picture CenterFitted(const Picture& from, int64_t height, int64_t width);

// A part of a picture: its shape is drawn, then its place.
struct PictureBox {
  int64_t top = 0;
  int64_t left = 0;
  int64_t height = 0;
  int64_t width = 0;
};
// tf.image.sample_distorted_bounding_box without boxes: width / height between
// 3/4 and 4/3, an area of 8 % or more of the picture's, which T2T tries once;
// false: that was no part of the picture, or less than a tenth of it.
bool DrawBox(int64_t height, int64_t width, Rng* rng, PictureBox* box);

void FlipLeftRight(Picture* picture);

// tf.image.adjust_*. Of three channels, from 0 to 1.
void AdjustBrightness(float delta, Picture* picture);
void AdjustContrast(float factor, Picture* picture);
void AdjustSaturation(float factor, Picture* picture);
void AdjustHue(float delta, Picture* picture);  // of a whole turn

}  // namespace t2t

#endif  // T2T_PROBLEM_PICTURE_H_
