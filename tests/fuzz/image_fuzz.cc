#include <string>

#include "t2t/base/error.h"
#include "t2t/formats/encoded_image.h"
#include "t2t/formats/png.h"
#include "tests/fuzz/fuzz_target.h"

// An image has as many pixels as it says, and comes back from a PNG of it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes = t2t::AsText(data, size);
  for (const int channels : {1, 3}) {
    try {
      const t2t::Image image = t2t::DecodeEncodedImage(bytes, channels);
      t2t::Require(image.channels == channels &&
                       static_cast<int64_t>(image.pixels.size()) ==
                           image.height * image.width * channels,
                   "as many pixels as it says");
      // (A large one takes long.)
      if (image.pixels.size() > 1 << 16) continue;
      t2t::Require(t2t::DecodePng(t2t::EncodePng(image), channels).pixels ==
                       image.pixels,
                   "comes back from a PNG");
    } catch (const t2t::Error&) {
    }
  }
  return 0;
}
