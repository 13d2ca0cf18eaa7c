#include "t2t/problem/picture_steps.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/formats/encoded_image.h"

namespace t2t {
namespace {

constexpr char kEncoded[] = "image/encoded";

// Means and deviations of ImageNet's colours, of pixels from 0 to 1.
constexpr float kMeans[] = {0.485F, 0.456F, 0.406F};
constexpr float kDeviations[] = {0.229F, 0.224F, 0.225F};
// T2T's pictures to evaluate on are cut out of one whose smaller side is so
// much longer.
constexpr int64_t kMargin = 32;

void Normalize(Picture* picture) {
  for (size_t i = 0; i < picture->pixels.size(); ++i) {
    picture->pixels[i] =
        (picture->pixels[i] - kMeans[i % 3]) / kDeviations[i % 3];
  }
}

Picture RandomPart(const Picture& from, int64_t side, Rng* rng) {
  PictureBox box;
  const bool drawn = DrawBox(from.height, from.width, rng, &box);
  if (!drawn || (box.height == from.height && box.width == from.width)) {
    return CenterCropped(ScaledToSide(from, side, ResizeMethod::kBicubic), side,
                         side);
  }
  return Resized(Cropped(from, box.top, box.left, box.height, box.width), side,
                 side, ResizeMethod::kBicubic);
}

Feature ToFeature(const Picture& picture, bool floats) {
  if (floats) return picture.pixels;
  const auto is_byte = [](float pixel) { return pixel > -1 && pixel < 256; };
  if (std::ranges::all_of(picture.pixels, is_byte)) {
    std::vector<uint8_t> bytes(picture.pixels.size());
    std::ranges::transform(picture.pixels, bytes.begin(), [](float pixel) {
      return static_cast<uint8_t>(static_cast<int>(pixel));
    });
    return bytes;
  }
  std::vector<int64_t> ints(picture.pixels.size());
  std::ranges::transform(picture.pixels, ints.begin(), [](float pixel) {
    return static_cast<int64_t>(pixel);
  });
  return ints;
}

void Change(const std::vector<PictureChange>& changes, Picture* picture,
            const StepContext& context) {
  for (const PictureChange& change : changes) change(picture, context);
}

Feature Made(const PictureFeature& feature, const Picture& from,
             const StepContext& context) {
  Picture picture = from;
  Change(feature.changes, &picture, context);
  const ImageShape found = {picture.height, picture.width, picture.channels};
  if (found != feature.shape) {
    throw DataError("an image of " + ShapeText(found), ShapeText(feature.shape),
                    "make the data again");
  }
  return ToFeature(picture, feature.floats);
}

int64_t SizeOf(const ImageShape& shape) {
  return shape[0] * shape[1] * shape[2];
}

// (Of images in a record the string's length is not looked at.)
LengthsStep PicturesOnLengths(const std::vector<PictureFeature>& features) {
  return [features](ExampleLengths* lengths) {
    lengths->Erase(kEncoded);
    for (const PictureFeature& feature : features) {
      lengths->Set(feature.name,
                   feature.floats ? FeatureLength::Kind::kFloats
                                  : FeatureLength::Kind::kIntegers,
                   SizeOf(feature.shape));
    }
    return true;
  };
}

}  // namespace

PictureChange Resize(int64_t height, int64_t width, ResizeMethod method) {
  return [=](Picture* picture, const StepContext&) {
    *picture = Resized(*picture, height, width, method);
  };
}

PictureChange Crop(int64_t top, int64_t left, int64_t height, int64_t width) {
  return [=](Picture* picture, const StepContext&) {
    *picture = Cropped(*picture, top, left, height, width);
  };
}

PictureChange RandomCrop(int64_t height, int64_t width) {
  return [=](Picture* picture, const StepContext& context) {
    *picture = RandomCropped(*picture, height, width, &context.rng);
  };
}

PictureChange ForImagenet(int64_t side, bool normalized) {
  return [=](Picture* picture, const StepContext& context) {
    if (normalized) {
      for (float& pixel : picture->pixels) pixel /= 255;
    }
    if (context.mode == Mode::kTrain) {
      *picture = RandomPart(*picture, side, &context.rng);
      if (normalized) Normalize(picture);
      if (context.rng.Below(2) == 1) FlipLeftRight(picture);
      return;
    }
    *picture = CenterCropped(
        ScaledToSide(*picture, side + kMargin, ResizeMethod::kBicubic), side,
        side);
    if (normalized) Normalize(picture);
  };
}

PictureChange PaintSquare(double share) {
  return [share](Picture* picture, const StepContext& context) {
    const double area =
        share * static_cast<double>(picture->height * picture->width);
    const auto side = static_cast<int64_t>(std::sqrt(area));
    if (side == 0 || side >= picture->height || side >= picture->width) return;
    const auto draw = [&](int64_t size) {
      return static_cast<int64_t>(
          context.rng.Below(static_cast<uint64_t>(size - side)));
    };
    const int64_t top = draw(picture->height);
    const int64_t left = draw(picture->width);
    for (int64_t y = top; y < top + side; ++y) {
      std::fill_n(picture->at(y, left), side * picture->channels, 0.0F);
    }
  };
}

PictureChange Multiscale(const std::vector<int64_t>& sides) {
  return [sides](Picture* picture, const StepContext&) {
    const int64_t channels = picture->channels;
    const ImageShape shape = MultiscaleShape(sides, channels);
    Picture all(shape[0], shape[1], channels);
    float* to = all.pixels.data();
    for (const int64_t side : sides) {
      const Picture scaled =
          Resized(*picture, side, side, ResizeMethod::kBicubic);
      for (const float pixel : scaled.pixels) {
        *to++ = std::clamp(pixel, 0.0F, 255.0F);
      }
    }
    *picture = std::move(all);
  };
}

ImageShape MultiscaleShape(const std::vector<int64_t>& sides,
                           int64_t channels) {
  int64_t pixels = 0;
  for (const int64_t side : sides) pixels += side * side;
  return {pixels / sides.back(), sides.back(), channels};
}

Step TakeFields(
    const std::vector<std::pair<std::string, std::string>>& renamed) {
  return {.name = "take fields",
          .run =
              [renamed](Example* example, const StepContext&) {
                Example taken;
                taken.features[kEncoded] = example->Strings(kEncoded);
                for (const auto& [from, to] : renamed) {
                  auto found = example->features.find(from);
                  if (found == example->features.end()) continue;
                  taken.features[to] = std::move(found->second);
                }
                *example = std::move(taken);
                return true;
              },
          .lengths = [renamed](Mode, const HParams&) -> LengthsStep {
            return [renamed](ExampleLengths* lengths) {
              ExampleLengths taken;
              for (const FeatureLength& feature : lengths->features()) {
                if (feature.name == kEncoded) {
                  taken.Set(kEncoded, feature.kind, feature.count);
                }
                for (const auto& [from, to] : renamed) {
                  if (feature.name == from) {
                    taken.Set(to, feature.kind, feature.count);
                  }
                }
              }
              *lengths = std::move(taken);
              return true;
            };
          }};
}

Step MakePictures(const std::vector<PictureChange>& shared,
                  const std::vector<PictureFeature>& features, bool draws) {
  const auto make = [shared, features](Example* example,
                                       const StepContext& context) {
    const std::vector<std::string>& encoded = example->Strings(kEncoded);
    if (encoded.size() != 1) {
      throw DataError(
          "an example of " + std::to_string(encoded.size()) + " images",
          "one in image/encoded", "make the data again");
    }
    const auto channels = static_cast<int>(features.at(0).shape.at(2));
    Picture picture(DecodeEncodedImage(encoded[0], channels));
    Change(shared, &picture, context);
    for (const PictureFeature& feature : features) {
      example->features[feature.name] = Made(feature, picture, context);
    }
    example->features.erase(kEncoded);
    return true;
  };
  return {.name = kMakePictures,
          .run = make,
          .draws = draws,
          .lengths = [features](Mode, const HParams&) {
            return PicturesOnLengths(features);
          }};
}

}  // namespace t2t
