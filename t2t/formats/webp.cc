#include "t2t/formats/webp.h"

#include <webp/decode.h>

#include <string>

#include "t2t/base/error.h"
#include "t2t/formats/system_library.h"

namespace t2t {
namespace {

// libwebp's functions.
struct Libwebp {
  decltype(::WebPGetInfo)* info;
  decltype(::WebPDecodeRGBInto)* decode;

  Libwebp() {
    const SystemLibrary library("libwebp.so.7", "libwebp7", "to decode a WebP");
    library.Get("WebPGetInfo", &info);
    library.Get("WebPDecodeRGBInto", &decode);
  }
};

const Libwebp& Lib() {
  static const Libwebp library;
  return library;
}

}  // namespace

Image DecodeWebp(std::string_view bytes) {
  const auto* const from = reinterpret_cast<const uint8_t*>(bytes.data());
  int width = 0;
  int height = 0;
  const bool known = Lib().info(from, bytes.size(), &width, &height) != 0;
  const int64_t pixels = static_cast<int64_t>(width) * height;
  Image image = {height, width, 3, {}};
  if (known && pixels > 0 && pixels <= kMostPixels) {
    image.pixels.resize(static_cast<size_t>(pixels * 3));
    if (Lib().decode(from, bytes.size(), image.pixels.data(),
                     image.pixels.size(), width * 3) != nullptr) {
      return image;
    }
  }
  throw DataError(
      "a WebP of " + std::to_string(bytes.size()) + " bytes can't be read",
      "a whole WebP of at most " + std::to_string(kMostPixels) + " pixels",
      "make the data again");
}

}  // namespace t2t
