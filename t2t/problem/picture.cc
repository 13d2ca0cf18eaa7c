#include "t2t/problem/picture.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>
#include <string>
#include <utility>

#include "t2t/base/error.h"

namespace t2t {
namespace {

constexpr int kCubicSteps = 1 << 10;
constexpr double kCubicA = -0.75;

float ScaleOf(int64_t from, int64_t to) {
  return static_cast<float>(from) / static_cast<float>(to);
}

// What goes into pixel i of a row or column: the pixels at these places with
// these weights. A place beyond the edge is the edge's.
struct Taps {
  std::vector<int64_t> places;
  std::vector<float> weights;
  // Two pixels of weights 1 - w and w, as a + (b - a) * w: of equal pixels that
  // is the pixel itself, to the last bit.
  bool is_linear = false;
};

Taps LinearTaps(float scale, int64_t i, int64_t size) {
  const float at = static_cast<float>(i) * scale;
  const auto low = static_cast<int64_t>(at);
  const float share = at - static_cast<float>(low);
  return {{low, std::min(low + 1, size - 1)}, {1 - share, share}, true};
}

// Keys' convolution, of 4 pixels; the weights of x between two steps are those
// of the nearest one.
float Near(double x) {
  return static_cast<float>(((kCubicA + 2) * x - (kCubicA + 3)) * x * x + 1);
}
float Far(double x) {
  x += 1;
  return static_cast<float>(
      ((kCubicA * x - 5 * kCubicA) * x + 8 * kCubicA) * x - 4 * kCubicA);
}

Taps CubicTaps(float scale, int64_t i, int64_t size) {
  const float at = scale * static_cast<float>(i);
  const auto low = static_cast<int64_t>(at);
  const auto step = static_cast<double>(
      std::lrintf((at - static_cast<float>(low)) * kCubicSteps));
  const double right = step / kCubicSteps;
  const double left = 1 - right;
  Taps taps = {{}, {Far(right), Near(right), Near(left), Far(left)}, false};
  for (int64_t place = low - 1; place <= low + 2; ++place) {
    taps.places.push_back(std::clamp<int64_t>(place, 0, size - 1));
  }
  return taps;
}

Taps AreaTaps(float scale, int64_t i, int64_t size) {
  const float begin = static_cast<float>(i) * scale;
  const float end = static_cast<float>(i + 1) * scale;
  Taps taps;
  for (auto place = static_cast<int64_t>(std::floor(begin));
       place < static_cast<int64_t>(std::ceil(end)); ++place) {
    const auto here = static_cast<float>(place);
    float share = 1;
    if (here < begin) {
      share = here + 1 > end ? scale : here + 1 - begin;
    } else if (here + 1 > end) {
      share = end - here;
    }
    taps.places.push_back(std::clamp<int64_t>(place, 0, size - 1));
    taps.weights.push_back(share);
  }
  return taps;
}

std::vector<Taps> AllTaps(int64_t from, int64_t to, ResizeMethod method) {
  const float scale = ScaleOf(from, to);
  std::vector<Taps> taps;
  taps.reserve(static_cast<size_t>(to));
  for (int64_t i = 0; i < to; ++i) {
    taps.push_back(
        method == ResizeMethod::kBilinear  ? LinearTaps(scale, i, from)
        : method == ResizeMethod::kBicubic ? CubicTaps(scale, i, from)
                                           : AreaTaps(scale, i, from));
  }
  return taps;
}

// A row of the picture, across.
void ResizeRow(const float* from, int64_t channels,
               const std::vector<Taps>& columns, float* to) {
  for (const Taps& taps : columns) {
    for (int64_t c = 0; c < channels; ++c) {
      if (taps.is_linear) {
        const float low = from[taps.places[0] * channels + c];
        const float high = from[taps.places[1] * channels + c];
        *to++ = low + (high - low) * taps.weights[1];
        continue;
      }
      float sum = 0;
      for (size_t k = 0; k < taps.places.size(); ++k) {
        sum += from[taps.places[k] * channels + c] * taps.weights[k];
      }
      *to++ = sum;
    }
  }
}

// Rows of a picture that are resized across already: each is needed for a few
// rows of the result, one after another.
class RowsAcross {
 public:
  RowsAcross(const Picture& from, const std::vector<Taps>& columns)
      : from_(from), columns_(columns) {}

  const std::vector<float>& At(int64_t place) {
    for (const auto& [there, row] : rows_) {
      if (there == place) return row;
    }
    rows_.emplace_back(place,
                       std::vector<float>(columns_.size() *
                                          static_cast<size_t>(from_.channels)));
    ResizeRow(from_.at(place, 0), from_.channels, columns_,
              rows_.back().second.data());
    return rows_.back().second;
  }

  // Those above `place`.
  void Forget(int64_t place) {
    std::erase_if(rows_,
                  [place](const auto& row) { return row.first < place; });
  }

