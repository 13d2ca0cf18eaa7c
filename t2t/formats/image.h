#ifndef T2T_FORMATS_IMAGE_H_
#define T2T_FORMATS_IMAGE_H_

#include <cstdint>
#include <string>
#include <vector>

namespace t2t {

struct Image {
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 0;         // 1 (grey) or 3 (red, green, blue)
  std::vector<uint8_t> pixels;  // [height, width, channels]
};

// What an image may say that it is, so that a few bytes from outside can't take
// all memory.
inline constexpr int64_t kMostPixels = int64_t{1} << 26;

// Throws an internal error where the image can't be made a `format` ("PNG"):
// another number of channels, or not as many pixels as its sides say.
void CheckEncodable(const Image& image, const std::string& format);

}  // namespace t2t

#endif  // T2T_FORMATS_IMAGE_H_
