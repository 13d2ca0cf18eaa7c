#include "t2t/problem/image_steps.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/formats/png.h"

namespace t2t {
namespace {

std::string ShapeText(const ImageShape& shape) {
  std::string text;
  for (const int64_t size : shape) {
    text += (text.empty() ? "" : "x") + std::to_string(size);
  }
  return text;
}

void CheckSize(const std::vector<int64_t>& pixels, const ImageShape& shape) {
  if (static_cast<int64_t>(pixels.size()) == shape[0] * shape[1] * shape[2]) {
    return;
  }
  throw DataError("an image of " + std::to_string(pixels.size()) + " values",
                  ShapeText(shape), "make the data again");
}

void Decode(const ImageShape& shape, Example* example) {
  if (!example->Has("image/encoded")) return;
  const std::vector<std::string>& encoded = example->Strings("image/encoded");
  const std::vector<std::string>& format = example->Strings("image/format");
  if (encoded.size() != 1 || format.size() != 1 || format[0] != "png") {
    throw DataError("an image of the format " +
                        (format.empty() ? "(none)" : "'" + format[0] + "'"),
                    "one PNG in image/encoded", "make the data again");
  }
  const Image image = DecodePng(encoded[0], static_cast<int>(shape[2]));
  const ImageShape found = {image.height, image.width, image.channels};
  if (found != shape) {
    throw DataError("an image of " + ShapeText(found), ShapeText(shape),
                    "make the data again");
  }
  example->features["inputs"] =
      std::vector<int64_t>(image.pixels.begin(), image.pixels.end());
  example->features["targets"] = example->Ints("image/class/label");
  std::erase_if(example->features, [](const auto& feature) {
    return feature.first.rfind("image/", 0) == 0;
  });
}

}  // namespace

Step DecodeImage(const ImageShape& shape) {
  return {"decode image", [shape](Example* example, const StepContext&) {
            Decode(shape, example);
            return true;
          }};
}

std::vector<float> Standardized(const std::vector<int64_t>& pixels) {
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

Step Standardize() {
  return {"standardize", [](Example* example, const StepContext&) {
            example->features["inputs"] = Standardized(example->Ints("inputs"));
            return true;
          }};
}

Step RandomShift(const ImageShape& shape, int64_t pixels) {
  const auto shift = [shape, pixels](Example* example,
                                     const StepContext& context) {
    const std::vector<int64_t>& from = example->Ints("inputs");
    CheckSize(from, shape);
    const auto draw = [&] {
      return static_cast<int64_t>(
                 context.rng.Below(static_cast<uint64_t>(2 * pixels + 1))) -
             pixels;
    };
    const int64_t down = draw();
    const int64_t right = draw();
    const int64_t height = shape[0];
    const int64_t row = shape[1] * shape[2];
    std::vector<int64_t> to(from.size(), 0);
    const int64_t cut = std::min(std::abs(right) * shape[2], row);
    for (int64_t y = std::max<int64_t>(0, down);
         y < std::min(height, height + down); ++y) {
      const int64_t* const source = from.data() + (y - down) * row;
      int64_t* const target = to.data() + y * row;
      std::copy_n(source + (right < 0 ? cut : 0), row - cut,
                  target + (right > 0 ? cut : 0));
    }
    example->features["inputs"] = std::move(to);
    return true;
  };
  return {"random shift", shift, /*draws=*/true, /*training_only=*/true};
}

Step RandomFlip(const ImageShape& shape) {
  const auto flip = [shape](Example* example, const StepContext& context) {
    if (context.rng.Below(2) == 0) return true;
    auto& pixels =
        std::get<std::vector<int64_t>>(example->features.at("inputs"));
    CheckSize(pixels, shape);
    const int64_t channels = shape[2];
    for (int64_t y = 0; y < shape[0]; ++y) {
      int64_t* const row = pixels.data() + y * shape[1] * channels;
      for (int64_t left = 0, right = shape[1] - 1; left < right;
           ++left, --right) {
        std::swap_ranges(row + left * channels, row + (left + 1) * channels,
                         row + right * channels);
      }
    }
    return true;
  };
  return {"random flip", flip, /*draws=*/true, /*training_only=*/true};
}

}  // namespace t2t
