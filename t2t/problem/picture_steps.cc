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

// T2T's default.
constexpr int64_t kResizeSide = 512;

void CheckSide(const HParams& hparams, const char* name, int64_t side) {
  if (!hparams.Has(name) || hparams.GetInt(name) == side) return;
  throw UsageError(
      std::string(name) + "=" + std::to_string(hparams.GetInt(name)),
      std::to_string(side) + ", as the problem's images have it",
      "leave it out");
}

Picture ResizedForQuestions(const Picture& from, int64_t side) {
  const float scale = static_cast<float>(side) /
                      static_cast<float>(std::min(from.height, from.width));
  const auto scaled = [scale](int64_t size) {
    return static_cast<int64_t>(static_cast<float>(size) * scale);
  };
  return Resized(from, scaled(from.height), scaled(from.width),
                 ResizeMethod::kBicubic);
}

void Clamp(Picture* picture) {
  for (float& pixel : picture->pixels) pixel = std::clamp(pixel, 0.0F, 1.0F);
}

// T2T's _distort_color, whose four changes come in one of four orders.
void DistortColours(Rng* rng, Picture* picture) {
  const auto between = [rng](double low, double high) {
    return static_cast<float>(low + (high - low) * rng->Uniform());
  };
  const auto brightness = [&] {
    AdjustBrightness(between(-32.0 / 255, 32.0 / 255), picture);
  };
  const auto saturation = [&] { AdjustSaturation(between(0.5, 1.5), picture); };
  const auto hue = [&] { AdjustHue(between(-0.2, 0.2), picture); };
  const auto contrast = [&] { AdjustContrast(between(0.5, 1.5), picture); };
  switch (rng->Below(4)) {
    case 0:
      brightness(), saturation(), hue(), contrast();
      break;
    case 1:
      saturation(), brightness(), contrast(), hue();
      break;
    case 2:
      contrast(), hue(), brightness(), saturation();
      break;
    default:
      hue(), saturation(), contrast(), brightness();
      break;
  }
  Clamp(picture);
}

// As the networks of images take pixels: without VGG's means, or from -1 to 1.
void PrepareFor(const std::string& network, Picture* picture) {
  constexpr float kVggMeans[] = {123.68F, 116.78F, 103.94F};
  const bool vgg = network.starts_with("resnet_v1");
  if (!vgg && !network.starts_with("resnet_v2")) return;
  for (size_t i = 0; i < picture->pixels.size(); ++i) {
    float& pixel = picture->pixels[i];
    pixel = vgg ? pixel * 255 - kVggMeans[i % 3] : (pixel - 0.5F) * 2;
  }
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

PictureChange ForQuestions(int64_t side) {
  return [side](Picture* picture, const StepContext& context) {
    const HParams& hparams = context.hparams;
    CheckSide(hparams, "height", side);
    CheckSide(hparams, "width", side);
    for (float& pixel : picture->pixels) pixel /= 255;
    const int64_t resize = hparams.Has("resize_side")
                               ? hparams.GetInt("resize_side")
                               : kResizeSide;
    *picture = ResizedForQuestions(*picture, resize);
    const bool training = context.mode == Mode::kTrain;
    *picture = training ? RandomCropped(*picture, side, side, &context.rng)
                        : CenterFitted(*picture, side, side);
    Clamp(picture);
    const bool distorts = !hparams.Has("distort") || hparams.GetBool("distort");
    if (training && distorts) {
      if (context.rng.Below(2) == 1) FlipLeftRight(picture);
      DistortColours(&context.rng, picture);
    }
    PrepareFor(hparams.Has("image_model_fn")
                   ? hparams.GetString("image_model_fn")
                   : "resnet_v1_152",
               picture);
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

Step TakeFields(FieldNames names) {
  names.emplace_back(kEncoded, kEncoded);
  return RenameFields(names);
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
