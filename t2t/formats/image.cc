#include "t2t/formats/image.h"

#include "t2t/base/error.h"

namespace t2t {

void CheckEncodable(const Image& image, const std::string& format) {
  const bool is_whole = image.height > 0 && image.width > 0 &&
                        static_cast<int64_t>(image.pixels.size()) ==
                            image.height * image.width * image.channels;
  if (is_whole && (image.channels == 1 || image.channels == 3)) return;
  throw Error(ExitCode::kInternal,
              "an image of " + std::to_string(image.pixels.size()) +
                  " bytes is to become a " + format,
              "height * width * (1 or 3)");
}

}  // namespace t2t
