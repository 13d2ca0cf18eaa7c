#include "t2t/problem/image_steps.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <variant>

#include "t2t/base/error.h"
#include "t2t/formats/encoded_image.h"

namespace t2t {
namespace {

void CheckSize(size_t pixels, const ImageShape& shape) {
  if (static_cast<int64_t>(pixels) == shape[0] * shape[1] * shape[2]) return;
  throw DataError("an image of " + std::to_string(pixels) + " values",
                  ShapeText(shape), "make the data again");
}

// Calls change(pixels) with the vector of bytes or integers.
template <typename Change>
void ChangePixels(Example* example, const Change& change) {
  const auto found = example->features.find("inputs");
  if (found != example->features.end()) {
    if (auto* bytes = std::get_if<std::vector<uint8_t>>(&found->second)) {
      change(bytes);
      return;
    }
    if (auto* ints = std::get_if<std::vector<int64_t>>(&found->second)) {
      change(ints);
      return;
    }
  }
  example->Ints("inputs");  // says what is there instead
}

void Decode(const ImageShape& shape, Example* example) {
  if (!example->Has("image/encoded")) return;
  const std::vector<std::string>& encoded = example->Strings("image/encoded");
  if (encoded.size() != 1) {
    throw DataError(
        "an example of " + std::to_string(encoded.size()) + " images",
        "one in image/encoded", "make the data again");
  }
  Image image = DecodeEncodedImage(encoded[0], static_cast<int>(shape[2]));
  const ImageShape found = {image.height, image.width, image.channels};
  if (found != shape) {
    throw DataError("an image of " + ShapeText(found), ShapeText(shape),
                    "make the data again");
  }
  example->features["inputs"] = std::move(image.pixels);
  example->features["targets"] = example->Ints("image/class/label");
  std::erase_if(example->features, [](const auto& feature) {
    return feature.first.rfind("image/", 0) == 0;
  });
}

void DecodeOnLengths(int64_t pixels, ExampleLengths* lengths) {
  if (lengths->Find("image/encoded") == nullptr) return;
  // (Without a label an example is refused when it is decoded.)
  const FeatureLength* const label = lengths->Find("image/class/label");
  const int64_t labels = label == nullptr ? 0 : label->count;
  for (const FeatureLength& feature : std::vector(lengths->features())) {
    if (feature.name.rfind("image/", 0) == 0) lengths->Erase(feature.name);
  }
  lengths->Set("inputs", FeatureLength::Kind::kIntegers, pixels);
  lengths->Set("targets", FeatureLength::Kind::kIntegers, labels);
}

template <typename Pixel>
std::vector<float> Standardized(const std::vector<Pixel>& pixels) {
  const auto count = static_cast<double>(pixels.size());
  double sum = 0;
  double squares = 0;
  for (const int64_t pixel : pixels) {
    sum += static_cast<double>(pixel);
    squares += static_cast<double>(pixel * pixel);
  }
  const double mean = sum / count;
  const double deviation =
      std::max(std::sqrt(std::max(0.0, squares / count - mean * mean)),
               1 / std::sqrt(count));
  std::vector<float> standardized;
  standardized.reserve(pixels.size());
  for (const int64_t pixel : pixels) {
    standardized.push_back(
        static_cast<float>((static_cast<double>(pixel) - mean) / deviation));
  }
  return standardized;
}

// The image moved down and right, in a frame of zeros.
template <typename Pixel>
std::vector<Pixel> Shifted(const std::vector<Pixel>& from,
                           const ImageShape& shape, int64_t down,
                           int64_t right) {
  const int64_t height = shape[0];
  const int64_t row = shape[1] * shape[2];
  std::vector<Pixel> to(from.size(), 0);
  const int64_t cut = std::min(std::abs(right) * shape[2], row);
  for (int64_t y = std::max<int64_t>(0, down);
       y < std::min(height, height + down); ++y) {
    const Pixel* const source = from.data() + (y - down) * row;
    Pixel* const target = to.data() + y * row;
    std::copy_n(source + (right < 0 ? cut : 0), row - cut,
                target + (right > 0 ? cut : 0));
  }
  return to;
}

template <typename Pixel>
void Flip(const ImageShape& shape, std::vector<Pixel>* pixels) {
  const int64_t channels = shape[2];
  for (int64_t y = 0; y < shape[0]; ++y) {
    Pixel* const row = pixels->data() + y * shape[1] * channels;
    for (int64_t left = 0, right = shape[1] - 1; left < right;
         ++left, --right) {
      std::swap_ranges(row + left * channels, row + (left + 1) * channels,
                       row + right * channels);
    }
  }
}

}  // namespace

Step DecodeImage(const ImageShape& shape) {
  return {.name = "decode image",
          .run =
              [shape](Example* example, const StepContext&) {
                Decode(shape, example);
                return true;
              },
          .lengths = [shape](Mode, const HParams&) -> LengthsStep {
            return [pixels = shape[0] * shape[1] *
                             shape[2]](ExampleLengths* lengths) {
              DecodeOnLengths(pixels, lengths);
              return true;
            };
          }};
}

Step Standardize() {
  return {.name = "standardize",
          .run =
              [](Example* example, const StepContext&) {
                std::vector<float> standardized;
                ChangePixels(example, [&](auto* pixels) {
                  standardized = Standardized(*pixels);
                });
                example->features["inputs"] = std::move(standardized);
                return true;
              },
          .lengths = [](Mode, const HParams&) -> LengthsStep {
            return [](ExampleLengths* lengths) {
              FeatureLength* const inputs = lengths->Find("inputs");
              if (inputs != nullptr)
                inputs->kind = FeatureLength::Kind::kFloats;
              return true;
            };
          }};
}

Step RandomShift(const ImageShape& shape, int64_t pixels) {
  const auto shift = [shape, pixels](Example* example,
                                     const StepContext& context) {
    ChangePixels(example, [&](auto* image) {
      CheckSize(image->size(), shape);
      const auto draw = [&] {
        return static_cast<int64_t>(
                   context.rng.Below(static_cast<uint64_t>(2 * pixels + 1))) -
               pixels;
      };
      const int64_t down = draw();
      const int64_t right = draw();
      *image = Shifted(*image, shape, down, right);
    });
    return true;
  };
  return {"random shift", shift, /*draws=*/true, /*training_only=*/true};
}

Step RandomFlip(const ImageShape& shape) {
  const auto flip = [shape](Example* example, const StepContext& context) {
    if (context.rng.Below(2) == 0) return true;
    ChangePixels(example, [&](auto* image) {
      CheckSize(image->size(), shape);
      Flip(shape, image);
    });
    return true;
  };
  return {"random flip", flip, /*draws=*/true, /*training_only=*/true};
}

Step RandomTranslation(const ImageShape& shape, double share) {
  const auto translate = [shape, share](Example* example,
                                        const StepContext& context) {
    ChangePixels(example, [&](auto* image) {
      CheckSize(image->size(), shape);
      const auto draw = [&](int64_t side) {
        const double most = share * static_cast<double>(side);
        return std::llround((2 * context.rng.Uniform() - 1) * most);
      };
      const int64_t down = draw(shape[0]);
      const int64_t right = draw(shape[1]);
      *image = Shifted(*image, shape, down, right);
    });
    return true;
  };
  return {"random translation", translate, /*draws=*/true,
          /*training_only=*/true};
}

}  // namespace t2t