 private:
  const Picture& from_;
  const std::vector<Taps>& columns_;
  // (A deque: what At() gave stays where it is.)
  std::deque<std::pair<int64_t, std::vector<float>>> rows_;
};

// The sum of the rows with their weights.
void AddRows(const Taps& taps, RowsAcross* across, float* sums) {
  if (taps.is_linear) {
    const std::vector<float>& low = across->At(taps.places[0]);
    const std::vector<float>& high = across->At(taps.places[1]);
    for (size_t i = 0; i < low.size(); ++i) {
      sums[i] = low[i] + (high[i] - low[i]) * taps.weights[1];
    }
    return;
  }
  for (size_t k = 0; k < taps.places.size(); ++k) {
    const std::vector<float>& row = across->At(taps.places[k]);
    for (size_t i = 0; i < row.size(); ++i) sums[i] += row[i] * taps.weights[k];
  }
}

// Hue (0 to 6), saturation and value.
using Hsv = std::array<float, 3>;

Hsv ToHsv(const float* rgb) {
  const float high = std::max({rgb[0], rgb[1], rgb[2]});
  const float range = high - std::min({rgb[0], rgb[1], rgb[2]});
  if (range <= 0) return {0, 0, high};
  float hue;
  if (rgb[0] == high) {
    hue = (rgb[1] - rgb[2]) / range;
  } else if (rgb[1] == high) {
    hue = 2 + (rgb[2] - rgb[0]) / range;
  } else {
    hue = 4 + (rgb[0] - rgb[1]) / range;
  }
  return {hue < 0 ? hue + 6 : hue, high > 0 ? range / high : 0, high};
}

void ToRgb(const Hsv& hsv, float* rgb) {
  const float range = hsv[1] * hsv[2];
  const auto share = [&](float hue) {
    return std::clamp(hue, 0.0F, 1.0F) * range + hsv[2] - range;
  };
  rgb[0] = share(std::fabs(hsv[0] - 3) - 1);
  rgb[1] = share(2 - std::fabs(hsv[0] - 2));
  rgb[2] = share(2 - std::fabs(hsv[0] - 4));
}

// Calls change(hsv) of each pixel.
template <typename Change>
void ChangeHsv(Picture* picture, const Change& change) {
  float* const end = picture->pixels.data() + picture->pixels.size();
  for (float* rgb = picture->pixels.data(); rgb != end; rgb += 3) {
    Hsv hsv = ToHsv(rgb);
    change(&hsv);
    ToRgb(hsv, rgb);
  }
}

}  // namespace

std::string ShapeText(const ImageShape& shape) {
  std::string text;
  for (const int64_t size : shape) {
    text += (text.empty() ? "" : "x") + std::to_string(size);
  }
  return text;
}

Picture::Picture(const Image& image)
    : height(image.height),
      width(image.width),
      channels(image.channels),
      pixels(image.pixels.begin(), image.pixels.end()) {}

Picture Resized(const Picture& from, int64_t height, int64_t width,
                ResizeMethod method) {
  if (height == from.height && width == from.width) return from;
  const std::vector<Taps> rows = AllTaps(from.height, height, method);
  const std::vector<Taps> columns = AllTaps(from.width, width, method);
  const float whole =
      method == ResizeMethod::kArea
          ? 1 / (ScaleOf(from.height, height) * ScaleOf(from.width, width))
          : 1;
  RowsAcross across(from, columns);
  Picture to(height, width, from.channels);
  for (int64_t y = 0; y < height; ++y) {
    const Taps& taps = rows[static_cast<size_t>(y)];
    across.Forget(taps.places.front());
    AddRows(taps, &across, to.at(y, 0));
    if (whole == 1) continue;
    for (int64_t i = 0; i < width * from.channels; ++i) to.at(y, 0)[i] *= whole;
  }
  return to;
}

Picture ScaledToSide(const Picture& from, int64_t side, ResizeMethod method) {
  const auto height = static_cast<float>(from.height);
  const auto width = static_cast<float>(from.width);
  const auto size = static_cast<float>(side);
  if (from.height > from.width) {
    return Resized(from, static_cast<int64_t>(height / width * size), side,
                   method);
  }
  return Resized(from, side, static_cast<int64_t>(width / height * size),
                 method);
}

Picture Cropped(const Picture& from, int64_t top, int64_t left, int64_t height,
                int64_t width) {
  if (top < 0 || left < 0 || top + height > from.height ||
      left + width > from.width) {
    throw DataError(
        "an image of " + ShapeText({from.height, from.width}),
        "one that has a part of " + ShapeText({height, width}) + " at row " +
            std::to_string(top) + ", column " + std::to_string(left),
        "make the data again, of the images that the problem is made of");
  }
  Picture to(height, width, from.channels);
  for (int64_t y = 0; y < height; ++y) {
    std::copy_n(from.at(top + y, left), width * from.channels, to.at(y, 0));
  }
  return to;
}

Picture CenterCropped(const Picture& from, int64_t height, int64_t width) {
  return Cropped(from, (from.height - height + 1) / 2,
                 (from.width - width + 1) / 2, height, width);
}

Picture RandomCropped(const Picture& from, int64_t height, int64_t width,
                      Rng* rng) {
  const auto draw = [rng](int64_t places) {
    return places <= 0 ? int64_t{0}
                       : static_cast<int64_t>(
                             rng->Below(static_cast<uint64_t>(places + 1)));
  };
  const int64_t top = draw(from.height - height);
  const int64_t left = draw(from.width - width);
  return Cropped(from, top, left, height, width);
}

Picture CenterFitted(const Picture& from, int64_t height, int64_t width) {
  const int64_t common_height = std::min(height, from.height);
  const int64_t common_width = std::min(width, from.width);
  Picture to(height, width, from.channels);
  for (int64_t y = 0; y < common_height; ++y) {
    std::copy_n(
        from.at((from.height - common_height) / 2 + y,
                (from.width - common_width) / 2),
        common_width * from.channels,
        to.at((height - common_height) / 2 + y, (width - common_width) / 2));
  }
  return to;
}

bool DrawBox(int64_t height, int64_t width, Rng* rng, PictureBox* box) {
  constexpr float kLeastArea = 0.08F;
  constexpr float kLeastRatio = 3.0F / 4;
  constexpr float kMostRatio = 4.0F / 3;
  constexpr float kLeastCovered = 0.1F;
  const auto below = [rng](int64_t bound) {
    return static_cast<int64_t>(rng->Below(static_cast<uint64_t>(bound)));
  };
  const float ratio =
      static_cast<float>(rng->Uniform()) * (kMostRatio - kLeastRatio) +
      kLeastRatio;
  const auto wide = [ratio](int64_t high) {
    return static_cast<int64_t>(std::lrintf(static_cast<float>(high) * ratio));
  };
  const float all = static_cast<float>(width) * static_cast<float>(height);
  const float least = kLeastArea * all;
  int64_t most_high = std::lrintf(std::sqrt(all / ratio));
  if (wide(most_high) > width) {
    most_high =
        static_cast<int64_t>((static_cast<double>(width) + 0.5 - 1e-7) / ratio);
  }
  most_high = std::min(most_high, height);
  int64_t high =
      std::min<int64_t>(std::lrintf(std::sqrt(least / ratio)), most_high);
  if (high < most_high) high += below(most_high - high + 1);
  // Rounding may have made it a little too small, or too large.
  if (static_cast<float>(wide(high) * high) < least) ++high;
  if (static_cast<float>(wide(high) * high) > all) --high;
  const int64_t across = wide(high);
  const auto area = static_cast<float>(across * high);
  if (area < least || area > all || across > width || high > height ||
      across <= 0 || high <= 0) {
    return false;
  }
  // (TensorFlow never takes the last place.)
  box->top = high < height ? below(height - high) : 0;
  box->left = across < width ? below(width - across) : 0;
  box->height = high;
  box->width = across;
  return area / all >= kLeastCovered;
}

void FlipLeftRight(Picture* picture) {
  const int64_t channels = picture->channels;
  for (int64_t y = 0; y < picture->height; ++y) {
    for (int64_t left = 0, right = picture->width - 1; left < right;
         ++left, --right) {
      std::swap_ranges(picture->at(y, left), picture->at(y, left) + channels,
                       picture->at(y, right));
    }
  }
}

void AdjustBrightness(float delta, Picture* picture) {
  for (float& pixel : picture->pixels) pixel += delta;
}

void AdjustContrast(float factor, Picture* picture) {
  const auto channels = static_cast<size_t>(picture->channels);
  std::vector<double> means(channels);
  for (size_t i = 0; i < picture->pixels.size(); ++i) {
    means[i % channels] += picture->pixels[i];
  }
  for (double& mean : means) {
    mean /= static_cast<double>(picture->height * picture->width);
  }
  for (size_t i = 0; i < picture->pixels.size(); ++i) {
    const auto mean = static_cast<float>(means[i % channels]);
    picture->pixels[i] = (picture->pixels[i] - mean) * factor + mean;
  }
}

void AdjustSaturation(float factor, Picture* picture) {
  ChangeHsv(picture, [factor](Hsv* hsv) {
    (*hsv)[1] = std::clamp((*hsv)[1] * factor, 0.0F, 1.0F);
  });
}

void AdjustHue(float delta, Picture* picture) {
  ChangeHsv(picture, [delta](Hsv* hsv) {
    float hue = std::fmod((*hsv)[0] + delta * 6, 6.0F);
    if (hue < 0) hue += 6;
    (*hsv)[0] = hue;
  });
}

}  // namespace t2t
